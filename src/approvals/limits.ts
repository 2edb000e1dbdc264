/** What requests for approval may take and how long they last; counts, bytes and milliseconds. */
export interface ApprovalLimits {
  /** Requests that wait for a decision, in a namespace and of one agent. */
  readonly pending: number;
  readonly pendingOfAgent: number;
  /** Of the arguments, and of the rest of the context, as JSON. */
  readonly argumentBytes: number;
  /** How deep both may be nested. */
  readonly levels: number;
  /** Of a comment or an answer, and of a reason why. */
  readonly textChars: number;
  /** How long a request is kept, whatever became of it; none waits longer for a decision. */
  readonly keepMs: number;
  /** How long an approval can be used. */
  readonly usableMs: number;
  /** How long an approval is held for a call of which nothing is heard; then it counts as used. */
  readonly claimMs: number;
  /** How long a use is remembered, so that its repetition is the same use. */
  readonly idempotencyMs: number;
  /** How long a link decides at most. */
  readonly linkMs: number;
  /** Somebody who waits looks again after this time at the latest, whether or not a hint came. */
  readonly lookAgainMs: number;
}

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

export const defaultApprovalLimits: ApprovalLimits = {
  pending: 1_000,
  pendingOfAgent: 50,
  argumentBytes: 64 * 1024,
  levels: 32,
  textChars: 2_000,
  keepMs: 30 * dayMs,
  usableMs: dayMs,
  claimMs: minuteMs,
  idempotencyMs: dayMs,
  linkMs: 7 * dayMs,
  lookAgainMs: 15_000,
};
