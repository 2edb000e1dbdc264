import { compileRules } from "./compile-rules.js";
import type { Effect } from "./decision.js";
import type { RuleTest } from "./rule-test.js";

/** What one test of a rule set expects, and what the rules say. */
export interface TestOutcome {
  readonly test: RuleTest;
  readonly effect: Effect;
  /** The rules that decided, in their order. */
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
  return compiled.tests.map((test): TestOutcome => {
    const { effect, rules: deciding } = compiled.decide(test.question);
    const rules = deciding.map(({ id }) => id);
    return {
      test,
      effect,
      rules,
      passed: effect === test.expect && (test.rules === undefined || isSame(test.rules, rules)),
    };
  });
}

function isSame(expected: readonly string[], rules: readonly string[]): boolean {
  return expected.length === rules.length && expected.every((id, n) => id === rules[n]);
}
