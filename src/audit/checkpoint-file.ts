import { createPublicKey, type KeyObject } from "node:crypto";
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { type Checkpoint, keyName, parseCheckpoint, writeCheckpoint } from "./checkpoint.js";

/** The copy of the checkpoints outside the store, and the public keys that verify them. Only ever appended to. */
export interface CheckpointFile {
  readonly keys: readonly KeyObject[];
  readonly checkpoints: readonly Checkpoint[];
}

/** Adds a checkpoint, and before the first of a key the key; on the disk when it returns. */
export function appendCheckpoint(path: string, checkpoint: Checkpoint, key: KeyObject): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const begun = `${path} ${checkpoint.key}`;
  const opening = begunWith.has(begun) && existsSync(path) ? "" : keyLine(path, key);
  const file = openSync(path, "a+", 0o600);
  try {
    writeSync(file, `${endOfTornLine(file)}${opening}${writeCheckpoint(checkpoint)}\n`);
    fsyncSync(file);
    begunWith.add(begun);
  } finally {
    closeSync(file);
  }
}

/** Files that this process has written to, by the key: they grow for years, and need not be read each time. */
const begunWith = new Set<string>();

/** The public key, where the file has not told it yet. */
function keyLine(path: string, key: KeyObject): string {
  const before = existsSync(path) ? readFileSync(path, "utf8") : "";
  const publicKey = createPublicKey(key);
  const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
  const isKnown = parseLines(before).keys.some((one) => keyName(one) === keyName(publicKey));
  return isKnown ? "" : `${JSON.stringify({ public_key: pem })}\n`;
}

/** A line that was torn when the machine stopped must not take the next one with it. */
function endOfTornLine(file: number): string {
  const { size } = fstatSync(file);
  const last = Buffer.alloc(1);
  if (size === 0 || readSync(file, last, 0, 1, size - 1) === 0) return "";
  return last.toString() === "\n" ? "" : "\n";
}

/** What a file holds; nothing when there is none. */
export function readCheckpointFile(path: string): CheckpointFile {
  return parseLines(existsSync(path) ? readFileSync(path, "utf8") : "");
}

function parseLines(text: string): CheckpointFile {
  const keys: KeyObject[] = [];
  const checkpoints: Checkpoint[] = [];
  for (const line of text.split("\n")) {
    const checkpoint = parseCheckpoint(line);
    if (checkpoint) checkpoints.push(checkpoint);
    else if (line.startsWith('{"public_key":')) {
      const key = parseKey(line);
      if (key) keys.push(key);
    }
  }
  return { keys, checkpoints };
}

function parseKey(line: string): KeyObject | undefined {
  try {
    return createPublicKey((JSON.parse(line) as { public_key: string }).public_key);
  } catch {
    return undefined;
  }
}
