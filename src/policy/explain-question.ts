import { policyKeys, type Store } from "../redis/index.js";
import { counterField, limitField, windowAt } from "./budget-field.js";
import { type Counter, type Decision, type Effect, effects, type Limit } from "./decision.js";
import type { Look } from "./look-at-rules.js";
import { estimatedMillionths } from "./millionths.js";
import type { Question } from "./question.js";
import type { InForce } from "./rule-book.js";

/** What would be decided, and by what. */
export interface Explanation {
  readonly version: number;
  /** With the limits, where the rules alone would say less. */
  readonly effect: Effect;
  /** By the rules alone. */
  readonly decision: Decision;
  /** Each rule that speaks of the action. */
  readonly rules: readonly Look[];
  readonly counters: readonly ExplainedCounter[];
  /** Each limit that speaks of the action, also where it does not hold. */
  readonly limits: readonly ExplainedLimit[];
}

export interface ExplainedCounter {
  readonly counter: Counter;
  readonly count: number;
}

export interface ExplainedLimit {
  readonly look: Look;
  /** Where it holds: what was used and is held in the running window, and what the step takes. */
  readonly use?: {
    readonly limit: Limit;
    readonly used: number;
    readonly held: number;
    readonly takes: number;
    readonly isExceeded: boolean;
  };
}

/** Explains what would be decided of a question now. Nothing is counted, held or asked of anybody. */
export async function explainQuestion(
  store: Store,
  namespace: string,
  { version, rules }: InForce,
  asked: Omit<Question, "counts">,
): Promise<Explanation> {
  const inWindow = (field: string, windowMs: number): Promise<string | undefined> =>
    countOf(store, namespace, field, asked.nowMs, windowMs);
  const counters = await Promise.all(
    rules.countersOf(asked).map(async (counter): Promise<ExplainedCounter> => {
      const count = await inWindow(counterField(counter), counter.windowMs);
      return { counter, count: Number(count ?? 0) };
    }),
  );
  const counts = Object.fromEntries(counters.map(({ counter, count }) => [counter.name, count]));
  const question: Question = { ...asked, counts };
  const decision = rules.decide(question);
  const looks = rules.look(question);
  const holding = new Map(rules.limitsOf(question).map((limit) => [limit.id, limit]));
  const limits = await Promise.all(
    looks.limits.map(async (look): Promise<ExplainedLimit> => {
      const limit = holding.get(look.id);
      if (!limit) return { look };
      const use = await inWindow(limitField(limit), limit.windowMs);
      const [used = 0, held = 0] = (use ?? "0,0").split(",").map(Number);
      const takes = amountOf(limit, question);
      // A step that costs nothing takes nothing of a budget, and needs none.
      const isExceeded = takes > 0 && used + held + takes > limit.most;
      return { look, use: { ...{ limit, used, held, takes, isExceeded } } };
    }),
  );
  return {
    ...{ version, decision, counters, limits },
    effect: withLimits(decision.effect, limits),
    rules: looks.rules,
  };
}

/** What a step takes of a limit: calls, or millionths of its estimated cost. */
export function amountOf({ of }: Pick<Limit, "of">, { context }: Pick<Question, "context">): number {
  if (of === "calls") return 1;
  const { cost } = context;
  return typeof cost === "number" && cost > 0 ? estimatedMillionths(cost) : 0;
}

function withLimits(effect: Effect, limits: readonly ExplainedLimit[]): Effect {
  const said = limits.flatMap(({ use }) =>
    use?.isExceeded && !use.limit.shadow ? [use.limit.effect as Effect] : [],
  );
  return effects[Math.max(...[effect, ...said].map((one) => effects.indexOf(one)))]!;
}

async function countOf(
  store: Store,
  namespace: string,
  field: string,
  nowMs: number,
  windowMs: number,
): Promise<string | undefined> {
  const { key } = windowAt(field, windowMs, nowMs);
  const found = await store.command("HGET", policyKeys(namespace).counts, key);
  return (found as string | null) ?? undefined;
}
