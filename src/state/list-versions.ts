import { parseStateKey, stateGroupOf } from "../addresses/index.js";
import type { Caller } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import type { StateContext } from "./context.js";
import { isoTime, parseEntry } from "./stored-entry.js";

const versionsScript = loadScript(import.meta.url, "list-versions.lua");

export interface StateVersion {
  readonly version: number;
  readonly what: "written" | "deleted" | "expired";
  /** JSON; none for a deletion or an expiry. */
  readonly value?: string;
  /** Empty for an expiry, which nobody wrote. */
  readonly by: string;
  readonly verified: boolean;
  readonly at: string;
}

/**
 * The versions of a key that are kept, the newest first, and how many earlier ones are not. An entry whose time is over
 * may still be the newest: its expiry is written down by the next who looks after its group.
 *
 * @throws {MailboxError} `state.key_invalid`, `access.denied`
 */
export async function listVersions(
  context: StateContext,
  caller: Caller,
  given: string,
): Promise<{ readonly key: string; readonly versions: readonly StateVersion[]; readonly forgotten: number }> {
  const key = parseStateKey(given);
  await context.deps.record(caller, await context.deps.admit(caller, "state.read", `state:${key}`));
  const [, list] = await context.run(
    caller.principal.namespace,
    stateGroupOf(key),
    versionsScript,
    [],
    [key],
  );
  const flat = list as readonly string[];
  const versions: StateVersion[] = [];
  for (let n = 0; n < flat.length; n += 2) {
    const { version, state, agent, verified, at } = parseEntry(flat[n]!);
    versions.push({
      version,
      what: state === "live" ? "written" : state,
      ...(state === "live" ? { value: flat[n + 1]! } : {}),
      by: agent,
      verified,
      at: isoTime(at),
    });
  }
  return { key, versions, forgotten: flat.length > 0 ? parseEntry(flat[0]!).forgotten : 0 };
}
