import type { CountedBy } from "./counters-for.js";
import { type Fallback, type Speaking, speaking } from "./decide.js";
import type { Effect } from "./decision.js";
import type { LimitRule } from "./limit-rule.js";
import type { KnownActions } from "./nearest-actions.js";
import type { Rule } from "./rule.js";
import type { ByAction } from "./scope.js";

/** What a rule set says of one action, whoever asks and whatever of. */
export interface AboutAction {
  readonly speaking: Speaking;
  readonly limits: readonly LimitRule[];
  /** Counters that count the action. */
  readonly counting: readonly CountedBy[];
  /** Those, and the ones whose numbers its rules ask for. */
  readonly wanted: readonly CountedBy[];
  readonly fallback: Fallback;
}

interface Indexes {
  readonly rules: ByAction<Rule>;
  readonly limits: ByAction<LimitRule>;
  readonly counters: ByAction<CountedBy>;
  readonly byName: ReadonlyMap<string, CountedBy>;
  /** Actions that are known by name, our own among them. */
  readonly named: ReadonlySet<string>;
  readonly known: KnownActions;
  readonly otherwise: Effect;
  readonly unknown: Effect;
}

/**
 * Names of actions come from callers: what is remembered of them is bounded, with the rules that speak of each, and the
 * rest costs a little more.
 */
const maxRemembered = 50_000;

/** Finds what is said of an action, and remembers it. */
export function aboutActions(indexes: Indexes): (action: string) => AboutAction {
  const remembered = new Map<string, AboutAction>();
  let size = 0;
  return (action) => {
    let about = remembered.get(action);
    if (!about) {
      about = lookUp(action, indexes);
      size += 20 + about.speaking.all.length;
      if (size > maxRemembered) {
        remembered.clear();
        size = 0;
      }
      remembered.set(action, about);
    }
    return about;
  };
}

function lookUp(action: string, indexes: Indexes): AboutAction {
  const rules = indexes.rules.of(action);
  const counting = indexes.counters.of(action);
  const asked = rules.flatMap(({ condition }) => [...(condition?.counters ?? [])]);
  const wanted = new Set([...counting, ...asked.map((name) => indexes.byName.get(name)!)]);
  return {
    speaking: speaking(rules),
    limits: indexes.limits.of(action),
    counting,
    wanted: [...wanted].sort((one, other) => one.position - other.position),
    fallback: fallbackOf(action, indexes),
  };
}

/** An action that is near to a known one is not decided at all: whoever asks should say which they mean. */
function fallbackOf(action: string, indexes: Indexes): Fallback {
  const { rules, limits, counters, named, known, otherwise, unknown } = indexes;
  if (named.has(action) || rules.knows(action) || limits.knows(action) || counters.knows(action))
    return { effect: otherwise, known: true, nearest: [] };
  const nearest = known.nearest(action);
  return { effect: nearest.length > 0 ? "deny" : unknown, known: false, nearest };
}
