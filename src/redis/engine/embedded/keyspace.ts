import { deserialize, serialize } from "node:v8";
import type {
  RedisDataValue,
  RedisHashData,
  RedisListData,
  RedisSetData,
  RedisStreamData,
} from "js-redis-server/core";
import { type EffectBuffer, type EffectReader, effect } from "./effects.js";
import { SortedMembers } from "./sorted-members.js";

export interface SortedSetData {
  type: "zset";
  members: SortedMembers;
}

export interface KeyEntry {
  key: Buffer;
  value: RedisDataValue;
  /** absolute milliseconds */
  expiresAt?: number;
}

/** Keys are looked up by the hexadecimal form of their bytes, as the engine's commands do for fields and members. */
export type Keyspace = Map<string, KeyEntry>;

type Kind = RedisDataValue["type"];
type Value<K extends Kind> = K extends "zset" ? SortedSetData : Extract<RedisDataValue, { type: K }>;

/** A new, empty value; sorted sets are ours, because theirs have no order to read from. */
export function emptyValue<K extends Exclude<Kind, "string">>(kind: K): Value<K> {
  const made = {
    hash: (): RedisHashData => ({ type: "hash", fields: new Map() }),
    list: (): RedisListData => ({ type: "list", values: [] }),
    set: (): RedisSetData => ({ type: "set", members: new Map() }),
    zset: (): SortedSetData => ({ type: "zset", members: new SortedMembers() }),
    stream: (): RedisStreamData => ({
      type: "stream",
      entries: [],
      lastId: { ms: 0n, seq: 0n },
      entriesAdded: 0,
      maxDeletedEntryId: { ms: 0n, seq: 0n },
      groups: new Map(),
    }),
  }[kind];
  return made() as Value<K>;
}

/**
 * Applies every effect the reader holds.
 *
 * @throws {RangeError} on an effect that this version does not know or that is cut short
 */
export function applyEffects(keyspace: Keyspace, reader: EffectReader): void {
  while (!reader.done) {
    const kind = reader.kind();
    const key = reader.blob();
    const id = key.toString("hex");
    switch (kind) {
      case effect.string:
        keyspace.set(id, { key, value: { type: "string", value: reader.blob() } });
        break;
      case effect.remove:
        keyspace.delete(id);
        break;
      case effect.expireAt: {
        const atMs = reader.double();
        const entry = keyspace.get(id);
        if (entry) entry.expiresAt = atMs;
        break;
      }
      case effect.persist:
        delete keyspace.get(id)?.expiresAt;
        break;
      case effect.flush:
        keyspace.clear();
        break;
      case effect.hashField: {
        const field = reader.blob();
        valueAt(keyspace, id, key, "hash").fields.set(field.toString("hex"), { field, value: reader.blob() });
        break;
      }
      case effect.hashRemove:
        valueAt(keyspace, id, key, "hash").fields.delete(reader.blob().toString("hex"));
        break;
      case effect.setAdd: {
        const member = reader.blob();
        valueAt(keyspace, id, key, "set").members.set(member.toString("hex"), member);
        break;
      }
      case effect.setRemove:
        valueAt(keyspace, id, key, "set").members.delete(reader.blob().toString("hex"));
        break;
      case effect.sortedAdd: {
        const member = reader.blob();
        const entry = { member, score: reader.double() };
        valueAt(keyspace, id, key, "zset").members.set(member.toString("hex"), entry);
        break;
      }
      case effect.sortedRemove:
        valueAt(keyspace, id, key, "zset").members.delete(reader.blob().toString("hex"));
        break;
      case effect.listSplice: {
        const list = valueAt(keyspace, id, key, "list");
        const start = reader.uint32();
        const removed = reader.uint32();
        list.values.splice(start, removed, ...reader.blobs());
        break;
      }
      case effect.streamAppend: {
        const stream = valueAt(keyspace, id, key, "stream");
        const entryId = { ms: reader.uint64(), seq: reader.uint64() };
        stream.entries.push({ id: entryId, fields: reader.blobs() });
        stream.lastId = entryId;
        stream.entriesAdded++;
        break;
      }
      case effect.streamTrim:
        valueAt(keyspace, id, key, "stream").entries.splice(0, reader.uint32());
        break;
      case effect.streamRemove: {
        const stream = valueAt(keyspace, id, key, "stream");
        const ms = reader.uint64();
        const seq = reader.uint64();
        const index = stream.entries.findIndex((entry) => entry.id.ms === ms && entry.id.seq === seq);
        if (index >= 0) stream.entries.splice(index, 1);
        break;
      }
      case effect.streamState:
        Object.assign(valueAt(keyspace, id, key, "stream"), readStreamState(reader.blob()));
        break;
      default:
        throw new RangeError(`effect ${kind} is unknown to this version`);
    }
  }
}

function valueAt<K extends Exclude<Kind, "string">>(
  keyspace: Keyspace,
  id: string,
  key: Buffer,
  kind: K,
): Value<K> {
  const entry = keyspace.get(id);
  if (entry?.value.type === kind) return entry.value as Value<K>;
  const value = emptyValue(kind);
  keyspace.set(id, { key, value: value as RedisDataValue });
  return value;
}

type StreamState = Omit<RedisStreamData, "type" | "entries">;

/** Everything of a stream but its entries: last id, counters, groups with their consumers and pending entries. */
export function streamState(stream: RedisStreamData): Buffer {
  const { lastId, entriesAdded, maxDeletedEntryId, groups } = stream;
  return serialize({ lastId, entriesAdded, maxDeletedEntryId, groups } satisfies StreamState);
}

function readStreamState(bytes: Buffer): StreamState {
  const state = deserialize(bytes) as StreamState;
  for (const group of state.groups.values()) {
    group.name = Buffer.from(group.name); // structured clone gives plain byte arrays
    for (const consumer of group.consumers.values()) consumer.name = Buffer.from(consumer.name);
  }
  return state;
}

/** Writes the effects that make this entry from nothing. */
export function describeEntry(entry: KeyEntry, effects: EffectBuffer): void {
  const { key, value } = entry;
  switch (value.type) {
    case "string":
      effects.string(key, value.value);
      break;
    case "hash":
      for (const { field, value: content } of value.fields.values()) effects.hashField(key, field, content);
      break;
    case "list":
      for (let start = 0; start < value.values.length; start += 1000) {
        effects.listSplice(key, start, 0, value.values.slice(start, start + 1000));
      }
      break;
    case "set":
      for (const member of value.members.values()) effects.setAdd(key, member);
      break;
    case "zset":
      for (const { member, score } of value.members.values()) effects.sortedAdd(key, member, score);
      break;
    case "stream":
      for (const { id, fields } of value.entries) effects.streamAppend(key, id.ms, id.seq, fields);
      effects.streamState(key, streamState(value));
      break;
  }
  if (entry.expiresAt !== undefined) effects.expireAt(key, entry.expiresAt);
}
