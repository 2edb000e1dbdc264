import { type AuditKeys, rowsPerChunk, type Store } from "../redis/index.js";
import { parseSealed, parseSealedText } from "./chain.js";
import type { WaitingRow } from "./waiting-rows.js";

/** What tells a row of a slot from every other. */
export function nameOfRow({ slot, number }: Pick<WaitingRow, "slot" | "number">): string {
  return `${number.toFixed(0)}|${slot}`;
}

/** The number of the first row of the chunk that a row belongs into. */
export function chunkBegin(number: number): number {
  return Math.floor((Math.max(number, 1) - 1) / rowsPerChunk) * rowsPerChunk + 1;
}

/**
 * Where the rows that there are begin. The store says where, and anybody who can write there could say a later place: as long
 * as there are rows before it, they count.
 */
export async function beginOfChain(store: Store, keys: AuditKeys, ended: number): Promise<number> {
  const said = Number((await store.command("HGET", keys.end, "first")) ?? 1) || 1;
  let begin = chunkBegin(Math.min(said, ended + 1));
  while (begin > 1 && Number(await store.command("EXISTS", keys.chunk(begin - 1))) > 0) begin -= rowsPerChunk;
  return begin;
}

/** Which of these rows are in the chain: looked for from its end, where those are that were sealed last. */
export async function sealedAmong(
  store: Store,
  keys: AuditKeys,
  ended: number,
  rows: readonly WaitingRow[],
): Promise<ReadonlySet<string>> {
  const sought = new Set(rows.map(nameOfRow));
  const found = new Set<string>();
  const begin = sought.size === 0 ? 1 : await beginOfChain(store, keys, ended);
  for (let from = chunkBegin(ended); from >= begin && found.size < sought.size; from -= rowsPerChunk)
    for (const entry of (await store.command("LRANGE", keys.chunk(from), 0, -1)) as string[]) {
      const name = nameOfRow(parseSealedText(parseSealed(entry).text));
      if (sought.has(name)) found.add(name);
    }
  return found;
}
