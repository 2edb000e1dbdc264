/** How much of this process the clients that come over HTTP may hold at once. */
export interface EndpointLimits {
  /** Sessions of all kinds, and agents that call without one. */
  readonly sessions: number;
  readonly sessionsPerAgent: number;
  /** Streams of `subscriptions/listen`. */
  readonly streamsPerAgent: number;
  /** Calls of one agent that are not answered yet, or whose answer its client has not taken yet. */
  readonly callsInFlight: number;
  /** Requests that one agent makes in a minute, whatever their method, what is in them and what becomes of them. */
  readonly requestsPerMinute: number;
}

/**
 * So many times the calls that an agent may make in a minute, it may send requests: what comes along with calls, and refusals of
 * calls past their number, which models read, are within it.
 */
export const requestsPerCall = 2;

export const defaultEndpointLimits: EndpointLimits = {
  sessions: 10_000,
  sessionsPerAgent: 100,
  streamsPerAgent: 16,
  callsInFlight: 128,
  requestsPerMinute: 1_200,
};
