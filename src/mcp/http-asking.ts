import type { FaceOptions } from "./connection.js";
import type { Exchange } from "./exchange.js";

/** Comment frames on open streams: a dead one is noticed within this time. */
export const keepAliveMs = 5_000;

export interface McpEndpointOptions extends FaceOptions {
  /** How long a session, or the run of a client without one, is kept without a call (30 min). */
  readonly idleMs?: number;
}

/** The way an HTTP response takes to its client. */
export interface HttpExchange extends Exchange {
  /** True while the client takes what was written more slowly than it is written. */
  stalled(): boolean;
}

/** One HTTP request, and who asks. */
export interface Asking {
  readonly request: Request;
  /** The JSON of a POST. */
  readonly body: unknown;
  readonly exchange: HttpExchange;
  readonly agent: string | undefined;
  /** Stands for who asks; a session belongs to the one that opened it. */
  readonly owner: string;
  readonly structured: boolean;
}

export function jsonRpcError(status: number, code: number, message: string): Response {
  return Response.json({ jsonrpc: "2.0", error: { code, message }, id: null }, { status });
}
