import { isDeepStrictEqual } from "node:util";

import type { RuleParts } from "./rule-parts.js";

export type PartKind = "setting" | "word" | "counter" | "limit" | "rule";

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
 * What a second rule set changes, by setting, word, counter, limit and rule. How it is written, in which order and with
 * which comments, is no change: rules are ordered by their priority.
 */
export function diffRules(before: RuleParts, after: RuleParts): readonly RuleChange[] {
  return kinds.flatMap(([section, kind]) => {
    const names = new Set([...before[section].keys(), ...after[section].keys()]);
    return [...names].flatMap((name): readonly RuleChange[] => {
      const [old, now] = [before[section].get(name), after[section].get(name)];
      const fields = changedFields(old ?? {}, now ?? {});
      if (!old) return [{ kind, name, change: "added", fields }];
      if (!now) return [{ kind, name, change: "removed", fields }];
      return fields.length === 0 ? [] : [{ kind, name, change: "changed", fields }];
    });
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
