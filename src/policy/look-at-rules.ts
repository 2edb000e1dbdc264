import { speaking } from "./decide.js";
import type { Effect } from "./decision.js";
import type { Given } from "./given.js";
import type { LimitRule } from "./limit-rule.js";
import { type Rule, speaksOf } from "./rule.js";
import { Undecidable, type Work } from "./work.js";

/** What one rule or limit says to a question. */
export interface Look {
  readonly id: string;
  /** What it says where it holds; a restriction that cannot be decided says deny. */
  readonly effect: Effect;
  readonly shadow: boolean;
  readonly holds: boolean;
  /** Why it holds, or why not. */
  readonly because: string;
}

/** What speaks of an action, in the order in which it leads an answer. */
export interface Looks {
  readonly rules: readonly Look[];
  readonly limits: readonly Look[];
}

/** Asks each by itself, and with the same bound on what all of them may cost as a decision has. */
export function lookAt(
  rules: readonly Rule[],
  limits: readonly LimitRule[],
  given: Given,
  work: Work,
): Looks {
  const { restricting, allowing, shadow } = speaking(rules);
  const looks = new Map<Rule, Look>();
  work.begin();
  for (const rule of [...restricting, ...allowing]) looks.set(rule, lookAtRule(rule, given, work));
  work.begin();
  for (const rule of shadow) looks.set(rule, lookAtRule(rule, given, work));
  work.begin();
  return {
    rules: rules.map((rule) => looks.get(rule)!),
    limits: limits.map((limit) => lookAtLimit(limit, given)),
  };
}

function lookAtRule({ id, effect, shadow, resources, condition }: Rule, given: Given, work: Work): Look {
  try {
    if (resources && !speaksOf(resources, given, work))
      return { id, effect, shadow, holds: false, because: "it speaks of other resources" };
    if (!condition) return { id, effect, shadow, holds: true, because: "it has no condition" };
    const holds = condition.holds(given);
    return { id, effect, shadow, holds, because: `its condition is ${holds}: ${condition.source}` };
  } catch (error) {
    if (!(error instanceof Undecidable)) throw error;
    const because = failed(error);
    // As it is decided: a restriction that cannot be decided denies, an allowance does not hold.
    if (effect === "allow") return { id, effect, shadow, holds: false, because };
    return { id, effect: "deny", shadow, holds: true, because };
  }
}

/** A limit that cannot be decided holds. */
function lookAtLimit({ entry, condition }: LimitRule, given: Given): Look {
  const { id, effect, shadow } = entry;
  if (!condition) return { id, effect, shadow, holds: true, because: "it has no condition" };
  try {
    const holds = condition.holds(given);
    return { id, effect, shadow, holds, because: `its condition is ${holds}: ${condition.source}` };
  } catch (error) {
    if (error instanceof Undecidable) return { id, effect, shadow, holds: true, because: failed(error) };
    throw error;
  }
}

function failed({ why }: Undecidable): string {
  return `it could not be decided: ${why}`;
}
