import { type TestOutcome, testRules as runTests } from "../policy/index.js";
import { onOneLine, plural, printJson, printLine } from "./print.js";
import { rulesFile } from "./rules-file.js";
import type { Switches } from "./switches.js";

/** Runs the tests of a rule set; ends with status 1 when one fails. */
export async function testRules(path: string, switches: Switches): Promise<void> {
  const outcomes = runTests(await rulesFile(path));
  const failed = outcomes.filter(({ passed }) => !passed);
  if (failed.length > 0) process.exitCode = 1;
  if (switches.json)
    return printJson({
      passed: outcomes.length - failed.length,
      failed: failed.length,
      tests: outcomes.map(asJson),
    });
  if (outcomes.length === 0)
    return printLine("No tests: list some under tests:, each with an action and what it expects.");
  for (const outcome of failed) for (const line of inWords(outcome)) printLine(line);
  const passed = outcomes.length - failed.length;
  printLine(
    failed.length === 0
      ? `${plural(passed, "test")} passed.`
      : `${failed.length} of ${plural(outcomes.length, "test")} failed.`,
  );
}

function inWords(outcome: TestOutcome): readonly string[] {
  const { number, line, action, resource, agent, expected, decided, expectedRules, rules } = outcome;
  const asked = onOneLine(`${agent} ${action}${resource ? ` ${resource}` : ""}`, 100);
  return [
    `test ${number} (line ${line}): ${asked}`,
    `  expected ${expected}${expectedRules ? by(expectedRules) : ""}`,
    `  decided  ${decided}${by(rules)}`,
  ];
}

function by(rules: readonly string[]): string {
  return rules.length === 0 ? " by no rule" : ` by ${rules.join(", ")}`;
}

function asJson(outcome: TestOutcome): object {
  const { number, line, action, resource, agent, expected, decided, expectedRules, rules, passed } = outcome;
  return {
    ...{ number, line, passed, agent, action, resource },
    expected: { effect: expected, rules: expectedRules ?? null },
    decided: { effect: decided, rules },
  };
}
