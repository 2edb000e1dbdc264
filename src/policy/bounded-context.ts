import { refuse } from "../errors/index.js";
import { digest } from "../redis/index.js";
import { contextProblem, maxContextCharacters } from "./given.js";
import { LeftOut } from "./left-out.js";

type Values = Readonly<Record<string, unknown>>;

/** Characters of a context that are kept for what stands in it beside the arguments. */
const forTheRest = 1_000;

/** Arguments that are looked at one by one, to keep those that have room; no tool takes so many. */
const mostArguments = 200;

/**
 * Arguments as rules can be asked about them: whole, as far as a context takes them. Where there is more, the largest are
 * left out, each whole, so that nothing is decided by a part of it; what is left out can be told from anything else.
 *
 * @throws {MailboxError} `input.invalid` for what is nested too deeply to be read
 */
export function boundedContext(given: Values, beside: Values = {}): Values | LeftOut {
  if (contextProblem({ ...beside, arguments: given }) === undefined) return given;
  // Where there are too many, nothing has to be looked at to leave all of them out.
  if (Object.keys(given).length > mostArguments) return leftOutOf(textOf(given));
  const sized = Object.entries(given).map(([name, value]) => ({ name, value, text: textOf(value) }));
  let room = maxContextCharacters - forTheRest;
  const kept = new Set<string>();
  for (const { name, value, text } of sized.toSorted((one, other) => one.text.length - other.text.length)) {
    room -= name.length + text.length;
    if (room < 0) break;
    if (isPlain(value) || contextProblem({ arguments: { [name]: value } }) === undefined) kept.add(name);
  }
  const bounded = Object.fromEntries(
    sized.map(({ name, value, text }) => [name, kept.has(name) ? value : leftOutOf(text)]),
  );
  if (contextProblem({ ...beside, arguments: bounded }) === undefined) return bounded;
  // Too many values, or names that are too long.
  return leftOutOf(textOf(given));
}

function leftOutOf(text: string): LeftOut {
  return new LeftOut(Buffer.byteLength(text), digest(text));
}

function isPlain(value: unknown): boolean {
  return typeof value !== "object" || value === null;
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "";
  } catch (error) {
    if (error instanceof RangeError)
      refuse("input.invalid", { problem: "the arguments are nested too deeply" });
    throw error;
  }
}
