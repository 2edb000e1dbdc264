import type { Store } from "../redis/index.js";

const pageFields = 1_000;

/** The fields of a hash that match a pattern of the store's, without holding the store up for all of it at once. */
export async function scanHash(
  store: Store,
  key: string,
  pattern: string,
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  let cursor = "0";
  do {
    const page = await store.command("HSCAN", key, cursor, "MATCH", pattern, "COUNT", pageFields);
    const [next, flat] = page as [string, string[]];
    for (let n = 0; n < flat.length; n += 2) found.set(flat[n]!, flat[n + 1]!);
    cursor = String(next);
  } while (cursor !== "0");
  return found;
}
