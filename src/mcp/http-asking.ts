import { MailboxError } from "../errors/index.js";
import type { Principal } from "../identity/index.js";
import type { FaceOptions } from "./connection.js";
import type { Exchange } from "./exchange.js";
import type { EndpointLimits } from "./http-limits.js";
import type { Rooms } from "./rooms.js";

/** Comment frames on open streams: a dead one is noticed within this time. */
export const keepAliveMs = 5_000;

export interface McpEndpointOptions extends FaceOptions {
  /** How long a session, or the run of a client without one, is kept without a call (30 min). */
  readonly idleMs?: number;
  /** Nobody is believed without a credential, whether or not the namespace has tokens (false). */
  readonly credentialsRequired?: boolean;
  /** The address of the server as its clients know it, such as `https://mail.example`; else how they called it. */
  readonly publicUrl?: string;
  /** What differs from the defaults. */
  readonly limits?: Partial<EndpointLimits>;
}

/** The way an HTTP response takes to its client. */
export interface HttpExchange extends Exchange {
  /** True while the client takes what was written more slowly than it is written. */
  stalled(): boolean;
  /** Calls back once the operating system has taken this chunk of the response's body. Never, if it does not. */
  onTaken(chunk: Uint8Array, callback: () => void): void;
  /** Ends the connection, whatever was written. */
  cut(): void;
}

/** Who sent an HTTP request. */
export interface Asker {
  readonly agent: string | undefined;
  /** What the credential proved; without one, the agent named itself. */
  readonly principal: Principal | undefined;
  /** Stands for who asks; a session or a run belongs to the one that opened it. */
  readonly owner: string;
  /** Whose allowance it uses: the agent's, whatever proved it. */
  readonly account: string;
  /** Calls back once, within a second of the end of what this request was believed by. */
  whileHolds(onEnd: () => void): () => void;
}

/** One HTTP request, and who asks. */
export interface Asking extends Asker {
  readonly request: Request;
  /** The JSON of a POST. */
  readonly body: unknown;
  readonly exchange: HttpExchange;
  readonly structured: boolean;
  /** Aborts when the process is about to end: waits end as if their time were over. */
  readonly draining: AbortSignal;
}

export function jsonRpcError(status: number, code: number, message: string): Response {
  return Response.json({ jsonrpc: "2.0", error: { code, message }, id: null }, { status });
}

/** Records that there is no such session for who asks, in the same way whether there is one for somebody else. */
export async function recordNoSession(
  rooms: Rooms,
  { namespace }: McpEndpointOptions,
  { principal, agent = "" }: Asker,
): Promise<void> {
  const problem = "there is no such session";
  const error = new MailboxError("input.invalid", { problem });
  await rooms.identity.refused(principal ?? { namespace, agent }, "auth.session", error);
}

/** A refusal that may not be one in a moment. */
export function tooMany(status: 429 | 503, message: string, seconds = 1): Response {
  const response = jsonRpcError(status, -32000, message);
  response.headers.set("retry-after", String(seconds));
  return response;
}

/** The ids of the requests in a body, which may be one message or a list of them. */
export function requestIds(body: unknown): (string | number)[] {
  const messages = (Array.isArray(body) ? body : [body]) as ({ id?: unknown; method?: unknown } | null)[];
  return messages.flatMap((message) => {
    const id = message?.method === undefined ? undefined : message?.id;
    return typeof id === "string" || typeof id === "number" ? [id] : [];
  });
}
