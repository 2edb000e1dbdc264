import type { RelayedRequest } from "./relay-refusal.js";
import { type Frame, modernHeaders, pause, type RelayedServer } from "./relay-server.js";

const subscriptionId = "io.modelcontextprotocol/subscriptionId";
const acknowledged = "notifications/subscriptions/acknowledged";

/**
 * Keeps one `subscriptions/listen` of a client of the 2026 era open until the client cancels it. A stream that ended is
 * opened again; the client then gets no second acknowledgement but an update of each URI it follows, because something
 * may have changed meanwhile. A server that refuses ends the subscription.
 *
 * @param reachMs how long a server that cannot be reached is tried before there is a first acknowledgement
 */
export async function keepSubscription(
  server: RelayedServer,
  request: RelayedRequest,
  tell: (frame: Frame) => Promise<void>,
  signal: AbortSignal,
  reachMs = server.reachMs,
): Promise<void> {
  const until = Date.now() + reachMs;
  let uris: readonly string[] | undefined;
  for (let pauseMs = 250; ; pauseMs = Math.min(2 * pauseMs, 5_000)) {
    let refusal: Frame | undefined;
    const ended = await server.stream({
      method: "POST",
      headers: modernHeaders({ ...request }),
      body: JSON.stringify(request),
      signal,
      onFrame: async (frame) => {
        const told = frame as Frame;
        if (told.id === request.id && !("method" in told)) {
          // A result says that the server leaves off, which it does when it is stopped; an error is for the client.
          if ("error" in told) refusal = told;
        } else if (told.method !== acknowledged) await tell(told);
        else if (uris) for (const uri of uris) await tell(updated(uri, request.id));
        else {
          uris = urisIn(told);
          await tell(told);
        }
        pauseMs = 250;
      },
    });
    if (signal.aborted) return;
    if (ended.kind === "answered" && ended.status >= 300) {
      const { json, status } = ended as { json?: Frame; status: number };
      const mayPass = status === 429 || status >= 500;
      if (!uris || !mayPass)
        refusal = json && "error" in json ? { ...json, id: request.id } : server.refused(request, status);
    }
    if (!uris && !refusal && Date.now() > until) refusal = server.unreachable(request);
    if (refusal) {
      await tell(refusal);
      return;
    }
    await pause(pauseMs, signal);
    if (signal.aborted) return;
  }
}

function urisIn({ params }: Frame): readonly string[] {
  const { notifications } = params as { notifications?: { resourceSubscriptions?: readonly string[] } };
  return notifications?.resourceSubscriptions ?? [];
}

function updated(uri: string, id: RelayedRequest["id"]): Frame {
  return {
    jsonrpc: "2.0",
    method: "notifications/resources/updated",
    params: { uri, _meta: { [subscriptionId]: id } },
  };
}
