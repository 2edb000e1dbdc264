import type { Principal } from "../identity/index.js";
import type { FaceOptions } from "./connection.js";
import type { Exchange } from "./exchange.js";

/** Comment frames on open streams: a dead one is noticed within this time. */
export const keepAliveMs = 5_000;

export interface McpEndpointOptions extends FaceOptions {
  /** How long a session, or the run of a client without one, is kept without a call (30 min). */
  readonly idleMs?: number;
  /** Nobody is believed without a credential, whether or not the namespace has tokens (false). */
  readonly credentialsRequired?: boolean;
  /** The address of the server as its clients know it, such as `https://mail.example`; else how they called it. */
  readonly publicUrl?: string;
}

/** The way an HTTP response takes to its client. */
export interface HttpExchange extends Exchange {
  /** True while the client takes what was written more slowly than it is written. */
  stalled(): boolean;
}

/** Who sent an HTTP request. */
export interface Asker {
  readonly agent: string | undefined;
  /** What the credential proved; without one, the agent named itself. */
  readonly principal: Principal | undefined;
  /** Stands for who asks; a session or a run belongs to the one that opened it. */
  readonly owner: string;
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
}

export function jsonRpcError(status: number, code: number, message: string): Response {
  return Response.json({ jsonrpc: "2.0", error: { code, message }, id: null }, { status });
}
