import { randomBytes } from "node:crypto";
import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";

/** The text of a file; undefined where there is none. */
export function textOf(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

/**
 * Replaces a file by a text, whole or not at all, and keeps its mode and what points to it. What was there is kept
 * beside it under a name of its own.
 *
 * @returns the name of what was there, undefined when there was nothing
 */
export function writeWhole(path: string, text: string): string | undefined {
  mkdirSync(dirname(path), { recursive: true });
  const file = existsSync(path) ? realpathSync(path) : path;
  const mode = statSync(file, { throwIfNoEntry: false })?.mode;
  const backup = mode === undefined ? undefined : keep(file);
  const beside = `${file}.${randomBytes(4).toString("hex")}`;
  try {
    writeFileSync(beside, text, { flag: "wx" });
    if (mode !== undefined) chmodSync(beside, mode & 0o7777);
    renameSync(beside, file);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
  return backup;
}

function keep(file: string): string {
  for (let n = 1; ; n++) {
    const backup = `${file}.before-mailbox${n === 1 ? "" : `-${n}`}`;
    try {
      copyFileSync(file, backup, constants.COPYFILE_EXCL);
      return backup;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}
