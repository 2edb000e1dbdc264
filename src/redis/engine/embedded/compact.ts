import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { EffectBuffer } from "./effects.js";
import { basePath, recover, syncDirectory } from "./journal-files.js";
import { encodeFrame } from "./journal-frames.js";
import { describeEntry, type Keyspace } from "./keyspace.js";

const frameTargetBytes = 1024 * 1024;

/**
 * Writes the base of a generation from the files before it, which no one writes any more.
 *
 * Works from files alone, so it needs nothing of the engine that goes on serving meanwhile.
 */
export function writeBase(directory: string, generation: number): { bytes: number } {
  const keyspace: Keyspace = new Map();
  const recovered = recover(directory, keyspace, generation);
  const path = basePath(directory, generation);
  const draft = `${path}.writing`;
  const handle = openSync(draft, "w", 0o600);
  let bytes = 0;
  try {
    let number = 0n;
    const write = (effects: Buffer): void => {
      const frame = encodeFrame(++number, effects);
      for (let written = 0; written < frame.length; ) written += writeSync(handle, frame, written);
      bytes += frame.length;
    };
    const effects = new EffectBuffer();
    const writeSealed = (): void => {
      effects.seal();
      if (effects.hasSealed) write(effects.take());
    };
    for (const entry of keyspace.values()) {
      describeEntry(entry, effects);
      if (effects.length >= frameTargetBytes) writeSealed();
    }
    writeSealed();
    const upTo = Buffer.alloc(8);
    upTo.writeBigUInt64LE(recovered?.lastNumber ?? 0n);
    write(upTo);
    fsyncSync(handle);
  } catch (error) {
    rmSync(draft, { force: true }); // most likely there is no room, and this takes some
    throw error;
  } finally {
    closeSync(handle);
  }
  renameSync(draft, path);
  syncDirectory(directory);
  return { bytes };
}

if (parentPort) {
  const { directory, generation } = workerData as { directory: string; generation: number };
  parentPort.postMessage(writeBase(directory, generation));
}
