import { refuse } from "../errors/index.js";
import { digestOfText } from "../redis/index.js";
import { contextProblem, isNestedTooDeep, maxContextCharacters } from "./given.js";
import { LeftOut } from "./left-out.js";

type Values = Readonly<Record<string, unknown>>;

/** Characters of a context that are kept for what stands in it beside the arguments. */
const forTheRest = 1_000;

/** Arguments that are looked at one by one, to keep those that have room; no tool takes so many. */
const mostArguments = 200;

/** Values of arguments, names counted, that are looked at; of more, none is kept, and no further one makes a difference. */
const mostValues = 15_000;

/** So many of them stand for all, where there are more. */
const mostTold = 4_000;

/**
 * Arguments as rules can be asked about them: whole, as far as a context takes them. Where there is more, the largest are
 * left out, each whole, so that nothing is decided by a part of it; what is left out can be told from anything else.
 *
 * @throws {MailboxError} `input.invalid` for what is nested too deeply to be read
 */
export function boundedContext(given: Values, beside: Values = {}): Values | LeftOut {
  if (contextProblem({ ...beside, arguments: given }) === undefined) return given;
  const beginning = beginningOf(given);
  if (beginning !== undefined) return leftOutOf(beginning, { isBeginning: true });
  // Where there are too many, nothing has to be looked at by itself to leave all of them out.
  const arguments_ = Object.entries(given);
  if (arguments_.length > mostArguments) return leftOutOf(textOf(given));
  const sized = arguments_.map(([name, value]) => ({ name, value, size: name.length + sizeOf(value) }));
  let room = maxContextCharacters - forTheRest;
  const kept = new Set<string>();
  for (const { name, value, size } of sized.toSorted((one, other) => one.size - other.size)) {
    room -= size;
    if (room < 0) break;
    if (isPlain(value) || contextProblem(alone(name, value)) === undefined) kept.add(name);
  }
  const bounded = Object.fromEntries(
    arguments_.map(([name, value]) => [
      name,
      kept.has(name) ? value : leftOutOf(textOf(value), { isDeep: isNestedTooDeep(alone(name, value)) }),
    ]),
  );
  if (contextProblem({ ...beside, arguments: bounded }) === undefined) return bounded;
  // Too many values, or names that are too long.
  return leftOutOf(textOf(given));
}

function alone(name: string, value: unknown): Values {
  return { arguments: { [name]: value } };
}

/** What stands in the first of too many values; undefined where they are few enough. */
function beginningOf(given: Values): string | undefined {
  const texts: string[] = [];
  let values = 0;
  const tell = (text: unknown): void => {
    if (texts.length < mostTold) texts.push(String(text));
  };
  const open: unknown[] = [given];
  while (open.length > 0) {
    const value = open.pop();
    values += 1;
    if (typeof value !== "object" || value === null) {
      tell(value);
      continue;
    }
    const names = Array.isArray(value) ? undefined : Object.keys(value);
    const inner: readonly unknown[] = names ?? (value as readonly unknown[]);
    tell(`${names ? "{" : "["}${inner.length}`);
    if (values + open.length + inner.length > mostValues) {
      for (const one of [...inner.slice(0, mostTold), ...open.slice(-mostTold).reverse()])
        if (isPlain(one)) tell(one);
      return texts.join("\n");
    }
    for (let n = inner.length - 1; n >= 0; n--) {
      if (names) open.push((value as Values)[names[n]!]);
      open.push(inner[n]);
    }
  }
  return undefined;
}

/** How many characters a value has for a context, and some more where it is no text; beyond what has room they are not counted. */
function sizeOf(given: unknown): number {
  let size = 0;
  const open: unknown[] = [given];
  while (open.length > 0 && size <= maxContextCharacters) {
    const value = open.pop();
    if (typeof value === "string") size += value.length;
    else if (typeof value !== "object" || value === null) size += 1;
    else {
      size += 1;
      for (const name of Array.isArray(value) ? [] : Object.keys(value)) size += name.length;
      open.push(...(Array.isArray(value) ? value : Object.values(value)));
    }
  }
  return size;
}

function leftOutOf(text: string, how: ConstructorParameters<typeof LeftOut>[2] = {}): LeftOut {
  return new LeftOut(Buffer.byteLength(text), digestOfText(text), how);
}

function isPlain(value: unknown): boolean {
  return typeof value !== "object" || value === null;
}

/** A text as it is, and all else as JSON: texts are what is large, and to write them as JSON takes longer than all the rest. */
function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  try {
    return JSON.stringify(value) ?? "";
  } catch (error) {
    if (error instanceof RangeError)
      refuse("input.invalid", { problem: "the arguments are nested too deeply" });
    throw error;
  }
}
