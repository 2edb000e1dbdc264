import type { Store } from "../redis/index.js";
import { type Slot, slotKey } from "./slot.js";

/** A row that was recorded in a slot and is not sealed yet. */
export interface WaitingRow {
  readonly slot: Slot;
  /** Grows within the slot; microseconds of the store's clock. */
  readonly number: number;
  readonly row: string;
}

const slotsAtOnce = 500;

/**
 * The oldest rows of each slot, at most `most` of each, and the slots that have more. What cannot be read is told and
 * left out: one damaged slot must not keep the others from being sealed.
 */
export async function waitingRows(
  store: Store,
  namespace: string,
  slots: readonly Slot[],
  most: number,
  damaged: (slot: Slot, error: Error) => void,
): Promise<{ readonly rows: readonly WaitingRow[]; readonly more: readonly Slot[] }> {
  const rows: WaitingRow[] = [];
  const more: Slot[] = [];
  const read = async (slot: Slot): Promise<void> => {
    const key = slotKey(namespace, slot);
    try {
      const last = (await store.command("LINDEX", key, -1)) as string | null;
      // Only the number of the last sealed row is there.
      if (last === null || last.endsWith("|")) return;
      const entries = (await store.command("LRANGE", key, 0, most - 1)) as string[];
      if (entries.length === most) more.push(slot);
      for (const entry of entries) {
        const at = entry.indexOf("|");
        const row = entry.slice(at + 1);
        if (at > 0 && row !== "") rows.push({ slot, number: Number(entry.slice(0, at)), row });
      }
    } catch (error) {
      if (!/WRONGTYPE/.test((error as Error).message)) throw error;
      damaged(slot, error as Error);
    }
  };
  for (let n = 0; n < slots.length; n += slotsAtOnce)
    await Promise.all(slots.slice(n, n + slotsAtOnce).map(read));
  return { rows: rows.sort((a, b) => a.number - b.number), more };
}

/** The number up to which each of the slots was sealed, as the store says it; the chain alone tells whether that is so. */
export async function takenOf(
  store: Store,
  takenKey: string,
  slots: readonly Slot[],
): Promise<ReadonlyMap<Slot, number>> {
  if (slots.length === 0) return new Map();
  const taken = (await store.command("HMGET", takenKey, ...slots)) as (string | null)[];
  return new Map(slots.map((slot, n) => [slot, Number(taken[n] ?? 0) || 0]));
}
