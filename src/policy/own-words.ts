import type { z } from "zod";

const kinds: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  tuple: "a list",
  object: "fields with values",
  record: "fields with values",
};

const fraction = "one with a fraction";

/** What the format wants where a rule set has something else, for what has no words of its own. */
export function ownWords(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type": {
      const wanted = kinds[issue.expected];
      if (wanted === undefined) return undefined;
      const given = kindOf(issue.input);
      return `${wanted} stands here, not ${given === "a number" ? fraction : given}`;
    }
    case "invalid_value":
      return `it is ${listed(issue.values.map(String))}`;
    case "too_small":
      return `it is at least ${bound(issue.minimum, issue.origin)}`;
    case "too_big":
      return `it is at most ${bound(issue.maximum, issue.origin)}`;
    case "invalid_format":
      return "it is not written as it should be";
    case "not_multiple_of":
      return `a whole number stands here, not ${fraction}`;
    default:
      return undefined;
  }
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  return kinds[typeof value] ?? "this";
}

function bound(number: number | bigint, origin: string): string {
  const counted: Readonly<Record<string, string>> = { string: " characters long", array: " long" };
  return `${number.toLocaleString("en")}${counted[origin] ?? ""}`;
}

function listed(values: readonly string[]): string {
  const last = values.at(-1) ?? "";
  return values.length < 2 ? last : `${values.slice(0, -1).join(", ")} or ${last}`;
}
