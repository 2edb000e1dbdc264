import {
  cloneRedisDataValue,
  type ExpirationState,
  type KeyspaceEntry,
  RedisDatabase,
  type RedisDataValue,
  type RedisHashData,
  type RedisListData,
  type RedisMutationEvent,
  type RedisMutationListener,
  type RedisSetData,
  type RedisSortedSetData,
  type RedisStreamData,
  type SetOptions,
  type Unsubscribe,
  WrongTypeRedisError,
} from "js-redis-server/core";
import type { EffectBuffer } from "./effects.js";
import { Expiries } from "./expiries.js";
import { describeEntry, emptyValue, type KeyEntry, type Keyspace, type SortedSetData } from "./keyspace.js";
import { recordedStream, type StreamTracker } from "./recorded-stream.js";
import {
  type MarkChanged,
  RecordedHash,
  RecordedList,
  RecordedSet,
  RecordedSortedSet,
} from "./recorded-values.js";
import type { SortedMembers } from "./sorted-members.js";
import { TurnQueue } from "./turn-queue.js";

type Tracked<Method extends "updateHash" | "updateList" | "updateSet" | "updateSortedSet"> = Parameters<
  Parameters<RedisDatabase[Method]>[1]
>[0];
type Kind = Exclude<RedisDataValue["type"], "string">;

/**
 * The data, read in place and recorded as it changes.
 *
 * As shipped, the engine copies a whole value on each read and each write, so a command on a large hash or sorted
 * set costs as much as the set is large. Here commands read the live values, which they never change except through
 * the recorded ones; every change is also an effect in `effects`, sealed when its command or script has ended.
 */
export class LiveDatabase extends RedisDatabase {
  override readonly turnQueue: TurnQueue;
  readonly #entries: Keyspace;
  readonly #effects: EffectBuffer;
  readonly #expiries = new Expiries();
  readonly #listeners = new Set<RedisMutationListener>();
  readonly #keyListeners = new Map<string, Set<RedisMutationListener>>();

  constructor(entries: Keyspace, effects: EffectBuffer, onTurnEnd: () => void) {
    super(0);
    this.#entries = entries;
    this.#effects = effects;
    this.turnQueue = new TurnQueue(onTurnEnd);
    for (const [id, { expiresAt }] of entries) if (expiresAt !== undefined) this.#expiries.add(id, expiresAt);
  }

  override get(key: Buffer): RedisDataValue | null {
    return this.#live(key)?.value ?? null;
  }

  override getString(key: Buffer): Buffer | null {
    const value = this.get(key);
    return value?.type === "string" ? Buffer.from(value.value) : null; // commands change what they are given
  }

  override getType(key: Buffer): RedisDataValue["type"] | null {
    return this.get(key)?.type ?? null;
  }

  override getHash(key: Buffer): RedisHashData | null {
    return this.#typed(key, "hash");
  }

  override getList(key: Buffer): RedisListData | null {
    return this.#typed(key, "list");
  }

  override getSet(key: Buffer): RedisSetData | null {
    return this.#typed(key, "set");
  }

  override getSortedSet(key: Buffer): RedisSortedSetData | null {
    return this.#typed(key, "zset");
  }

  /** The same, with its order; for the ranged commands of this room. */
  sortedMembers(key: Buffer): SortedMembers | null {
    return this.#typed<SortedSetData>(key, "zset")?.members ?? null;
  }

  override getStream(key: Buffer): RedisStreamData | null {
    return this.#typed(key, "stream");
  }

  override set(key: Buffer, value: RedisDataValue, options?: SetOptions): void {
    this.#store(key, ownCopy(value), options);
  }

  override setString(key: Buffer, value: Buffer, options?: SetOptions): void {
    this.#store(key, { type: "string", value: Buffer.from(value) }, options);
  }

  override delete(key: Buffer): boolean {
    const entry = this.#live(key);
    if (!entry) return false;
    this.#entries.delete(entry.key.toString("hex"));
    this.#effects.remove(entry.key);
    this.#emit({ type: "delete", database: this.id, key: entry.key });
    return true;
  }

  override expire(key: Buffer, expiresAt: number): boolean {
    const entry = this.#live(key);
    if (!entry) return false;
    entry.expiresAt = expiresAt;
    this.#expiries.add(entry.key.toString("hex"), expiresAt);
    this.#effects.expireAt(entry.key, expiresAt);
    this.#emit({ type: "expire", database: this.id, key: entry.key, expiresAt });
    return true;
  }

  override persist(key: Buffer): boolean {
    const entry = this.#live(key);
    if (entry?.expiresAt === undefined) return false;
    delete entry.expiresAt;
    this.#effects.persist(entry.key);
    this.#emit({ type: "persist", database: this.id, key: entry.key });
    return true;
  }

  override getExpiration(key: Buffer): ExpirationState {
    const entry = this.#live(key);
    if (!entry) return { kind: "missing" };
    return entry.expiresAt === undefined
      ? { kind: "persistent" }
      : { kind: "expires", expiresAt: entry.expiresAt };
  }

  override updateHash<Result>(key: Buffer, mutator: (tracked: Tracked<"updateHash">) => Result): Result {
    return this.#update(key, "hash", (value: RedisHashData, entry, changed) =>
      mutator(new RecordedHash(entry.key, value, this.#effects, changed) as never),
    );
  }

  override updateList<Result>(key: Buffer, mutator: (tracked: Tracked<"updateList">) => Result): Result {
    return this.#update(key, "list", (value: RedisListData, entry, changed) =>
      mutator(new RecordedList(entry.key, value, this.#effects, changed) as never),
    );
  }

  override updateSet<Result>(key: Buffer, mutator: (tracked: Tracked<"updateSet">) => Result): Result {
    return this.#update(key, "set", (value: RedisSetData, entry, changed) =>
      mutator(new RecordedSet(entry.key, value, this.#effects, changed) as never),
    );
  }

  override updateSortedSet<Result>(
    key: Buffer,
    mutator: (tracked: Tracked<"updateSortedSet">) => Result,
  ): Result {
    return this.#update(key, "zset", (value: SortedSetData, entry, changed) =>
      mutator(new RecordedSortedSet(entry.key, value, this.#effects, changed) as never),
    );
  }

  override updateStream<Result>(key: Buffer, mutator: (tracked: StreamTracker) => Result): Result {
    return this.#update(key, "stream", (value: RedisStreamData, entry, changed, committed) =>
      mutator(recordedStream(entry.key, value, this.#effects, changed, committed)),
    );
  }

  override flush(): void {
    this.#entries.clear();
    this.#expiries.clear();
    this.#effects.flush();
    this.#emit({ type: "flush", database: this.id });
  }

  override size(): number {
    this.sweepExpired();
    return this.#entries.size;
  }

  /** The live entries, not copies: for commands that only look (KEYS, SCAN, RANDOMKEY). */
  override entriesSnapshot(): KeyspaceEntry[] {
    this.sweepExpired();
    return [...this.#entries.values()] as KeyspaceEntry[];
  }

  override sweepExpired(nowMs = Date.now()): number {
    let count = 0;
    for (let due = this.#expiries.due(nowMs); due; due = this.#expiries.due(nowMs)) {
      const entry = this.#entries.get(due.id);
      if (entry?.expiresAt === due.atMs) {
        this.#evict(due.id, entry);
        count++;
      }
    }
    return count;
  }

  override subscribe(listener: RedisMutationListener): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  override subscribeKey(key: Buffer, listener: RedisMutationListener): Unsubscribe {
    const id = key.toString("hex");
    const listeners = this.#keyListeners.get(id) ?? new Set();
    this.#keyListeners.set(id, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#keyListeners.delete(id);
    };
  }

  #live(key: Buffer): KeyEntry | undefined {
    const id = key.toString("hex");
    const entry = this.#entries.get(id);
    if (entry?.expiresAt === undefined || entry.expiresAt > Date.now()) return entry;
    this.#evict(id, entry);
    return undefined;
  }

  #evict(id: string, entry: KeyEntry): void {
    this.#entries.delete(id);
    this.#effects.remove(entry.key);
    this.#emit({ type: "evict", database: this.id, key: entry.key });
  }

  #typed<Data>(key: Buffer, kind: Kind): Data | null {
    const value = this.get(key);
    if (!value) return null;
    if (value.type !== kind) throw new WrongTypeRedisError();
    return value as Data;
  }

  #store(key: Buffer, value: RedisDataValue, options?: SetOptions): void {
    const id = key.toString("hex");
    const expiresAt = options?.keepTtl ? this.#live(key)?.expiresAt : options?.expiresAt;
    const entry: KeyEntry = { key: Buffer.from(key), value };
    if (expiresAt !== undefined) {
      entry.expiresAt = expiresAt;
      this.#expiries.add(id, expiresAt);
    }
    this.#entries.set(id, entry);
    if (value.type !== "string") this.#effects.remove(entry.key);
    describeEntry(entry, this.#effects);
    this.#emitWrite(entry);
  }

  #update<Data, Result>(
    key: Buffer,
    kind: Kind,
    mutate: (value: Data, entry: KeyEntry, changed: MarkChanged, committed: MarkChanged) => Result,
  ): Result {
    const existing = this.#live(key);
    if (existing && existing.value.type !== kind) throw new WrongTypeRedisError();
    const entry = existing ?? { key: Buffer.from(key), value: emptyValue(kind) as RedisDataValue };
    const recordedBefore = this.#effects.length;
    let dirty = false;
    let committed = false;
    let stored = existing !== undefined;
    try {
      const result = mutate(
        entry.value as Data,
        entry,
        () => {
          dirty = true;
        },
        () => {
          committed = true;
        },
      );
      if (isEmpty(entry.value)) {
        stored = false;
        if (existing) {
          this.#entries.delete(key.toString("hex"));
          this.#emit({ type: "delete", database: this.id, key: entry.key });
        }
      } else if (dirty || committed) {
        stored = true;
        this.#entries.set(key.toString("hex"), entry);
        if (dirty || !existing) this.#emitWrite(entry);
      }
      return result;
    } finally {
      // What was recorded on a value that is not kept would come back with the journal.
      if (!stored && (existing || this.#effects.length > recordedBefore)) this.#effects.remove(entry.key);
    }
  }

  #emitWrite(entry: KeyEntry): void {
    this.#emit({
      type: "write",
      database: this.id,
      key: entry.key,
      value: entry.value,
      ...(entry.expiresAt === undefined ? {} : { expiresAt: entry.expiresAt }),
    });
  }

  #emit(event: RedisMutationEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
    if (this.#keyListeners.size === 0) return;
    const told =
      event.type === "flush"
        ? [...this.#keyListeners.values()]
        : [this.#keyListeners.get(event.key.toString("hex")) ?? new Set<RedisMutationListener>()];
    for (const listeners of told) for (const listener of [...listeners]) listener(event);
  }
}

function isEmpty(value: RedisDataValue): boolean {
  switch (value.type) {
    case "hash":
      return value.fields.size === 0;
    case "list":
      return value.values.length === 0;
    case "set":
    case "zset":
      return value.members.size === 0;
    default:
      return false;
  }
}

/** A value of ours with the same content: RENAME and COPY hand in another key's live value. */
function ownCopy(value: RedisDataValue): RedisDataValue {
  if (value.type !== "zset") return cloneRedisDataValue(value);
  const own = emptyValue("zset");
  for (const [id, { member, score }] of value.members) own.members.set(id, { member, score });
  return own as RedisDataValue;
}
