/**
 * What a command did to the data, as bytes.
 *
 * An effect names a result ("this field now holds this"), never the command that led to it, and carries absolute
 * times only, so that reading a journal again gives the same data on any later day. Effects on hashes, sets,
 * sorted sets and strings may be repeated without harm; those on lists and streams may not, and are written once.
 */
export const effect = {
  string: 1,
  remove: 2,
  expireAt: 3,
  persist: 4,
  flush: 5,
  hashField: 6,
  hashRemove: 7,
  setAdd: 8,
  setRemove: 9,
  sortedAdd: 10,
  sortedRemove: 11,
  listSplice: 12,
  streamAppend: 13,
  streamTrim: 14,
  streamRemove: 15,
  streamState: 16,
} as const;

/** Grows as needed; what was sealed can be taken while more is being written. */
export class EffectBuffer {
  #bytes = Buffer.allocUnsafe(64 * 1024);
  #length = 0;
  #sealed = 0;

  /** True when at least one effect waits to be taken. */
  get hasSealed(): boolean {
    return this.#sealed > 0;
  }

  /** Bytes written since the last take, sealed or not: tells a caller whether anything was recorded meanwhile. */
  get length(): number {
    return this.#length;
  }

  /** Everything written so far belongs to finished commands. */
  seal(): void {
    this.#sealed = this.#length;
  }

  /** The sealed effects, as a copy; what came after them stays. */
  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(0, this.#sealed));
    this.#bytes.copyWithin(0, this.#sealed, this.#length);
    this.#length -= this.#sealed;
    this.#sealed = 0;
    return taken;
  }

  string(key: Buffer, value: Buffer): void {
    this.#open(effect.string, key);
    this.#blob(value);
  }

  remove(key: Buffer): void {
    this.#open(effect.remove, key);
  }

  expireAt(key: Buffer, atMs: number): void {
    this.#open(effect.expireAt, key);
    this.#double(atMs);
  }

  persist(key: Buffer): void {
    this.#open(effect.persist, key);
  }

  flush(): void {
    this.#open(effect.flush, Buffer.alloc(0));
  }

  hashField(key: Buffer, field: Buffer, value: Buffer): void {
    this.#open(effect.hashField, key);
    this.#blob(field);
    this.#blob(value);
  }

  hashRemove(key: Buffer, field: Buffer): void {
    this.#open(effect.hashRemove, key);
    this.#blob(field);
  }

  setAdd(key: Buffer, member: Buffer): void {
    this.#open(effect.setAdd, key);
    this.#blob(member);
  }

  setRemove(key: Buffer, member: Buffer): void {
    this.#open(effect.setRemove, key);
    this.#blob(member);
  }

  sortedAdd(key: Buffer, member: Buffer, score: number): void {
    this.#open(effect.sortedAdd, key);
    this.#blob(member);
    this.#double(score);
  }

  sortedRemove(key: Buffer, member: Buffer): void {
    this.#open(effect.sortedRemove, key);
    this.#blob(member);
  }

  listSplice(key: Buffer, start: number, removed: number, added: readonly Buffer[]): void {
    this.#open(effect.listSplice, key);
    this.#uint32(start);
    this.#uint32(removed);
    this.#blobs(added);
  }

  streamAppend(key: Buffer, ms: bigint, seq: bigint, fields: readonly Buffer[]): void {
    this.#open(effect.streamAppend, key);
    this.#uint64(ms);
    this.#uint64(seq);
    this.#blobs(fields);
  }

  /** @param count entries gone from the old end */
  streamTrim(key: Buffer, count: number): void {
    this.#open(effect.streamTrim, key);
    this.#uint32(count);
  }

  streamRemove(key: Buffer, ms: bigint, seq: bigint): void {
    this.#open(effect.streamRemove, key);
    this.#uint64(ms);
    this.#uint64(seq);
  }

  /** @param state all of a stream but its entries, serialised by `streamState` in keyspace.ts */
  streamState(key: Buffer, state: Buffer): void {
    this.#open(effect.streamState, key);
    this.#blob(state);
  }

  #open(kind: number, key: Buffer): void {
    this.#room(1);
    this.#bytes[this.#length++] = kind;
    this.#blob(key);
  }

  #blob(bytes: Buffer): void {
    this.#room(4 + bytes.length);
    this.#bytes.writeUInt32LE(bytes.length, this.#length);
    bytes.copy(this.#bytes, this.#length + 4);
    this.#length += 4 + bytes.length;
  }

  #blobs(list: readonly Buffer[]): void {
    this.#uint32(list.length);
    for (const bytes of list) this.#blob(bytes);
  }

  #uint32(value: number): void {
    this.#room(4);
    this.#bytes.writeUInt32LE(value, this.#length);
    this.#length += 4;
  }

  #uint64(value: bigint): void {
    this.#room(8);
    this.#bytes.writeBigUInt64LE(value, this.#length);
    this.#length += 8;
  }

  #double(value: number): void {
    this.#room(8);
    this.#bytes.writeDoubleLE(value, this.#length);
    this.#length += 8;
  }

  #room(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + count));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/** Reads what an `EffectBuffer` wrote. Blobs are copies: they may outlive the bytes read. */
export class EffectReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  kind(): number {
    return this.#bytes[this.#at++]!;
  }

  blob(): Buffer {
    const length = this.uint32();
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError("an effect reaches beyond its frame");
    const copy = Buffer.from(this.#bytes.subarray(this.#at, end));
    this.#at = end;
    return copy;
  }

  blobs(): Buffer[] {
    return Array.from({ length: this.uint32() }, () => this.blob());
  }

  uint32(): number {
    const value = this.#bytes.readUInt32LE(this.#at);
    this.#at += 4;
    return value;
  }

  uint64(): bigint {
    const value = this.#bytes.readBigUInt64LE(this.#at);
    this.#at += 8;
    return value;
  }

  double(): number {
    const value = this.#bytes.readDoubleLE(this.#at);
    this.#at += 8;
    return value;
  }
}
