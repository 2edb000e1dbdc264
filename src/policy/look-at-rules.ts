import type { Speaking } from "./decide.js";
import type { Effect } from "./decision.js";
import type { Given } from "./given.js";
import { holdsOfAny } from "./holds-of-any.js";
import type { LimitRule } from "./limit-rule.js";
import { type Rule, speaksOf, tryRule } from "./rule.js";
import { Undecidable } from "./undecidable.js";
import { Work } from "./work.js";

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

/** Asks each as a decision does, and with the same bound on what all of them may cost. */
export function lookAt(
  { all, restricting, allowing, shadow }: Speaking,
  limits: readonly LimitRule[],
  given: Given,
  work: Work,
): Looks {
  const looks = new Map<Rule, Look>();
  work.begin();
  for (const rule of [...restricting, ...allowing]) looks.set(rule, lookAtRule(rule, given, work));
  work.begin();
  for (const rule of shadow) looks.set(rule, lookAtRule(rule, given, work));
  work.begin();
  return {
    rules: all.map((rule) => looks.get(rule)!),
    limits: limits.map((limit) => lookAtLimit(limit, given, work)),
  };
}

function lookAtRule(rule: Rule, given: Given, work: Work): Look {
  const { id, effect, shadow, condition } = rule;
  const outcome = tryRule(rule, given, work);
  if (outcome?.failure) {
    const because = failed(outcome.failure);
    if (effect === "allow") return { id, effect, shadow, holds: false, because };
    return { id, effect: outcome.effect, shadow, holds: true, because };
  }
  if (outcome?.partly) {
    const because = "it means some of what is asked about, or may, and not all";
    return { id, effect: outcome.effect, shadow, holds: true, because };
  }
  const holds = outcome !== undefined;
  if (!holds && !isOfResource(rule, given))
    return { id, effect, shadow, holds, because: "it speaks of other resources" };
  const because = condition ? `its condition is ${holds}: ${condition.source}` : "it has no condition";
  return { id, effect, shadow, holds, because };
}

/** Asked once more, at no cost of what is looked at after it. */
function isOfResource({ resources }: Rule, given: Given): boolean {
  const own = new Work();
  own.begin();
  return resources === undefined || speaksOf(resources, given, own) !== false;
}

/** A limit that cannot be decided holds. */
function lookAtLimit({ entry, condition }: LimitRule, given: Given, work: Work): Look {
  const { id, effect, shadow } = entry;
  if (!condition) return { id, effect, shadow, holds: true, because: "it has no condition" };
  try {
    const holds = holdsOfAny(condition, given, false, work);
    return { id, effect, shadow, holds, because: `its condition is ${holds}: ${condition.source}` };
  } catch (error) {
    if (error instanceof Undecidable) return { id, effect, shadow, holds: true, because: failed(error) };
    throw error;
  }
}

function failed({ why }: Undecidable): string {
  return `it could not be decided: ${why}`;
}
