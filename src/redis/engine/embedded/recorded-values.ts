import type {
  RedisDatabase,
  RedisHashData,
  RedisHashField,
  RedisListData,
  RedisSetData,
  RedisSortedSetMember,
} from "js-redis-server/core";
import type { EffectBuffer } from "./effects.js";
import type { SortedSetData } from "./keyspace.js";

type Tracked<Method extends "updateHash" | "updateList" | "updateSet" | "updateSortedSet"> = Parameters<
  Parameters<RedisDatabase[Method]>[1]
>[0];
/** The public side of what the engine hands to its commands; its own classes have private parts ours need not share. */
type Surface<T> = Pick<T, keyof T>;

/** Called when a command changed the value, so that watchers and blocked readers hear of it. */
export type MarkChanged = () => void;

export class RecordedHash implements Surface<Tracked<"updateHash">> {
  readonly #key: Buffer;
  readonly #hash: RedisHashData;
  readonly #effects: EffectBuffer;
  readonly #changed: MarkChanged;

  constructor(key: Buffer, hash: RedisHashData, effects: EffectBuffer, changed: MarkChanged) {
    this.#key = key;
    this.#hash = hash;
    this.#effects = effects;
    this.#changed = changed;
  }

  get size(): number {
    return this.#hash.fields.size;
  }

  getField(field: Buffer): RedisHashField | undefined {
    return this.#hash.fields.get(field.toString("hex"));
  }

  hasField(field: Buffer): boolean {
    return this.getField(field) !== undefined;
  }

  setField(
    field: Buffer,
    value: Buffer,
    options: { forceDirty?: boolean } = {},
  ): { added: boolean; valueChanged: boolean } {
    const existing = this.getField(field);
    const valueChanged = !existing?.value.equals(value);
    if (valueChanged) {
      this.#hash.fields.set(field.toString("hex"), { field, value });
      this.#effects.hashField(this.#key, field, value);
    }
    if (options.forceDirty || valueChanged) this.#changed();
    return { added: existing === undefined, valueChanged };
  }

  setFieldIfAbsent(field: Buffer, value: Buffer): boolean {
    if (this.hasField(field)) return false;
    this.setField(field, value);
    return true;
  }

  deleteField(field: Buffer): boolean {
    if (!this.#hash.fields.delete(field.toString("hex"))) return false;
    this.#effects.hashRemove(this.#key, field);
    this.#changed();
    return true;
  }

  /** Fields that expire came with Redis 7.4; the compatibility level in force has no command that leads here. */
  setFieldExpiration(): never {
    throw new Error("fields do not expire at this compatibility level");
  }

  clearFieldExpiration(): false {
    return false;
  }

  entries(): IterableIterator<RedisHashField> {
    return this.#hash.fields.values();
  }
}

export class RecordedList implements Surface<Tracked<"updateList">> {
  readonly #key: Buffer;
  readonly #values: Buffer[];
  readonly #effects: EffectBuffer;
  readonly #changed: MarkChanged;

  constructor(key: Buffer, list: RedisListData, effects: EffectBuffer, changed: MarkChanged) {
    this.#key = key;
    this.#values = list.values;
    this.#effects = effects;
    this.#changed = changed;
  }

  get length(): number {
    return this.#values.length;
  }

  pushLeft(values: readonly Buffer[]): number {
    this.#splice(0, 0, [...values].reverse());
    return this.#values.length;
  }

  pushRight(values: readonly Buffer[]): number {
    this.#splice(this.#values.length, 0, values);
    return this.#values.length;
  }

  pop(side: "left" | "right"): Buffer | null {
    return this.popMany(side, 1)[0] ?? null;
  }

  popMany(side: "left" | "right", count: number): Buffer[] {
    const taken = Math.min(count, this.#values.length);
    if (taken <= 0) return [];
    const values = this.#splice(side === "left" ? 0 : this.#values.length - taken, taken, []);
    return side === "left" ? values : values.reverse();
  }

  setAt(index: number, value: Buffer): void {
    this.#splice(index, 1, [value]);
  }

  insertRelativeTo(pivot: Buffer, element: Buffer, position: "before" | "after"): number {
    const pivotIndex = this.#values.findIndex((value) => value.equals(pivot));
    if (pivotIndex === -1) return -1;
    this.#splice(position === "before" ? pivotIndex : pivotIndex + 1, 0, [element]);
    return this.#values.length;
  }

  /** @param count how many to take away: from the left when positive, from the right when negative, all when 0 */
  removeMatching(count: number, element: Buffer): number {
    const found: number[] = [];
    const limit = count === 0 ? Number.POSITIVE_INFINITY : Math.abs(count);
    const length = this.#values.length;
    for (let i = 0; i < length && found.length < limit; i++) {
      const index = count < 0 ? length - 1 - i : i;
      if (this.#values[index]!.equals(element)) found.push(index);
    }
    for (const index of found.sort((a, b) => b - a)) this.#splice(index, 1, []);
    return found.length;
  }

  trim(start: number, stop: number, options: { forceDirty?: boolean } = {}): { empty: boolean } {
    const length = this.#values.length;
    if (start > stop) this.#splice(0, length, []);
    else {
      if (stop < length - 1) this.#splice(stop + 1, length - stop - 1, []);
      if (start > 0) this.#splice(0, start, []);
    }
    if (options.forceDirty) this.#changed();
    return { empty: this.#values.length === 0 };
  }

  #splice(start: number, removed: number, added: readonly Buffer[]): Buffer[] {
    if (removed === 0 && added.length === 0) return [];
    this.#effects.listSplice(this.#key, start, removed, added);
    this.#changed();
    return this.#values.splice(start, removed, ...added);
  }
}

export class RecordedSet implements Surface<Tracked<"updateSet">> {
  readonly #key: Buffer;
  readonly #members: Map<string, Buffer>;
  readonly #effects: EffectBuffer;
  readonly #changed: MarkChanged;

  constructor(key: Buffer, set: RedisSetData, effects: EffectBuffer, changed: MarkChanged) {
    this.#key = key;
    this.#members = set.members;
    this.#effects = effects;
    this.#changed = changed;
  }

  get size(): number {
    return this.#members.size;
  }

  hasMember(member: Buffer): boolean {
    return this.#members.has(member.toString("hex"));
  }

  addMember(member: Buffer): boolean {
    const id = member.toString("hex");
    if (this.#members.has(id)) return false;
    this.#members.set(id, member);
    this.#effects.setAdd(this.#key, member);
    this.#changed();
    return true;
  }

  deleteMember(member: Buffer): boolean {
    return this.deleteMemberId(member.toString("hex"));
  }

  deleteMemberId(hex: string): boolean {
    const member = this.#members.get(hex);
    if (!member) return false;
    this.#members.delete(hex);
    this.#effects.setRemove(this.#key, member);
    this.#changed();
    return true;
  }

  randomMemberEntries(): [string, Buffer][] {
    return [...this.#members.entries()];
  }

  replaceMembers(
    ids: Set<string>,
    members: Map<string, Buffer>,
    options: { forceDirty?: boolean } = {},
  ): void {
    for (const id of [...this.#members.keys()]) if (!ids.has(id)) this.deleteMemberId(id);
    for (const id of ids) this.addMember(members.get(id)!);
    if (options.forceDirty) this.#changed();
  }
}

export class RecordedSortedSet implements Surface<Tracked<"updateSortedSet">> {
  readonly #key: Buffer;
  readonly #members: SortedSetData["members"];
  readonly #effects: EffectBuffer;
  readonly #changed: MarkChanged;

  constructor(key: Buffer, sorted: SortedSetData, effects: EffectBuffer, changed: MarkChanged) {
    this.#key = key;
    this.#members = sorted.members;
    this.#effects = effects;
    this.#changed = changed;
  }

  get size(): number {
    return this.#members.size;
  }

  getMember(member: Buffer): RedisSortedSetMember | undefined {
    return this.#members.get(member.toString("hex"));
  }

  setScore(
    member: Buffer,
    score: number,
    options: { forceDirty?: boolean } = {},
  ): { added: boolean; scoreChanged: boolean } {
    const id = member.toString("hex");
    const existing = this.#members.get(id);
    const scoreChanged = existing?.score !== score;
    if (scoreChanged) {
      this.#members.set(id, { member, score });
      this.#effects.sortedAdd(this.#key, member, score);
    }
    if (options.forceDirty || scoreChanged) this.#changed();
    return { added: existing === undefined, scoreChanged };
  }

  deleteMember(member: Buffer): boolean {
    return this.deleteMemberId(member.toString("hex"));
  }

  deleteMemberId(hex: string): boolean {
    const existing = this.#members.get(hex);
    if (!existing) return false;
    this.#members.delete(hex);
    this.#effects.sortedRemove(this.#key, existing.member);
    this.#changed();
    return true;
  }

  entries(): IterableIterator<[string, RedisSortedSetMember]> {
    return this.#members.entries();
  }

  replaceMembers(members: Map<string, RedisSortedSetMember>, options: { forceDirty?: boolean } = {}): void {
    for (const id of [...this.#members.keys()]) if (!members.has(id)) this.deleteMemberId(id);
    for (const { member, score } of members.values()) this.setScore(member, score);
    if (options.forceDirty) this.#changed();
  }
}
