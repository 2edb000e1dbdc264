import { loadCompiler, type TestOutcome } from "../policy/index.js";
import { onOneLine, plural, printJson, printLine } from "./print.js";
import { rulesFile } from "./rules-file.js";
import type { Switches } from "./switches.js";
import { endWith } from "./terminal.js";

/** Runs the tests of a rule set; ends with status 1 when one fails. */
export async function testRules(path: string, switches: Switches): Promise<void> {
  const { testRules: runTests } = await loadCompiler();
  const outcomes = runTests(await rulesFile(path));
  const failed = outcomes.filter(({ passed }) => !passed).length;
  const passed = outcomes.length - failed;
  if (failed > 0) endWith(1);
  if (switches.json) return printJson({ passed, failed, tests: outcomes.map(asJson) });
  if (outcomes.length === 0)
    return printLine("No tests: write some under tests:, each with an action and what it expects.");
  for (const [n, outcome] of outcomes.entries())
    if (!outcome.passed) for (const line of inWords(outcome, n + 1)) printLine(line);
  printLine(
    failed === 0
      ? `${plural(passed, "test")} passed.`
      : `${failed} of ${plural(outcomes.length, "test")} failed.`,
  );
}

function inWords({ test, effect, rules }: TestOutcome, number: number): readonly string[] {
  const { agent, action, resource } = test.question;
  const asked = onOneLine(`${agent.name} ${action} ${resource}`, 100);
  return [
    `test ${number} (line ${test.line}): ${asked}`,
    `  expected ${test.expect}${test.rules ? by(test.rules) : ""}`,
    `  decided  ${effect}${by(rules)}`,
  ];
}

function by(rules: readonly string[]): string {
  return rules.length === 0 ? " by no rule" : ` by ${rules.join(", ")}`;
}

function asJson({ test, effect, rules, passed }: TestOutcome): object {
  const { agent, action, resource } = test.question;
  return {
    ...{ line: test.line, passed, agent: agent.name, action, resource },
    expected: { effect: test.expect, rules: test.rules ?? null },
    decided: { effect, rules },
  };
}
