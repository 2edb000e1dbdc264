import { diffRules, type FieldChange, firstVersion, loadCompiler, type RuleChange } from "../policy/index.js";
import { NotThere } from "./not-there.js";
import { onOneLine, plural, printJson, printLine } from "./print.js";
import { rulesFile } from "./rules-file.js";
import { UsageError } from "./usage-error.js";
import { asOperator, lookInto, type Switches } from "./with-house.js";

/**
 * Says what a rule set changes of another: the second of the first, or a single one of what is in force. Each is a file, `-`
 * or the number of a version.
 */
export async function diffRuleSets(a: string, b: string | undefined, switches: Switches): Promise<void> {
  if (a === "-" && b === "-")
    throw new UsageError("standard input is read once: name a file or a version beside it");
  const [before, after] = b === undefined ? [undefined, a] : [a, b];
  const [from, to] = await textsOf([before, after], switches);
  const { ruleParts } = await loadCompiler();
  const changes = diffRules(ruleParts(from!), ruleParts(to!));
  if (switches.json) return printJson({ changes });
  if (changes.length === 0) return printLine("They decide alike.");
  for (const change of changes) for (const line of inWords(change)) printLine(line);
  printLine(`\n${plural(changes.length, "change")}.`);
}

/** Each text by its name; undefined names what is in force. A store is opened only where a version is named. */
async function textsOf(
  names: readonly (string | undefined)[],
  switches: Switches,
): Promise<readonly string[]> {
  // Files first: a slip of the keyboard should cost nothing.
  const texts = new Map<string | undefined, string>();
  for (const name of names)
    if (name !== undefined && versionOf(name) === undefined) texts.set(name, await rulesFile(name));
  const versions = names.filter((name) => !texts.has(name));
  if (versions.length > 0)
    for (const [name, text] of await storedTexts(versions, switches)) texts.set(name, text);
  return names.map((name) => texts.get(name)!);
}

async function storedTexts(
  names: readonly (string | undefined)[],
  switches: Switches,
): Promise<readonly (readonly [string | undefined, string])[]> {
  const asked = names.map((name) => [name, versionOf(name)] as const);
  const found = await lookInto(switches, undefined, (house) =>
    asOperator(house, "admin.policy", "*", async (caller) => {
      const texts: [string | undefined, string][] = [];
      for (const [name, version] of asked)
        texts.push([name, (await house.ruleBook.read(caller, version)).text]);
      return texts;
    }),
  );
  if (found) return found;
  return asked.map(([name, version]) => {
    if (version) throw new NotThere(`there is no version ${version}: no rules were ever put`);
    return [name, firstVersion.text];
  });
}

/** A file that has a number for its name is ./7. */
function versionOf(name: string | undefined): number | undefined {
  return name !== undefined && /^\d{1,15}$/.test(name) ? Number(name) : undefined;
}

const marks = { added: "+", removed: "-", changed: "~" } as const;

function inWords({ kind, name, change, fields }: RuleChange): readonly string[] {
  const head = `${marks[change]} ${kind} ${name}`;
  return [head, ...fields.map((field) => `    ${fieldInWords(field, change)}`)];
}

function fieldInWords({ field, before, after }: FieldChange, change: RuleChange["change"]): string {
  if (change === "added") return `${field}: ${shown(after)}`;
  if (change === "removed") return `${field}: ${shown(before)}`;
  return `${field}: ${shown(before)} -> ${shown(after)}`;
}

function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  return onOneLine(typeof value === "string" ? value : JSON.stringify(value), 200);
}
