import { type Effect, effects } from "./decision.js";
import type { DecisionRecord } from "./decision-record.js";

/** What rules and limits said, before a person agreed: `require_approval` also where it was allowed then. */
export function saidWithout({ effect, approval }: DecisionRecord): Effect {
  return approval === undefined ? effect : "require_approval";
}

/** What would have been said if the rules and limits that are only tried out had decided with the others. */
export function saidWithShadow(record: DecisionRecord): Effect {
  const { rules, limits, shadow = [], shadowLimits = [], known = true } = record;
  // Where no rule held, the first that does decides, and not what holds without any.
  const isFirst = rules.length === 0 && limits.length === 0 && known && shadow.length > 0;
  const said = [...shadow, ...shadowLimits].map(({ effect }) => effect);
  if (!isFirst) said.push(saidWithout(record));
  return effects[Math.max(...said.map((effect) => effects.indexOf(effect)))]!;
}
