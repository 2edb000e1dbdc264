import { auditKeys, type Store } from "../redis/index.js";
import { nameOfRow, sealedAmong } from "./sealed-rows.js";
import { type Places, type Slot, slotsOf } from "./slot.js";
import { takenOf, type WaitingRow, waitingRows } from "./waiting-rows.js";

const mostOfSlot = 100_000;

/** What was recorded and is not sealed yet: until then whoever can write to the store can change it without trace. */
export interface Unsealed {
  /** Oldest first. */
  readonly rows: readonly WaitingRow[];
  /** Where nothing can be read any more. */
  readonly unreadable: readonly Slot[];
  /** How many rows the store says were sealed, when those of the slots had been read. */
  readonly ended: number;
}

export async function unsealedRows(store: Store, places: Places, namespace: string): Promise<Unsealed> {
  const keys = auditKeys(namespace);
  const unreadable: Slot[] = [];
  const slots = await slotsOf(places, namespace);
  const { rows } = await waitingRows(store, namespace, slots, mostOfSlot, (slot) => unreadable.push(slot));
  const taken = await takenOf(store, keys.taken, [...new Set(rows.map(({ slot }) => slot))]);
  const ended = Number((await store.command("HGET", keys.end, "number")) ?? 0);
  // Some are sealed and were not taken out yet; the store says which may be, and the chain which are.
  const mayBe = rows.filter(({ slot, number }) => number <= taken.get(slot)!);
  const inChain = await sealedAmong(store, keys, ended, mayBe);
  return { rows: rows.filter((row) => !inChain.has(nameOfRow(row))), unreadable, ended };
}
