/** How long budgets are remembered, and how much of a question is; milliseconds, counts and bytes. */
export interface PolicyLimits {
  /** How long a reservation holds without being settled. */
  readonly reservationMs: number;
  /** How long one that ended is known, for whoever settles late. */
  readonly endedMs: number;
  /** How long the figures of a day are kept. */
  readonly figuresMs: number;
  readonly idempotencyMs: number;
  /** How long our own repetition of a call without a key is told from a new one. */
  readonly attemptMs: number;
  /** Decisions that are kept, and bytes of each. */
  readonly decisions: number;
  readonly decisionBytes: number;
}

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

export const defaultPolicyLimits: PolicyLimits = {
  reservationMs: 15 * minuteMs,
  endedMs: 7 * dayMs,
  figuresMs: 92 * dayMs,
  idempotencyMs: dayMs,
  attemptMs: 10 * minuteMs,
  decisions: 10_000,
  decisionBytes: 16 * 1024,
};

/** So many of the steps of one call are recorded. */
export const mostRecords = 10;

/** Most that one step may hold, in the namespace's currency. */
export const mostReserved = 1e9;

/** What every script about budgets takes, in the order of lua/use.lua. */
export function scriptLimits(limits: PolicyLimits): string {
  const { reservationMs, endedMs, figuresMs, attemptMs, decisions } = limits;
  return [reservationMs, endedMs, figuresMs, attemptMs, decisions].join(",");
}
