/** How deep what a client sends may be nested: what follows walks it by recursion. `data` may have 100 levels. */
export const mostLevels = 128;

/** What a body of JSON says. */
export type ParsedBody = { readonly value: unknown } | { readonly problem: "not JSON" | "too deep" };

/** Reads the JSON of a body. Neither its depth nor its length can break what reads it. */
export function parseBody(text: string): ParsedBody {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: "not JSON" };
  }
  return isDeeper(value, mostLevels) ? { problem: "too deep" } : { value };
}

/** Goes no deeper than it has to, so that it cannot run out of stack itself. */
function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  if (Array.isArray(value)) return value.some((one) => isDeeper(one, levels - 1));
  for (const key in value) if (isDeeper((value as Record<string, unknown>)[key], levels - 1)) return true;
  return false;
}
