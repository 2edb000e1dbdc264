import { compileRules } from "./compile-rules.js";
import type { Effect } from "./decision.js";
import type { Question } from "./question.js";
import { readRuleSet, type TestEntry } from "./rule-set.js";

/** When a test asks that does not say when: a Wednesday at noon, so that it says the same on every day. */
const testedAtMs = Date.UTC(2026, 0, 14, 12);

/** What one test of a rule set expects, and what the rules say. */
export interface TestOutcome {
  /** From 1, in the order of the file. */
  readonly number: number;
  readonly line: number;
  readonly action: string;
  readonly resource: string;
  readonly agent: string;
  readonly expected: Effect;
  readonly decided: Effect;
  /** Undefined where the test does not say by which. */
  readonly expectedRules: readonly string[] | undefined;
  readonly rules: readonly string[];
  readonly passed: boolean;
}

/**
 * Runs the tests that a rule set brings along. A test names the rules that have to decide, all of them and no others, or
 * leaves open which. Limits take no part: what they say depends on what was used.
 *
 * @throws {MailboxError} `policy.invalid`
 */
export function testRules(text: string): readonly TestOutcome[] {
  const compiled = compileRules(text);
  const { set, document } = readRuleSet(text);
  return set.tests.map((test, n): TestOutcome => {
    const question = questionOf(test);
    const { effect, rules: deciding } = compiled.decide(question);
    const rules = deciding.map(({ id }) => id);
    return {
      number: n + 1,
      line: document.lineOf(["tests", n]),
      action: question.action,
      resource: question.resource,
      agent: question.agent.name,
      expected: test.expect,
      decided: effect,
      expectedRules: test.rules,
      rules,
      passed: effect === test.expect && (test.rules === undefined || isSame(test.rules, rules)),
    };
  });
}

function questionOf({ agent, action, resource, context, counts, reads, now }: TestEntry): Question {
  return {
    agent: {
      name: agent?.name ?? "somebody",
      role: agent?.role ?? "",
      roles: agent?.roles ?? ["agent"],
      team: agent?.team ?? "",
      labels: agent?.labels ?? {},
      verified: agent?.verified ?? true,
    },
    action,
    resource: resource ?? "",
    context: context ?? {},
    counts: counts ?? {},
    reads: { unverified: reads?.unverified ?? [], foreign: reads?.foreign ?? [] },
    nowMs: now === undefined ? testedAtMs : Date.parse(now),
  };
}

function isSame(expected: readonly string[], rules: readonly string[]): boolean {
  return new Set(expected).size === new Set(rules).size && expected.every((id) => rules.includes(id));
}
