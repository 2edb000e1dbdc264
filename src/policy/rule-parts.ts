import { compileRules, wholeSet } from "./compile-rules.js";
import { lengthOfTime } from "./length-of-time.js";
import { type RuleSet, readRuleSet } from "./rule-set.js";
import { atOnce } from "./steps.js";

/** What a rule set comes to, its profile included: each part by its name, and what is said of it field by field. */
export interface RuleParts {
  readonly settings: Parts;
  readonly vocabulary: Parts;
  readonly counters: Parts;
  readonly limits: Parts;
  readonly rules: Parts;
  /** How many it brings along. */
  readonly tests: number;
}

export type Parts = ReadonlyMap<string, Readonly<Record<string, unknown>>>;

/** @throws {MailboxError} `policy.invalid` */
export function ruleParts(text: string): RuleParts {
  // Whatever is no rule set is refused as it is when it is put.
  const { tests } = compileRules(text);
  const set = atOnce(wholeSet(atOnce(readRuleSet(text))));
  return {
    settings: settingsOf(set),
    vocabulary: new Map(
      Object.entries(set.vocabulary).map(([action, words]) => [action, { words }] as const),
    ),
    counters: new Map(
      Object.entries(set.counters).map(([name, counter]) => [name, written(counter)] as const),
    ),
    limits: byId(set.limits),
    rules: byId(set.rules),
    tests: tests.length,
  };
}

/** As they hold where the rule set says nothing of them, see `compileRules`. */
function settingsOf({ otherwise = "allow", unknown = "require_approval" }: RuleSet): Parts {
  return new Map([
    ["otherwise", { value: otherwise }],
    ["unknown", { value: unknown }],
  ]);
}

function byId(entries: readonly { readonly id: string }[]): Parts {
  return new Map(entries.map(({ id, ...said }) => [id, written(said)] as const));
}

const lengthsOfTime: ReadonlySet<string> = new Set(["window", "expires", "after"]);

/** Fields as their author writes them; what is not said is left out. */
function written(entry: object): Readonly<Record<string, unknown>> {
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(entry)) {
    if (value === undefined) continue;
    if (lengthsOfTime.has(name)) fields[name] = lengthOfTime(value as number);
    else if (typeof value === "object" && value !== null && !Array.isArray(value))
      fields[name] = written(value);
    else fields[name] = value;
  }
  return fields;
}
