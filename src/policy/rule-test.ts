import type { Effect } from "./decision.js";
import type { Question } from "./question.js";
import type { TestEntry } from "./rule-set.js";

/** A question with the answer that the author of a rule set expects. */
export interface RuleTest {
  readonly line: number;
  readonly question: Question;
  readonly expect: Effect;
  /** Ids of the rules that should decide, in their order; undefined where the author does not say. */
  readonly rules: readonly string[] | undefined;
}

export function ruleTests(entries: readonly TestEntry[], lineOf: (n: number) => number): readonly RuleTest[] {
  return entries.map((entry, n) => ({
    line: lineOf(n),
    expect: entry.expect,
    rules: entry.rules,
    question: {
      agent: {
        name: entry.agent?.name ?? "agent",
        role: entry.agent?.role ?? "",
        roles: entry.agent?.roles ?? ["agent"],
        team: entry.agent?.team ?? "",
        labels: entry.agent?.labels ?? {},
        verified: entry.agent?.verified ?? true,
      },
      action: entry.action,
      resource: entry.resource ?? "",
      context: entry.context ?? {},
      counts: entry.counts ?? {},
      reads: { unverified: entry.reads?.unverified ?? [], foreign: entry.reads?.foreign ?? [] },
      nowMs: entry.now === undefined ? Date.now() : Date.parse(entry.now),
    },
  }));
}
