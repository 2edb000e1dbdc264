import type { KeyObject } from "node:crypto";
import { auditKeys, rowsPerChunk, type Store } from "../redis/index.js";
import { genesis, link, parseSealed, parseSealedText } from "./chain.js";
import { type Checkpoint, isSigned, keyName, parseCheckpoint } from "./checkpoint.js";
import type { CheckpointFile } from "./checkpoint-file.js";

/** What is known outside the store: keys that are believed, and copies of checkpoints. */
export type Evidence = Pick<CheckpointFile, "keys" | "checkpoints">;

export interface Verified {
  /** The first and the last row that were looked at; 0 for none. */
  readonly first: number;
  readonly last: number;
  /** Checkpoints that were compared with the chain. */
  readonly checkpoints: number;
  /** Sealed rows after the last checkpoint: linked, and not signed for yet. */
  readonly unsigned: number;
  /** The first row that is not what was sealed, and how that shows; none where all is as it was. */
  readonly problem?: { readonly number: number; readonly what: string };
}

/**
 * Looks whether each sealed row is what was sealed, in its place, with none missing before, between or behind: by the
 * hashes that link them, and by the checkpoints, in the store and outside it, whose signatures hold.
 *
 * A tail that was cut off together with its checkpoints shows only against a copy of these.
 */
export async function verifyChain(store: Store, namespace: string, evidence: Evidence): Promise<Verified> {
  const keys = auditKeys(namespace);
  const [number1, first] = (
    (await store.command("HMGET", keys.end, "number", "first")) as (string | null)[]
  ).map((one, n) => Number(one ?? n));
  // Both change together with what was taken, so that this is of some moment between the two.
  const taken = await store.hash(keys.taken);
  const counted = Number((await store.command("HGET", keys.end, "number")) ?? 0);
  const stored = (await store.command("LRANGE", keys.checkpoints, 0, -1)) as string[];
  const parsed = stored.map(parseCheckpoint);
  const unreadable = parsed.indexOf(undefined);
  const known = new Map(evidence.keys.map((key) => [keyName(key), key]));
  const all = [...parsed.filter((one) => one !== undefined), ...evidence.checkpoints];
  const nothing = { first: 0, last: 0, checkpoints: 0, unsigned: 0 };
  const suspect = (number: number, what: string): Verified => ({ ...nothing, problem: { number, what } });
  if (unreadable >= 0) return suspect(1, `checkpoint ${unreadable + 1} in the store cannot be read`);
  for (const one of all) {
    const trouble = troubleWith(namespace, one, known);
    if (trouble) return suspect(one.number, trouble);
  }
  const trimmed = Math.max(0, ...all.map((one) => one.trimmed));
  const marks = new Map<number, Checkpoint>();
  for (const one of all) {
    const other = marks.get(one.number);
    if (other && other.hash !== one.hash)
      return suspect(one.number, "two checkpoints that are both signed say different things of this row");
    marks.set(one.number, one);
  }
  const anchor = trimmed === 0 ? genesis(namespace) : marks.get(trimmed)?.hash;
  if (anchor === undefined)
    return suspect(trimmed + 1, `no checkpoint names row ${trimmed}, after which the chain begins`);

  const numbers = [...marks.keys()].filter((number) => number > trimmed).sort((a, b) => a - b);
  const lastSigned = numbers.at(-1) ?? trimmed;
  let good = trimmed;
  let hash = anchor;
  let number = trimmed;
  let compared = 0;
  /** The last number of each slot in the chain, and as of the moment when this began. */
  const lastOf = new Map<string, { readonly number: number; readonly slotNumber: number }>();
  const before = new Map<string, number>();
  let newest = 0;
  const found = (problem: Verified["problem"]): Verified => ({
    first: trimmed + 1,
    last: number,
    checkpoints: compared,
    unsigned: Math.max(0, number - lastSigned),
    ...(problem ? { problem } : {}),
  });
  for (;;) {
    const entries = (await store.command("LRANGE", keys.chunk(number + 1), 0, -1)) as string[];
    for (const entry of entries) {
      // What was sealed since this began is looked at the next time.
      if (number >= counted && number >= lastSigned) break;
      const row = parseSealed(entry);
      const expected = link(hash, number + 1, row.text);
      if (expected !== row.hash)
        return found({ number: number + 1, what: "the row is not the one that was sealed in this place" });
      number += 1;
      hash = expected;
      const { slot, number: slotNumber } = parseSealedText(row.text);
      if (number <= number1!) before.set(slot, slotNumber);
      lastOf.set(slot, { number, slotNumber });
      newest = Math.max(newest, slotNumber);
      const mark = marks.get(number);
      if (!mark) continue;
      compared += 1;
      if (mark.hash !== hash)
        return found({
          number: good + 1,
          what: `the rows ${good + 1} to ${number} are linked, but not as the checkpoint of row ${number} says: they were written anew`,
        });
      good = number;
    }
    if (number % rowsPerChunk !== 0 || entries.length === 0) break;
  }
  const promised = Math.max(counted, lastSigned);
  if (number < promised)
    return found({ number: number + 1, what: `the chain ends here, and had ${promised} rows` });
  if (!(first! >= 1 && first! <= trimmed + 1))
    return found({
      number: trimmed + 1,
      what: `the store says that the chain begins with row ${first}, and ${trimmed} rows were trimmed on purpose`,
    });
  const ended = Number((await store.command("HGET", keys.end, "number")) ?? 0);
  if (ended < lastSigned)
    return found({
      number: ended + 1,
      what: `the store says that the chain ends here, and it has ${lastSigned} rows`,
    });
  const untold = [...before.keys()].filter((slot) => !taken.has(slot)).map((slot) => [slot, "0"] as const);
  for (const [slot, said] of [...taken, ...untold]) {
    const last = lastOf.get(slot);
    // Of a slot whose rows were all trimmed no more is known than that none of them was of a time to come.
    const [least, most] = last
      ? [before.get(slot) ?? 0, last.slotNumber]
      : [0, Math.max(newest, store.now() * 1000)];
    if (Number(said) >= least && Number(said) <= most) continue;
    return found({
      number: last?.number ?? number + 1,
      what: `the store says that the rows of ${slot} were sealed up to ${said}, and ${last ? `the chain that the last was ${last.slotNumber}` : "none of them can have been"}: what was recorded there later is passed over`,
    });
  }
  return found(undefined);
}

function troubleWith(
  namespace: string,
  checkpoint: Checkpoint,
  known: ReadonlyMap<string, KeyObject>,
): string | undefined {
  const key = known.get(checkpoint.key);
  if (!key)
    return `the checkpoint of this row is signed by a key that is not known here (${checkpoint.key.slice(0, 16)}): pass the checkpoints file of the machine that signed it`;
  if (!isSigned(namespace, checkpoint, key)) return "the checkpoint of this row has no valid signature";
  return undefined;
}
