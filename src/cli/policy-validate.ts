import { isRefusal } from "../errors/index.js";
import { loadCompiler, type RuleParts } from "../policy/index.js";
import { plural, printJson, printLine } from "./print.js";
import { printWarnings, recordIfThere, ruleWarnings } from "./rule-warnings.js";
import { rulesFile } from "./rules-file.js";
import type { Switches } from "./switches.js";
import { endWith } from "./terminal.js";

export interface ValidateSwitches extends Switches {
  /** Leaves out what depends on which agents there are. */
  readonly offline?: boolean;
}

/**
 * Checks a rule set as it is checked when it is put; ends with status 1 when it is none. What is one and yet says something
 * in vain is told on standard error.
 */
export async function validateRules(path: string, switches: ValidateSwitches): Promise<void> {
  const text = await rulesFile(path);
  const parts = await read(text, switches);
  if (!parts) return;
  const warnings = await ruleWarnings(text, switches.offline ? undefined : await recordIfThere(switches));
  const { rules, limits, counters, tests } = parts;
  if (switches.json)
    return printJson({
      valid: true,
      rules: rules.size,
      limits: limits.size,
      counters: counters.size,
      tests,
      warnings,
    });
  printWarnings(warnings);
  const counts = [
    plural(rules.size, "rule"),
    plural(limits.size, "limit"),
    plural(counters.size, "counter"),
  ].join(", ");
  printLine(
    `${path === "-" ? "It" : path} is valid: ${counts} and ${tests === 0 ? "no tests" : plural(tests, "test")}.`,
  );
}

async function read(text: string, { json }: Switches): Promise<RuleParts | undefined> {
  const { ruleParts } = await loadCompiler();
  try {
    return ruleParts(text);
  } catch (error) {
    if (!json || !isRefusal(error, "policy.invalid")) throw error;
    const { line, problem } = error.facts;
    printJson({ valid: false, line, problem });
    endWith(1);
    return undefined;
  }
}
