/** How long leases and offers last, and how many there may be; milliseconds and counts. */
export interface LockLimits {
  readonly leaseMs: number;
  readonly shortestLeaseMs: number;
  readonly longestLeaseMs: number;
  /** Longest time that a run's own calls prolong a lease beyond its grant or renewal. */
  readonly longestTouchedMs: number;
  /** How long an offer waits for a live agent to call, and at least for one whose process is silent. */
  readonly offerMs: number;
  readonly deadOfferMs: number;
  /** How long a process that gives no heartbeat still counts as alive. */
  readonly aliveMs: number;
  readonly beatMs: number;
  /** How much earlier one step of priority counts as having come. */
  readonly ageingMs: number;
  /** How long the resources of a lease that ran out rest before somebody else gets them. */
  readonly delayMs: number;
  readonly waiters: number;
  readonly requests: number;
  readonly requestsOfRun: number;
  readonly idempotencyMs: number;
  /** How often at most a run asks what earlier runs of its agent lost, while none of them has anything to lose. */
  readonly lossesAgainMs: number;
  /** Most that lock time moves between two operations, and how much where the store's clock moved by more. */
  readonly stepMs: number;
  readonly jumpMs: number;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

export const defaultLockLimits: LockLimits = {
  leaseMs: 10 * minuteMs,
  shortestLeaseMs: 1_000,
  longestLeaseMs: 24 * hourMs,
  longestTouchedMs: hourMs,
  offerMs: 2 * minuteMs,
  deadOfferMs: 5_000,
  aliveMs: 10_000,
  beatMs: 5_000,
  ageingMs: 30_000,
  delayMs: 0,
  waiters: 256,
  requests: 10_000,
  requestsOfRun: 1_000,
  idempotencyMs: 24 * hourMs,
  lossesAgainMs: minuteMs,
  stepMs: 15_000,
  jumpMs: 5_000,
};

/** The limits every script takes, in the order of lua/slot.lua. */
export function scriptLimits(limits: LockLimits): string {
  return [
    limits.stepMs,
    limits.jumpMs,
    limits.aliveMs,
    limits.offerMs,
    limits.deadOfferMs,
    limits.ageingMs,
    limits.delayMs,
    limits.waiters,
    limits.requests,
    limits.requestsOfRun,
  ].join(",");
}
