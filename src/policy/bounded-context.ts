import { refuse } from "../errors/index.js";
import { digest } from "../redis/index.js";
import { contextProblem } from "./given.js";

/** Longest text of an argument that is handed on whole, in steps by which it is tried to make it fit. */
const longestTexts = [16_000, 4_000, 500] as const;

const mostLevels = 24;

/**
 * Arguments as rules can be asked about them: where there is more than fits, texts are cut, and a digest of the whole
 * stands behind what is left of each, so that an approval holds for nothing else.
 */
export function boundedContext(given: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  for (const longest of longestTexts) {
    const bounded = cut(given, longest, mostLevels) as Readonly<Record<string, unknown>>;
    if (contextProblem({ arguments: bounded }) === undefined) return bounded;
  }
  return { digest: digestOf(given) };
}

/** @throws {MailboxError} `input.invalid` for what is nested too deeply to be read */
function digestOf(value: unknown): string {
  try {
    return digest(JSON.stringify(value));
  } catch (error) {
    if (error instanceof RangeError)
      refuse("input.invalid", { problem: "the arguments are nested too deeply" });
    throw error;
  }
}

function cut(value: unknown, longest: number, levels: number): unknown {
  if (typeof value === "string")
    return value.length <= longest
      ? value
      : `${value.slice(0, longest)}… (${value.length} characters, digest ${digest(value)})`;
  if (typeof value !== "object" || value === null) return value;
  if (levels === 0) return { digest: digestOf(value) };
  if (Array.isArray(value)) return value.map((one) => cut(one, longest, levels - 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, cut(one, longest, levels - 1)]),
  );
}
