import { visible } from "../addresses/index.js";
import { onRecord } from "../agents/index.js";
import type { House } from "../compose.js";
import { readConfig } from "../config/index.js";
import { isRefusal } from "../errors/index.js";
import { type Advice, type AgentsOnRecord, loadCompiler } from "../policy/index.js";
import { EngineError } from "../redis/engine/index.js";
import { terminal } from "./terminal.js";
import { holdsStore, recordLook, type Switches, settingsOf, withHouseOf } from "./with-house.js";

/** Tells on standard error what in a rule set takes no effect; it refuses nothing. */
export function printWarnings(advice: readonly Advice[]): void {
  for (const { line, about, text } of advice)
    terminal().stderr.write(`warning: line ${line}, ${about}: ${visible(text)}.\n`);
}

/**
 * What takes no effect, and which tests of its own a rule set fails.
 *
 * @param there what is recorded of agents; without it nothing is said that depends on who is there
 */
export async function ruleWarnings(text: string, there?: AgentsOnRecord): Promise<readonly Advice[]> {
  const { adviseRules } = await loadCompiler();
  const advice = [...adviseRules(text, Date.now(), there), ...(await failedTests(text))];
  return advice.sort((one, other) => one.line - other.line);
}

/** The tests that a rule set brings along and fails. */
export async function failedTests(text: string): Promise<readonly Advice[]> {
  const { testRules } = await loadCompiler();
  return testRules(text).flatMap(({ test, effect, rules, passed }, n) =>
    passed
      ? []
      : {
          line: test.line,
          about: `test ${n + 1}`,
          text: `it fails: it expects ${test.expect}${by(test.rules)}, and ${effect}${by(rules)} is decided; correct it, or the rules`,
        },
  );
}

function by(rules: readonly string[] | undefined): string {
  if (rules === undefined) return "";
  return rules.length === 0 ? " by no rule" : ` by ${rules.join(", ")}`;
}

/** What is recorded where there is a store that answers; undefined for one that does not, and where there is none yet. */
export async function recordIfThere(switches: Switches): Promise<AgentsOnRecord | undefined> {
  const config = readConfig(terminal().env, settingsOf(switches));
  if (!holdsStore(config)) return undefined;
  try {
    return await withHouseOf(config, async (house) => {
      await recordLook(house, "admin.agents", "*");
      return recordOf(house);
    });
  } catch (error) {
    if (isAway(error)) return undefined;
    throw error;
  }
}

export async function recordOf(house: House): Promise<AgentsOnRecord> {
  return onRecord(await house.access.rules(house.config.namespace));
}

function isAway(error: unknown): boolean {
  if (isRefusal(error)) return error.code.startsWith("store.");
  return error instanceof EngineError;
}
