import { nearest } from "../addresses/index.js";
import type { RuleSet } from "./rule-set.js";

/** What `remove` names and nothing in the profile is called; its place in the list. */
export interface NotThere {
  readonly at: number;
  readonly problem: string;
}

/**
 * Puts the rules of a profile before those of a rule set. An entry of the same id takes the place of the profile's, and
 * `remove` takes entries out; other words for actions are added to those of the profile.
 */
export function mergeProfile(profile: RuleSet, own: RuleSet): RuleSet | NotThere {
  const ids = [...profile.rules, ...profile.limits].map(({ id }) => id).concat(Object.keys(profile.counters));
  const at = own.remove.findIndex((id) => !ids.includes(id));
  if (at >= 0) {
    const meant = nearest(own.remove[at]!, ids);
    return {
      at,
      problem: `the profile has no "${own.remove[at]}"${meant ? `; the nearest is "${meant}"` : ""}`,
    };
  }
  const removed = new Set(own.remove);
  const kept = ({ id }: { readonly id: string }): boolean => !removed.has(id);
  const vocabulary = new Map(Object.entries(profile.vocabulary));
  for (const [action, others] of Object.entries(own.vocabulary))
    vocabulary.set(action, [...(vocabulary.get(action) ?? []), ...others]);
  return {
    ...own,
    otherwise: own.otherwise ?? profile.otherwise,
    unknown: own.unknown ?? profile.unknown,
    vocabulary: Object.fromEntries(vocabulary),
    counters: {
      ...Object.fromEntries(Object.entries(profile.counters).filter(([name]) => !removed.has(name))),
      ...own.counters,
    },
    limits: replacing(profile.limits.filter(kept), own.limits),
    rules: replacing(profile.rules.filter(kept), own.rules),
  };
}

function replacing<Entry extends { readonly id: string }>(
  before: readonly Entry[],
  own: readonly Entry[],
): Entry[] {
  const byId = new Map(own.map((entry) => [entry.id, entry]));
  const there = new Set(before.map(({ id }) => id));
  return [...before.map((entry) => byId.get(entry.id) ?? entry), ...own.filter(({ id }) => !there.has(id))];
}
