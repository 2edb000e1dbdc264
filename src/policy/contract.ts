import { z } from "zod";
import type { ApprovalState } from "./context.js";
import type { Effect } from "./decision.js";
import { mostReserved } from "./limits.js";
import { maxActionLength, maxResourceLength } from "./name-pattern.js";
import type { RefusedBefore } from "./refused-before.js";

/** An object as it is: what it may hold is for the question to say, which counts before it looks. */
const Context = z
  .any()
  .check(({ value, issues }) => {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      issues.push({ code: "invalid_type", expected: "record", input: value });
  })
  .meta({ type: "object" }) as unknown as z.ZodType<Readonly<Record<string, unknown>>>;

const IdempotencyKey = z.string().min(1).max(200).optional();

export const CheckPolicy = z.object({
  action: z.string().max(maxActionLength).optional().describe("file.delete"),
  resource: z.string().max(maxResourceLength).optional().describe("prod/db/users"),
  context: Context.optional().describe("cost, risk, arguments, what else matters"),
  reserve: z
    .number()
    .min(0)
    .max(mostReserved)
    .optional()
    .describe("Hold so much of the budgets, else context.cost; 0: only look"),
  why: z.string().max(1_000).optional().describe("For whoever has to approve"),
  approval_id: z.string().max(60).optional().describe("Wait for this approval"),
  wait_seconds: z.number().int().min(0).max(50).optional(),
  idempotency_key: IdempotencyKey,
});
export type CheckPolicy = z.infer<typeof CheckPolicy>;

/** Where a limit stands; amounts in the namespace's currency, or calls. */
export interface LimitState {
  readonly id: string;
  readonly of: "cost" | "calls";
  /** Whose use is added up: `agent:alice`, `team:payments`, `namespace`. */
  readonly subject: string;
  readonly used: number;
  /** Reserved and not settled. */
  readonly held: number;
  readonly most: number;
  /** Never below 0, although more may have been charged. */
  readonly left: number;
  readonly window_ends_at: string;
}

export interface LimitAnswer extends LimitState {
  /** The step would take more than is left. */
  readonly exceeded: boolean;
}

export interface AskedApproval {
  readonly id: string;
  readonly state: ApprovalState;
  /** Until when it can be decided, or used once it is approved. */
  readonly until: string;
  /** Who decided, and what they said: their words, not ours. */
  readonly said?: readonly { readonly by: string; readonly text: string }[];
  /** What was approved in place of the arguments that were asked for; it holds for these alone. */
  readonly arguments?: Readonly<Record<string, unknown>>;
  /** The request for the same that was refused before, who did it, and in their words why. */
  readonly before?: RefusedBefore;
}

export interface PolicyAnswer {
  readonly decision: Effect;
  /** What decided, the most important first: rules, then limits. */
  readonly reasons: readonly { readonly by: string; readonly reason: string; readonly guidance?: string }[];
  readonly obligations: readonly string[];
  /** False where no rule speaks of the action; then known actions that are near to it. */
  readonly known: boolean;
  readonly nearest: readonly string[];
  /** The limits that the step takes from. */
  readonly limits: readonly LimitAnswer[];
  /** What a person was asked, or said. */
  readonly approval?: AskedApproval;
  /** The approval that let the step pass; it is used up, or of a step of our own tools, will be by the call of the tool. */
  readonly approved_by?: string;
  readonly reservation_id?: string;
  readonly reserved?: number;
  readonly reservation_expires_at?: string;
  /** The cost was looked at against what is left, and as `reserve: 0` wants it nothing is held. */
  readonly unheld: boolean;
  /** The same call with the same idempotency key was answered before; this is that answer. */
  readonly replayed: boolean;
}

export const SettleReservation = z.object({
  reservation_id: z.string().max(60),
  cost: z.number().min(0).max(1e9).describe("What it did cost"),
  idempotency_key: IdempotencyKey,
});
export type SettleReservation = z.infer<typeof SettleReservation>;

export interface Settled {
  readonly reservation_id: string;
  readonly reserved: number;
  readonly cost: number;
  /** It was over already; the cost was charged all the same. */
  readonly late: boolean;
  readonly limits: readonly LimitState[];
  readonly replayed: boolean;
}
