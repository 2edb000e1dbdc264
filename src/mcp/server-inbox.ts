import { isAgentName } from "../addresses/index.js";
import type { RelayedRequest } from "./relay-refusal.js";
import { RelayedServer, type RelayedServerOptions } from "./relay-server.js";
import { RelaySession } from "./relay-session.js";

/** What a server says of an agent's inbox, or in which words it refused to. */
export type ServerInbox =
  | {
      readonly unread: number;
      readonly urgent: number;
      readonly open: number;
      /** Who wrote what is first, most urgent first. */
      readonly senders: readonly string[];
      /** When the newest of these was sent, ms; 0 when there is none. */
      readonly newestAt: number;
    }
  | { readonly refused: string; readonly code: string };

interface InboxResource {
  readonly unread: number;
  readonly urgent: number;
  readonly open: number;
  readonly envelopes: readonly { readonly from: string; readonly sent_at: string; readonly to: string }[];
}

/**
 * Looks into an inbox at a server, in a session that is ended again: the agent has one run more for that moment, and
 * none is left behind. Nothing is delivered or settled by it.
 */
export async function inboxAtServer(
  options: RelayedServerOptions,
  signal: AbortSignal,
): Promise<ServerInbox> {
  const server = new RelayedServer(options);
  const session = new RelaySession(server, async () => undefined, signal);
  const request = (id: number, method: string, params: object): RelayedRequest =>
    ({ jsonrpc: "2.0", id, method, params }) as RelayedRequest;
  const clientInfo = { name: "llm-mailbox check", version: options.version };
  await session.begin(
    request(1, "initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo }),
  );
  try {
    const answer = await session.ask(request(2, "resources/read", { uri: "mailbox://inbox" }), signal);
    if (answer.kind !== "reply") return { refused: "the server was not asked to the end", code: "cancelled" };
    return inboxIn(answer.message);
  } finally {
    await session.end(AbortSignal.timeout(1_000));
  }
}

function inboxIn(message: Readonly<Record<string, unknown>>): ServerInbox {
  const { result, error } = message as {
    result?: { contents?: readonly { text?: string }[] };
    error?: { message?: unknown; data?: { code?: unknown } };
  };
  if (error) return { refused: String(error.message), code: String(error.data?.code ?? "") };
  const { unread, urgent, open, envelopes } = JSON.parse(result?.contents?.[0]?.text ?? "") as InboxResource;
  // A name goes before a model, so it is checked although the server should have done so.
  const own = envelopes.filter(({ to, from }) => !to.startsWith("topic:") && isAgentName(from));
  return {
    ...{ unread, urgent, open },
    senders: [...new Set(own.map(({ from }) => from))],
    newestAt: Math.max(0, ...envelopes.map(({ sent_at }) => Date.parse(sent_at) || 0)),
  };
}
