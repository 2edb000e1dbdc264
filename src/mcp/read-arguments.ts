import type { z } from "zod";
import { nearest, visible } from "../addresses/index.js";
import { refuse } from "../errors/index.js";

/**
 * Checks what a model passed. Forgiving where only one reading is possible: `null` for an argument that was left out,
 * a number or a boolean or an object written as a string. Anything else is refused with the argument's name and what
 * to write instead.
 *
 * @throws {MailboxError} `input.invalid`
 */
export function readArguments(
  input: z.ZodObject,
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const known = Object.keys(input.shape);
  const cleaned: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(input.shape, name)) refuseUnknown(name, known);
    if (value !== null) cleaned[name] = value;
  }
  const first = input.safeParse(cleaned);
  if (first.success) return first.data;
  let mended = false;
  for (const issue of first.error.issues) {
    const name = issue.path[0];
    if (issue.path.length !== 1 || typeof name !== "string" || issue.code !== "invalid_type") continue;
    const value = meant(issue.expected, cleaned[name]);
    if (value === undefined) continue;
    cleaned[name] = value;
    mended = true;
  }
  const second = mended ? input.safeParse(cleaned) : first;
  if (second.success) return second.data;
  return refuse("input.invalid", { problem: describe(second.error.issues[0]!, cleaned) });
}

function meant(expected: string, value: unknown): unknown {
  if (typeof value !== "string") return undefined;
  const text = value.trim();
  if (expected === "boolean") return text === "true" ? true : text === "false" ? false : undefined;
  if (expected === "number" || expected === "int")
    // Versions and fencing tokens have 16 digits, all of which count.
    return /^-?(\d{1,15}(\.\d+)?|\d{16})$/.test(text) && Math.abs(Number(text)) <= Number.MAX_SAFE_INTEGER
      ? Number(text)
      : undefined;
  if ((expected === "record" || expected === "object") && text.startsWith("{")) {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return undefined;
    }
  }
  return undefined;
}

function refuseUnknown(name: string, known: readonly string[]): never {
  const short = visible(name.length > 40 ? `${name.slice(0, 40)}…` : name);
  const meantName = nearest(name.toLowerCase(), known) ?? resembling(name.toLowerCase(), known);
  const hint = meantName ? `; did you mean ${meantName}?` : ` (known: ${known.join(", ")})`;
  refuse("input.invalid", { problem: `there is no argument ${JSON.stringify(short)}${hint}` });
}

/** `reply_to` for `in_reply_to`, `wait_secs` for `wait_seconds`: a part of the name, or the same beginning. */
function resembling(name: string, known: readonly string[]): string | undefined {
  if (name.length < 3) return undefined;
  return (
    known.find((one) => one.includes(name) || (one.length > 2 && name.includes(one))) ??
    known.find((one) => name.length > 4 && one.startsWith(name.slice(0, 5)))
  );
}

function describe(issue: z.core.$ZodIssue, given: Record<string, unknown>): string {
  const top = typeof issue.path[0] === "string" ? issue.path[0] : "the arguments";
  const where = issue.path
    .map((step, i) => (typeof step === "number" ? `[${step}]` : i ? `.${String(step)}` : String(step)))
    .join("");
  const name = visible(where || top);
  switch (issue.code) {
    case "invalid_type":
      if (issue.path.length === 1 && given[top] === undefined)
        return `${name} is missing; it must be ${a(issue.expected)}`;
      return `${name} must be ${a(issue.expected)}`;
    case "invalid_value":
      return `${name} must be one of ${issue.values.map(String).join(", ")}`;
    case "too_big":
      return `${name} ${bound(issue.origin, "at most", issue.maximum)}`;
    case "too_small":
      return `${name} ${bound(issue.origin, "at least", issue.minimum)}`;
    case "custom":
      return `${name} ${issue.message}`;
    default:
      return `${name} is not valid`;
  }
}

function bound(origin: string, relation: string, limit: number | bigint): string {
  if (origin === "string") return `must have ${relation} ${limit} characters`;
  if (origin === "array") return `must have ${relation} ${limit} ${limit === 1 ? "entry" : "entries"}`;
  return `must be ${relation} ${limit}`;
}

function a(expected: string): string {
  const words: Record<string, string> = {
    string: "a string",
    number: "a number",
    int: "a whole number",
    boolean: "true or false",
    array: "a list of strings",
    record: "a JSON object",
    object: "a JSON object",
  };
  return words[expected] ?? expected;
}
