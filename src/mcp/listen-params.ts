import { isRefusal } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { watchTarget } from "./resources/resource-uri.js";
import { mostWatched, type Watches } from "./watches.js";

interface ListenParams {
  readonly notifications?: { readonly resourceSubscriptions?: unknown };
  readonly _meta?: Readonly<Record<string, unknown>>;
}

/** What a `subscriptions/listen` names; whatever does not have the right shape names nothing. */
export function listenParams(params: unknown): { uris: string[]; clientName: string | undefined } {
  const { notifications, _meta } = (params ?? {}) as ListenParams;
  const given = notifications?.resourceSubscriptions;
  const info = _meta?.["io.modelcontextprotocol/clientInfo"] as { readonly name?: unknown } | undefined;
  return {
    uris: Array.isArray(given)
      ? given.filter((uri): uri is string => typeof uri === "string").slice(0, 1000)
      : [],
    clientName: typeof info?.name === "string" ? info.name : undefined,
  };
}

/** The same parameters for these URIs alone, so that the client is told which of those that it named are watched. */
export function narrowed(params: unknown, uris: readonly string[]): unknown {
  const { notifications } = (params ?? {}) as ListenParams;
  if (typeof notifications !== "object" || notifications === null) return params;
  if (notifications.resourceSubscriptions === undefined) return params;
  return { ...(params as object), notifications: { ...notifications, resourceSubscriptions: uris } };
}

/**
 * Watches those of the URIs that there are and that the caller may read, and answers which: one that may not be watched takes
 * nothing from the others, and is passed over as one that there is not. No more are asked for than one client may watch.
 *
 * @throws {MailboxError} `auth.*` where the caller is not believed, `store.*`
 */
export async function watchEach(
  watches: Pick<Watches, "add">,
  uris: readonly string[],
  caller: () => Promise<Caller>,
): Promise<readonly string[]> {
  const watched = new Set<string>();
  const there = new Set(uris.filter((one) => watchTarget(one)));
  for (const uri of [...there].slice(0, mostWatched))
    try {
      if (await watches.add(await caller(), uri)) watched.add(uri);
    } catch (error) {
      if (!isRefusal(error, "access.denied")) throw error;
    }
  return [...watched];
}
