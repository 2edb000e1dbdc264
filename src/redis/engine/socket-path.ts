import { existsSync, lstatSync, mkdirSync, realpathSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { directoryError, nameAnother, SetupError } from "./setup-error.js";

/** The kernel's limit is 104 bytes on macOS and 108 on Linux, terminator included. */
const longestSocketPath = 99;

/**
 * Creates the directory for its owner alone, or checks that it is this user's.
 *
 * @throws {SetupError} when it is another's, or cannot be made; {EngineError} where that may pass, as a full disk
 */
export function ownDirectory(directory: string): void {
  try {
    makeDirectory(directory);
  } catch (error) {
    throw directoryError(`${directory} cannot be a data directory`, error);
  }
  if (process.getuid && statSync(directory).uid !== process.getuid()) {
    throw new SetupError(`${directory} belongs to another user; ${nameAnother}`);
  }
}

/** Level by level: the recursive way of Node.js never returns where making one fails with ENOENT, as below /proc. */
function makeDirectory(directory: string): void {
  if (existsSync(directory)) {
    if (!statSync(directory).isDirectory()) throw new Error("it is a file");
    return;
  }
  makeDirectory(dirname(directory));
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    // Another process may have been faster.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

/**
 * Where the engine of this data directory listens: the same answer for every process of this user.
 *
 * In the directory itself when that path is short enough for a socket, else under a short path derived from it.
 */
export function socketPathFor(dataDir: string): string {
  const real = realpathSync(dataDir);
  if (process.platform === "win32") return `\\\\.\\pipe\\llm-mailbox-${digest(real)}`;
  const beside = join(real, "engine.sock");
  if (Buffer.byteLength(beside) <= longestSocketPath) return beside;
  const name = join(`llm-mailbox-${process.getuid?.() ?? 0}`, `${digest(real)}.sock`);
  const bases = [process.env.XDG_RUNTIME_DIR, tmpdir(), "/tmp"].filter((base) => base !== undefined);
  const short = bases
    .map((base) => join(base, name))
    .find((path) => Buffer.byteLength(path) <= longestSocketPath);
  if (!short) throw new SetupError(`${real} is too long for a socket, and so are XDG_RUNTIME_DIR and TMPDIR`);
  const directory = join(short, "..");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const found = lstatSync(directory);
  if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o077) !== 0) {
    throw new SetupError(`${directory} is not a directory of yours alone; remove it or set XDG_RUNTIME_DIR`);
  }
  return short;
}

function digest(text: string): string {
  // Loaded when it is needed: most data directories have short paths, and this is on the way of every start.
  const { createHash } = process.getBuiltinModule("node:crypto");
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
