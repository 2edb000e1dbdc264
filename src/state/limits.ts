/** What shared state holds and how long; counts, bytes and milliseconds. */
export interface StateLimits {
  /** Bytes of one value, as JSON. */
  readonly valueBytes: number;
  /** How deep the objects and lists of a value may be nested. */
  readonly valueLevels: number;
  /** Live entries whose keys begin with one name. */
  readonly groupEntries: number;
  /** Bytes of a namespace: keys, values, earlier versions, and what each of them costs besides. */
  readonly namespaceBytes: number;
  /** Earlier versions that are kept of a key, and bytes of their values. */
  readonly versions: number;
  readonly versionBytes: number;
  /** How long a key that is gone keeps its history, and a resource its highest token. */
  readonly goneMs: number;
  readonly idempotencyMs: number;
  /** How long our own repetition of a write without a key is told from a new one. */
  readonly attemptMs: number;
  /** Entries of a page, and bytes of their values. */
  readonly pageEntries: number;
  readonly pageBytes: number;
  /** Groups a page looks into. */
  readonly pageGroups: number;
  /** Room is given to groups in pieces of this many bytes. */
  readonly pieceBytes: number;
}

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

export const defaultStateLimits: StateLimits = {
  valueBytes: 64 * 1024,
  valueLevels: 100,
  groupEntries: 10_000,
  namespaceBytes: 256 * 1024 * 1024,
  versions: 20,
  versionBytes: 128 * 1024,
  goneMs: 7 * dayMs,
  idempotencyMs: dayMs,
  attemptMs: 10 * minuteMs,
  pageEntries: 50,
  pageBytes: 256 * 1024,
  pageGroups: 32,
  pieceBytes: 64 * 1024,
};

/** What every script that changes entries takes, in the order of lua/change.lua. */
export function scriptLimits({ versions, versionBytes, goneMs }: StateLimits): string {
  return [versions, versionBytes, goneMs].join(",");
}
