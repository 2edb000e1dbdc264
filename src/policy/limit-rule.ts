import type { Condition } from "./condition.js";
import type { Limit } from "./decision.js";
import type { Question } from "./question.js";
import type { LimitEntry } from "./rule-set.js";
import type { Scope } from "./scope.js";
import { subjectOf } from "./subject.js";

/** Costs are kept as whole numbers: in doubles those are exact, and sums of fractions are not. */
export const millionths = 1_000_000;

/** A limit, ready to be asked. */
export interface LimitRule {
  readonly entry: LimitEntry;
  readonly scope: Scope;
  readonly position: number;
  readonly condition: Condition | undefined;
}

export function limitOf({ entry }: LimitRule, question: Pick<Question, "agent">): Limit {
  return {
    id: entry.id,
    of: entry.of,
    subject: subjectOf(entry.per, question.agent),
    most: entry.of === "cost" ? Math.round(entry.most * millionths) : Math.floor(entry.most),
    windowMs: entry.window,
    effect: entry.effect,
    reason:
      entry.reason ??
      (entry.of === "cost" ? "a limit on what may be spent" : "a limit on the number of calls"),
    ...(entry.guidance !== undefined && { guidance: entry.guidance }),
    unsettled: entry.unsettled,
    shadow: entry.shadow,
  };
}
