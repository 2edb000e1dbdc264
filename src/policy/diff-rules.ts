import { isDeepStrictEqual } from "node:util";

import type { RuleParts } from "./rule-parts.js";

export type PartKind = "setting" | "word" | "counter" | "limit" | "rule" | "order";

/** One part that two rule sets do not say alike. */
export interface RuleChange {
  readonly kind: PartKind;
  readonly name: string;
  readonly change: "added" | "removed" | "changed";
  /** What is said of it otherwise; of what was added or removed, all that is said of it. */
  readonly fields: readonly FieldChange[];
}

export interface FieldChange {
  readonly field: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

const kinds: readonly (readonly [Exclude<keyof RuleParts, "tests">, PartKind])[] = [
  ["settings", "setting"],
  ["vocabulary", "word"],
  ["counters", "counter"],
  ["limits", "limit"],
  ["rules", "rule"],
];

/**
 * What a second rule set changes, by setting, word, counter, limit and rule, and in the order in which rules of the same
 * priority lead an answer. How it is written, and with which comments, is no change.
 */
export function diffRules(before: RuleParts, after: RuleParts): readonly RuleChange[] {
  const changes = kinds.flatMap(([section, kind]) => {
    const names = new Set([...before[section].keys(), ...after[section].keys()]);
    return [...names].flatMap((name): readonly RuleChange[] => {
      const [old, now] = [before[section].get(name), after[section].get(name)];
      const fields = changedFields(old ?? {}, now ?? {});
      if (!old) return [{ kind, name, change: "added", fields }];
      if (!now) return [{ kind, name, change: "removed", fields }];
      return fields.length === 0 ? [] : [{ kind, name, change: "changed", fields }];
    });
  });
  return [...changes, ...changedOrder(before.rules, after.rules)];
}

/** Of rules that are in both with the same priority: where one has come to lead another. */
function changedOrder(before: RuleParts["rules"], after: RuleParts["rules"]): readonly RuleChange[] {
  const priorities = new Map<unknown, string[]>();
  for (const [id, { priority }] of before)
    if (after.get(id)?.priority === priority)
      priorities.set(priority, [...(priorities.get(priority) ?? []), id]);
  return [...priorities].flatMap(([priority, ids]): readonly RuleChange[] => {
    const now = [...after.keys()].filter((id) => ids.includes(id));
    const first = ids.findIndex((id, n) => id !== now[n]);
    if (first < 0) return [];
    const end = ids.findLastIndex((id, n) => id !== now[n]) + 1;
    const fields = [{ field: "rules", before: ids.slice(first, end), after: now.slice(first, end) }];
    return [{ kind: "order", name: `of priority ${priority}`, change: "changed", fields }];
  });
}

function changedFields(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): readonly FieldChange[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].flatMap((field): readonly FieldChange[] => {
    const [old, now] = [before[field], after[field]];
    if (isDeepStrictEqual(old, now)) return [];
    return [
      {
        field,
        ...(old === undefined ? {} : { before: old }),
        ...(now === undefined ? {} : { after: now }),
      },
    ];
  });
}
