import { join } from "node:path";
import { type AuditKeys, auditKeys, loadScript, rowsPerChunk, type Store } from "../redis/index.js";
import { genesis, link, parseSealed, parseSealedText, sealedText, writeSealed } from "./chain.js";
import { type Checkpoint, isSigned, parseCheckpoint, signCheckpoint, writeCheckpoint } from "./checkpoint.js";
import { appendCheckpoint } from "./checkpoint-file.js";
import { nameOfRow, sealedAmong } from "./sealed-rows.js";
import { publicKeyOf, signingKey } from "./signing-key.js";
import { type Places, type Slot, slotKey, slotsOf } from "./slot.js";
import { takenOf, type WaitingRow, waitingRows } from "./waiting-rows.js";

const appendSealed = loadScript(import.meta.url, "append-sealed.lua");
const forgetSealed = loadScript(import.meta.url, "forget-sealed.lua");
const trimSealed = loadScript(import.meta.url, "trim-sealed.lua");

const rowsAtOnce = 250;
const roundsMost = 200;

export interface SealTimes {
  /** How often one process looks for rows. */
  readonly everyMs: number;
  /** A row is this old before it is sealed: until then our own repetition of its call looks for it in its slot. */
  readonly leaveMs: number;
  /** What was sealed is signed after this long at the latest, and after 1,000 rows. */
  readonly signMs: number;
  /** How long sealed rows are kept. */
  readonly keepMs: number;
}

/** A row waits at most 10 + 10 s to be sealed and 30 s more to be signed. */
export const sealTimes: SealTimes = {
  everyMs: 10_000,
  leaveMs: 10_000,
  signMs: 30_000,
  keepMs: 30 * 86_400_000,
};

export interface SealerDependencies {
  readonly store: Store;
  readonly places: Places;
  /** Where the private key lies; made there when there is none. */
  readonly keyFile: string;
  /** Where `NAMESPACE.checkpoints` is kept. */
  readonly folder: string;
  readonly times?: Partial<SealTimes>;
  readonly log: (event: string, facts: Record<string, unknown>) => void;
}

/** Where a chain ends. */
interface End {
  readonly number: number;
  readonly hash: string;
  readonly first: number;
}

/**
 * Moves the rows of all slots of a namespace into its chain, signs where the chain stands, and trims what is too old.
 *
 * Each step is safe to repeat and to be cut off: what was appended and not yet taken out of its slot is known by its
 * number, and of two sealers at once only one appends. Who may seal is decided elsewhere; being two costs work alone.
 */
export class Sealer {
  readonly #deps: SealerDependencies;
  readonly #times: SealTimes;
  #sealedAt = Date.now();
  #trimmedAt = 0;

  constructor(deps: SealerDependencies) {
    this.#deps = deps;
    this.#times = { ...sealTimes, ...deps.times };
  }

  /** Seals if it is time to; called again and again by the one process that sweeps. */
  async sweep(namespace: string): Promise<void> {
    if (Date.now() - this.#sealedAt < this.#times.everyMs) return;
    this.#sealedAt = Date.now();
    await this.seal(namespace);
    if (Date.now() - this.#trimmedAt < Math.min(600_000, this.#times.keepMs)) return;
    this.#trimmedAt = Date.now();
    await this.trim(namespace);
  }

  /** Seals what is old enough. Answers how many rows were appended. */
  async seal(namespace: string): Promise<number> {
    const { store, places } = this.#deps;
    const keys = auditKeys(namespace);
    const now = store.now();
    const isDue = ({ number }: WaitingRow): boolean =>
      // Numbers ahead of the clock are left from before it was set back.
      number <= (now - this.#times.leaveMs) * 1000 || number > (now + 60_000) * 1000;
    let slots = await slotsOf(places, namespace);
    let sealed = 0;
    for (let round = 0; round < roundsMost && slots.length > 0; round++) {
      const end = await this.#end(namespace, keys);
      const { rows, more } = await waitingRows(store, namespace, slots, 1_000, (slot, error) =>
        this.#deps.log("the audit rows of a slot cannot be read", { slot, error: error.message }),
      );
      const taken = await takenOf(store, keys.taken, [...new Set(rows.map(({ slot }) => slot))]);
      const due = rows.filter(isDue);
      const inChain = await this.#alreadySealed(namespace, keys, due, taken);
      const fresh = due.filter((row) => !inChain.has(nameOfRow(row)));
      const appended = await this.#append(namespace, keys, end, fresh);
      sealed += appended.length;
      await this.#forget(namespace, sealedUpTo(due, new Set([...inChain, ...appended.map(nameOfRow)])));
      // Another process appended: it will go on, or the next round does.
      slots = appended.length < fresh.length ? [] : more;
      if (due.length === 0) break;
    }
    await this.#sign(namespace, keys);
    return sealed;
  }

  /** Removes chunks of rows that are too old; a signed checkpoint says first that they went on purpose. */
  async trim(namespace: string): Promise<number> {
    const { store } = this.#deps;
    const keys = auditKeys(namespace);
    let trimmed = 0;
    for (;;) {
      const end = await this.#end(namespace, keys);
      const last = Math.ceil(end.first / rowsPerChunk) * rowsPerChunk;
      if (last >= end.number) return trimmed;
      // Signed for, and cut off before it was done.
      if ((await this.#trimmedSoFar(namespace, keys)) >= last) {
        await store.run(trimSealed, [keys.end, keys.chunk(last), keys.checkpoints], [last]);
        trimmed += rowsPerChunk;
        continue;
      }
      const entries = (await store.command("LRANGE", keys.chunk(last), 0, -1)) as string[];
      const newest = Math.max(0, ...entries.map((entry) => parseSealedText(parseSealed(entry).text).number));
      if (newest / 1000 > store.now() - this.#times.keepMs) return trimmed;
      const hash = await this.#wholeChunk(namespace, keys, end.first, entries);
      if (hash === undefined) {
        this.#deps.log("old audit rows stay: they are not what was sealed", { first: end.first, last });
        return trimmed;
      }
      await this.#note(namespace, keys, { number: last, hash, trimmed: 0 });
      await this.#note(namespace, keys, { number: end.number, hash: end.hash, trimmed: last });
    }
  }

  /**
   * The hash of the last row of a chunk, if all of its rows are what was sealed behind what was trimmed or signed before:
   * what was changed must not be made to go on purpose.
   */
  async #wholeChunk(
    namespace: string,
    keys: AuditKeys,
    first: number,
    entries: readonly string[],
  ): Promise<string | undefined> {
    if (entries.length !== rowsPerChunk || (await this.#trimmedSoFar(namespace, keys)) !== first - 1)
      return undefined;
    const key = publicKeyOf(this.#deps.keyFile);
    const stored = (await this.#deps.store.command("LRANGE", keys.checkpoints, 0, -1)) as string[];
    const signed = stored
      .map(parseCheckpoint)
      .filter((one) => one !== undefined && key !== undefined && isSigned(namespace, one, key));
    let hash = first === 1 ? genesis(namespace) : signed.find((one) => one?.number === first - 1)?.hash;
    if (hash === undefined) return undefined;
    for (const [n, entry] of entries.entries()) {
      const row = parseSealed(entry);
      hash = link(hash, first + n, row.text);
      if (hash !== row.hash) return undefined;
    }
    const mark = signed.find((one) => one?.number === first + rowsPerChunk - 1);
    return mark === undefined || mark.hash === hash ? hash : undefined;
  }

  async #end(namespace: string, keys: AuditKeys): Promise<End> {
    const [number, hash, first] = (await this.#deps.store.command(
      "HMGET",
      keys.end,
      "number",
      "hash",
      "first",
    )) as (string | null)[];
    return {
      number: Number(number ?? 0),
      hash: hash ?? genesis(namespace),
      first: Number(first ?? 1),
    };
  }

  /** Appends rows in their order; answers those that are in the chain now, which are fewer when another sealer came. */
  async #append(
    namespace: string,
    keys: AuditKeys,
    from: End,
    rows: readonly WaitingRow[],
  ): Promise<readonly WaitingRow[]> {
    let end = from;
    let at = 0;
    while (at < rows.length) {
      const room = rowsPerChunk - (end.number % rowsPerChunk);
      const some = rows.slice(at, at + Math.min(rowsAtOnce, room));
      const entries: string[] = [];
      const last = new Map<Slot, number>();
      let { number, hash } = end;
      for (const one of some) {
        const text = sealedText(one.number, one.slot, one.row);
        number += 1;
        hash = link(hash, number, text);
        entries.push(writeSealed({ hash, text }));
        last.set(one.slot, one.number);
      }
      const pairs = [...last].flatMap(([slot, to]) => [slot, to.toFixed(0)]);
      const [word, ended, endsWith] = await this.#deps.store.run(
        appendSealed,
        [keys.end, keys.taken, keys.chunk(end.number + 1)],
        [end.number, end.number === 0 ? "" : end.hash, hash, last.size, ...pairs, ...entries],
      );
      // Our own repetition of a call whose answer was lost finds the chain where it left it.
      const isOurs = word === "MOVED" && Number(ended) === number && endsWith === hash;
      if (word !== "SEALED" && !isOurs) break;
      end = { ...end, number, hash };
      at += some.length;
      if (number % rowsPerChunk === 0) await this.#note(namespace, keys, { number, hash, trimmed: 0 });
    }
    return rows.slice(0, at);
  }

  /**
   * Rows that lie in their slots and are in the chain: a sealer was cut off before it took them out. The store says up to
   * where that may be, and the chain whether it is so: who writes something else there must not keep rows from being sealed.
   */
  async #alreadySealed(
    namespace: string,
    keys: AuditKeys,
    due: readonly WaitingRow[],
    taken: ReadonlyMap<Slot, number>,
  ): Promise<ReadonlySet<string>> {
    const said = due.filter(({ slot, number }) => number <= taken.get(slot)!);
    if (said.length === 0) return new Set();
    const { number } = await this.#end(namespace, keys);
    const inChain = await sealedAmong(this.#deps.store, keys, number, said);
    const missing = said.filter((row) => !inChain.has(nameOfRow(row)));
    if (missing.length > 0)
      this.#deps.log(
        "the store says of audit rows that they were sealed, and they are not in the chain; they are sealed now",
        {
          rows: missing.length,
          slots: [...new Set(missing.map(({ slot }) => slot))].slice(0, 20),
        },
      );
    return inChain;
  }

  async #forget(namespace: string, upTo: ReadonlyMap<Slot, number>): Promise<void> {
    await Promise.all(
      [...upTo].map(([slot, number]) =>
        this.#deps.store.run(forgetSealed, [slotKey(namespace, slot)], [number.toFixed(0)]),
      ),
    );
  }

  /** Signs the end of the chain if that is due. */
  async #sign(namespace: string, keys: AuditKeys): Promise<void> {
    const end = await this.#end(namespace, keys);
    const text = (await this.#deps.store.command("LINDEX", keys.checkpoints, -1)) as string | null;
    const last = parseCheckpoint(text ?? "");
    if (last && last.number > end.number) {
      this.#deps.log("the audit chain is shorter than it was when it was signed", {
        signed: last.number,
        rows: end.number,
      });
    } else if (last) {
      const waited = this.#deps.store.now() - last.at;
      if (last.number === end.number) return;
      if (waited < this.#times.signMs && end.number - last.number < rowsPerChunk) return;
    }
    if (end.number > 0) await this.#note(namespace, keys, { ...end, trimmed: 0 });
  }

  /** Signs, and keeps what was signed: outside the store first. Without a key the rows are sealed all the same. */
  async #note(
    namespace: string,
    keys: AuditKeys,
    about: { readonly number: number; readonly hash: string; readonly trimmed: number },
  ): Promise<void> {
    const { store, keyFile, folder } = this.#deps;
    let checkpoint: Checkpoint;
    try {
      const key = signingKey(keyFile);
      checkpoint = signCheckpoint(
        namespace,
        {
          number: about.number,
          hash: about.hash,
          at: Math.round(store.now()),
          trimmed: Math.max(about.trimmed, await this.#trimmedSoFar(namespace, keys)),
        },
        key,
      );
      appendCheckpoint(join(folder, `${namespace}.checkpoints`), checkpoint, key);
    } catch (error) {
      if (about.trimmed > 0) throw error;
      this.#deps.log("an audit checkpoint could not be signed or kept", { error: (error as Error).message });
      return;
    }
    await store.command("RPUSH", keys.checkpoints, writeCheckpoint(checkpoint));
  }

  /** What a checkpoint of ours says was trimmed: each later one says it again, so that one of them is enough. */
  async #trimmedSoFar(namespace: string, keys: AuditKeys): Promise<number> {
    const text = (await this.#deps.store.command("LINDEX", keys.checkpoints, -1)) as string | null;
    const last = parseCheckpoint(text ?? "");
    const key = publicKeyOf(this.#deps.keyFile);
    return last && key && isSigned(namespace, last, key) ? last.trimmed : 0;
  }
}

/** For each slot the last of its rows before and with which all are in the chain; none for a slot whose first is not. */
function sealedUpTo(due: readonly WaitingRow[], inChain: ReadonlySet<string>): ReadonlyMap<Slot, number> {
  const upTo = new Map<Slot, number>();
  const open = new Set<Slot>();
  for (const row of due) {
    if (!inChain.has(nameOfRow(row))) open.add(row.slot);
    else if (!open.has(row.slot)) upTo.set(row.slot, row.number);
  }
  return upTo;
}
