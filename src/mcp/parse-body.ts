/** How deep what a client sends may be nested: what follows walks it by recursion. `data` may have 100 levels. */
export const mostLevels = 128;

/** Messages in one body, as in the SDK, which counts them after it has read each by its schemas. */
export const mostMessages = 100;

/** Arguments of one call; no tool has half as many. */
export const mostArguments = 100;

/** Values in a body, those in the arguments of calls left out: what a protocol needs, and schemas walk without a pause. */
export const mostValues = 5_000;

/** What a body of JSON says. */
export type ParsedBody = { readonly value: unknown } | { readonly problem: string; readonly code: number };

/**
 * Reads the JSON of a body. Neither its depth nor its length can break what reads it, nor its breadth hold up the process
 * while others wait.
 *
 * @param isMessage false for what is no message of the protocol, such as the event of a hook; whoever reads it knows how broad it may be
 */
export function parseBody(text: string, isMessage = true): ParsedBody {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { code: -32700, problem: "the body is not valid JSON" };
  }
  // In the order of what it takes to tell.
  const problem = isMessage ? (tooMany(value) ?? tooDeep(value) ?? tooBroad(value)) : tooDeep(value);
  return problem ? { code: -32600, problem } : { value };
}

function tooMany(value: unknown): string | undefined {
  if (!Array.isArray(value)) return hasTooMany(value);
  if (value.length > mostMessages) return `the body has more than ${mostMessages} messages`;
  for (const message of value) {
    const problem = hasTooMany(message);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function hasTooMany(message: unknown): string | undefined {
  return hasMore(argumentsOf(message), mostArguments)
    ? `a call has more than ${mostArguments} arguments`
    : undefined;
}

function tooDeep(value: unknown): string | undefined {
  return isDeeper(value, mostLevels) ? `the body is nested deeper than ${mostLevels} levels` : undefined;
}

/** What is too broad about a message, or about several. */
function tooBroad(value: unknown): string | undefined {
  const messages: readonly unknown[] = Array.isArray(value) ? value : [value];
  let left = mostValues;
  for (const message of messages) {
    left = leftAfter(message, argumentsOf(message), left);
    if (left < 0) return `the body has more than ${mostValues} values beside the arguments of calls`;
  }
  return undefined;
}

function argumentsOf(message: unknown): unknown {
  const params = isObject(message) ? message.params : undefined;
  return isObject(params) ? params.arguments : undefined;
}

function hasMore(value: unknown, most: number): boolean {
  if (!isObject(value)) return false;
  let keys = 0;
  for (const _ in value) if (++keys > most) return true;
  return false;
}

/** How many values may still come after these; less than none where they were too many. */
function leftAfter(value: unknown, except: unknown, left: number): number {
  if (left < 0 || typeof value !== "object" || value === null || value === except) return left - 1;
  let still = left - 1;
  for (const key in value) {
    still = leftAfter((value as Record<string, unknown>)[key], except, still);
    if (still < 0) break;
  }
  return still;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Goes no deeper than it has to, so that it cannot run out of stack itself. */
function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  if (Array.isArray(value)) return value.some((one) => isDeeper(one, levels - 1));
  for (const key in value) if (isDeeper((value as Record<string, unknown>)[key], levels - 1)) return true;
  return false;
}
