import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { EffectReader } from "./effects.js";
import { frameAt, nextFrame } from "./journal-frames.js";
import { applyEffects, type Keyspace } from "./keyspace.js";

/*
 * journal/log-7.bin    frames as they were written, then zeros that reserve room
 * journal/base-7.bin   the data as it was when log 7 was begun, written by compaction; absent for the first log
 *
 * The data is the newest base and every log from its number on. A base is written beside (`.writing`), synced and
 * renamed, and what it replaces is deleted last, so a crash at any moment leaves one complete set.
 */
export const journalDirectory = (dataDir: string): string => join(dataDir, "journal");
export const logPath = (directory: string, generation: number): string =>
  join(directory, `log-${generation}.bin`);
export const basePath = (directory: string, generation: number): string =>
  join(directory, `base-${generation}.bin`);

/** Thrown when a journal is damaged where it was already durable: starting would silently drop what follows. */
export class DamagedJournal extends Error {
  override readonly name = "DamagedJournal";
}

const remedy = "restore the data directory from a copy, or use another one";

export interface Recovered {
  /** of the newest base, or the first log when there is none */
  firstGeneration: number;
  /** of the log to go on writing */
  lastGeneration: number;
  lastNumber: bigint;
  /** where the last log ends, without what was torn */
  end: number;
  /** bytes of a write that was cut short at the end of the last log, never answered to anyone */
  tornBytes: number;
  baseBytes: number;
  logBytes: number;
}

export function listGenerations(directory: string): { bases: number[]; logs: number[] } {
  const numbers = (pattern: RegExp): number[] =>
    readdirSync(directory)
      .flatMap((name) => pattern.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b);
  return { bases: numbers(/^base-(\d+)\.bin$/), logs: numbers(/^log-(\d+)\.bin$/) };
}

/**
 * Reads base and logs up to, not including, generation `until` into the keyspace.
 *
 * @throws {DamagedJournal} when a frame is damaged and whole frames follow it, or one is missing
 */
export function recover(
  directory: string,
  keyspace: Keyspace,
  until = Number.POSITIVE_INFINITY,
): Recovered | undefined {
  const { bases, logs } = listGenerations(directory);
  const base = bases.findLast((generation) => generation < until);
  const used = logs.filter((generation) => generation < until && generation >= (base ?? 0));
  const firstGeneration = base ?? used[0];
  if (firstGeneration === undefined) return undefined;
  let number = 0n;
  let baseBytes = 0;
  if (base !== undefined) {
    const file = readFileSync(basePath(directory, base));
    baseBytes = file.length;
    number = readBase(basePath(directory, base), file, keyspace);
    if (used.length === 0) throw new DamagedJournal(`${logPath(directory, base)} is missing; ${remedy}`);
  }
  let logBytes = 0;
  let end = 0;
  let tornBytes = 0;
  used.forEach((generation, index) => {
    if (generation !== firstGeneration + index) {
      throw new DamagedJournal(`${logPath(directory, firstGeneration + index)} is missing; ${remedy}`);
    }
    const path = logPath(directory, generation);
    const file = readFileSync(path);
    const read = readFrames(path, file, keyspace, number);
    number = read.lastNumber;
    end = read.end;
    logBytes += end;
    tornBytes = lastNonZero(file) + 1 - end;
    if (tornBytes > 0 && index < used.length - 1) {
      throw new DamagedJournal(`${path} is damaged at byte ${end}; ${remedy}`);
    }
  });
  return {
    firstGeneration,
    lastGeneration: used.at(-1) ?? firstGeneration,
    lastNumber: number,
    end,
    tornBytes: Math.max(0, tornBytes),
    baseBytes,
    logBytes,
  };
}

/** A base ends with a frame that holds the number of the last write it contains: without it, it is not whole. */
function readBase(path: string, file: Buffer, keyspace: Keyspace): bigint {
  let end = 0;
  let last: Buffer | undefined;
  for (let frame = frameAt(file, 0); frame; frame = frameAt(file, end)) {
    if (last) applyEffects(keyspace, new EffectReader(last));
    last = frame.effects;
    end = frame.end;
  }
  if (end !== file.length || last?.length !== 8) {
    throw new DamagedJournal(`${path} is damaged at byte ${end}; ${remedy}`);
  }
  return last.readBigUInt64LE();
}

function readFrames(
  path: string,
  file: Buffer,
  keyspace: Keyspace,
  previous: bigint,
): { end: number; lastNumber: bigint } {
  let end = 0;
  let lastNumber = previous;
  for (let frame = frameAt(file, 0); frame; frame = frameAt(file, end)) {
    if (frame.number !== lastNumber + 1n) {
      throw new DamagedJournal(
        `${path} goes from write ${lastNumber} to ${frame.number} at byte ${end}; ${remedy}`,
      );
    }
    applyEffects(keyspace, new EffectReader(frame.effects));
    lastNumber = frame.number;
    end = frame.end;
  }
  const beyond = nextFrame(file, end);
  if (beyond !== -1) {
    throw new DamagedJournal(
      `${path} is damaged from byte ${end} to ${beyond}, and what was stored later follows; ${remedy}`,
    );
  }
  return { end, lastNumber };
}

function lastNonZero(file: Buffer): number {
  let at = file.length - 1;
  while (at >= 0 && file[at] === 0) at--;
  return at;
}

/** Makes creations, renames and deletions in a directory durable. */
export function syncDirectory(directory: string): void {
  if (process.platform === "win32") return; // directories cannot be opened there
  const handle = openSync(directory, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Deletes what the base of this generation has replaced, and what a crash left half written. */
export function removeReplaced(directory: string, firstGeneration: number): void {
  for (const name of readdirSync(directory)) {
    const generation = Number(/^(?:base|log)-(\d+)\.bin$/.exec(name)?.[1] ?? Number.NaN);
    if (generation < firstGeneration || name.endsWith(".writing"))
      rmSync(join(directory, name), { force: true });
  }
}
