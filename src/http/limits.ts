import { defaultEndpointLimits, type EndpointLimits } from "../mcp/index.js";

/** What clients may take of this process; bytes, seconds and counts. All of it is configurable (docs/operations.md). */
export interface HttpLimits extends EndpointLimits {
  readonly connections: number;
  /** Of the head of a request, all its headers together. */
  readonly headerBytes: number;
  readonly headers: number;
  /** Of one body. */
  readonly bodyBytes: number;
  /** How long a request may take to arrive whole; its headers a third of it. */
  readonly requestSeconds: number;
  /** What one client may leave unread before it is cut. */
  readonly unreadBytes: number;
  /** How long nothing may move on a connection while an answer is due: longer than any call waits. No setting. */
  readonly quietSeconds: number;
}

export const defaultHttpLimits: HttpLimits = {
  ...defaultEndpointLimits,
  connections: 5_000,
  headerBytes: 16 * 1024,
  headers: 100,
  bodyBytes: 1024 * 1024,
  requestSeconds: 30,
  unreadBytes: 4 * 1024 * 1024,
  quietSeconds: 90,
};
