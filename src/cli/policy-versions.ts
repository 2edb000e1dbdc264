import { visible } from "../addresses/index.js";
import {
  type Advice,
  firstVersion,
  loadCompiler,
  type PutRules,
  type RulesVersion,
} from "../policy/index.js";
import { NotThere } from "./not-there.js";
import { ago, plural, printJson, printLine, printTable } from "./print.js";
import { failedTests, printWarnings, recordOf, ruleWarnings } from "./rule-warnings.js";
import { rulesFile } from "./rules-file.js";
import { endWith, terminal } from "./terminal.js";
import { asOperator, lookInto, type Switches, withHouse } from "./with-house.js";

/** What a command that puts rules into force understands. */
export interface PutSwitches extends Switches {
  readonly note?: string;
  /** The version the rules were made from; without it, the one in force when the command begins. */
  readonly over?: number;
}

export interface PutFileSwitches extends PutSwitches {
  /** Although tests fail that it brings along. */
  readonly force?: boolean;
}

/**
 * Puts the rules of a file into force, unless a test fails that they bring along, or somebody else has put other ones
 * meanwhile.
 */
export async function putRules(path: string, switches: PutFileSwitches): Promise<void> {
  // Read before a store is opened or started: a slip of the keyboard should cost nothing.
  const text = await rulesFile(path);
  const { tests } = (await loadCompiler()).compileRules(text);
  const failed = switches.force ? [] : await failedTests(text);
  if (failed.length > 0) return tellRefused(failed, tests.length, switches);
  const { put, warnings } = await withHouse(switches, (house) =>
    asOperator(house, "admin.policy", "*", async (caller) => ({
      put: await house.ruleBook.put(caller, {
        text,
        over: switches.over ?? (await house.ruleBook.newest(house.config.namespace)),
        ...(switches.note === undefined ? {} : { note: switches.note }),
      }),
      warnings: await ruleWarnings(text, await recordOf(house)),
    })),
  );
  tell(put, switches, "", warnings);
}

function tellRefused(failed: readonly Advice[], tests: number, { json }: Switches): void {
  endWith(1);
  if (json) {
    printJson({ state: "refused", warnings: failed });
    return;
  }
  printWarnings(failed);
  terminal().stderr.write(
    `llm-mailbox: ${failed.length} of ${plural(tests, "test")} failed, so nothing was put; --force puts it all the same.\n`,
  );
}

/** Puts what an earlier version said into force again, as a version of its own. */
export async function rollbackRules(version: number, switches: PutSwitches): Promise<void> {
  const put = await withHouse(switches, (house) =>
    asOperator(house, "admin.policy", "*", async (caller) =>
      house.ruleBook.rollback(caller, version, {
        over: switches.over ?? (await house.ruleBook.newest(house.config.namespace)),
        ...(switches.note === undefined ? {} : { note: switches.note }),
      }),
    ),
  );
  tell(put, switches, ` It says what version ${version} said.`);
}

function tell(
  { state, version }: PutRules,
  { json }: Switches,
  more: string,
  warnings: readonly Advice[] = [],
): void {
  if (!json) printWarnings(warnings);
  if (json) printJson({ version, state, ...(warnings.length === 0 ? {} : { warnings }) });
  else if (state === "same") printLine(`Version ${version}, which is in force, says exactly this already.`);
  else printLine(`Version ${version} is in force everywhere within a second.${more}`);
}

/** Shows the text of one version, or of the one in force, as it was put. */
export async function showRules(version: number | undefined, switches: Switches): Promise<void> {
  const found = await lookInto(switches, version ? undefined : firstVersion, (house) =>
    asOperator(house, "admin.policy", "*", (caller) => house.ruleBook.read(caller, version)),
  );
  if (!found) throw new NotThere("no rules were ever put");
  if (switches.json) return printJson({ ...asJson(found), text: found.text });
  terminal().stdout.write(visible(found.text, "\n\t"));
}

/** Lists the versions that are kept, the newest first. */
export async function rulesHistory(switches: Switches): Promise<void> {
  const nothing = { versions: [] as readonly RulesVersion[], now: Date.now() };
  const { versions, now } = await lookInto(switches, nothing, (house) =>
    asOperator(house, "admin.policy", "*", async (caller) => ({
      versions: await house.ruleBook.history(caller),
      now: house.store.now(),
    })),
  );
  if (switches.json) return printJson(versions.map(asJson));
  if (versions.length === 0)
    return printLine(
      "No rules were ever put: the profile standard holds. llm-mailbox policy put FILE puts some.",
    );
  printTable(versions, [
    { head: "VERSION", cell: ({ version }) => version, right: true },
    { head: "BY", cell: ({ by }) => by },
    { head: "WHEN", cell: ({ at }) => ago(at, now) },
    { head: "OVER", cell: ({ over }) => over, right: true },
    { head: "BYTES", cell: ({ bytes }) => bytes, right: true },
    { head: "NOTE", cell: noteOf },
  ]);
}

function noteOf({ note, rollbackTo }: RulesVersion): string {
  const again = rollbackTo === undefined ? "" : `as version ${rollbackTo}`;
  return [again, note ?? ""].filter((part) => part !== "").join("; ");
}

function asJson({ version, at, by, over, bytes, note, rollbackTo }: RulesVersion): object {
  return {
    version,
    at: version === 0 ? null : new Date(at).toISOString(),
    by: version === 0 ? null : by,
    ...(version === 0 ? {} : { over }),
    bytes,
    note: note ?? null,
    ...(rollbackTo === undefined ? {} : { rollback_to: rollbackTo }),
  };
}
