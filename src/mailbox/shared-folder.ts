import { constants } from "node:fs";
import { type FileHandle, open, realpath, stat } from "node:fs/promises";
import { basename, join, sep } from "node:path";
import { refuse } from "../errors/index.js";

/**
 * Opens a regular file inside the folder the operator shares, by a relative name. Links are followed only as far as they
 * stay inside. Whatever else was named, or nothing, is refused alike: no caller learns what lies outside.
 *
 * @throws {MailboxError} `attachment.no_folder`, `attachment.outside`
 */
export async function openSharedFile(
  folder: string | undefined,
  relative: string,
): Promise<{ readonly file: FileHandle; readonly name: string; readonly bytes: number }> {
  if (folder === undefined) refuse("attachment.no_folder");
  // Both separators on every platform: what is refused here must not depend on where the server runs.
  const segments = relative.split(/[\\/]/);
  const plain = segments.every((segment) => segment !== "" && segment !== "." && segment !== "..");
  if (!plain || /[\0:\\]/.test(relative)) refuse("attachment.outside");
  let file: FileHandle | undefined;
  try {
    const root = await realpath(folder);
    const path = await inside(root, join(root, ...segments));
    file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    const opened = await file.stat();
    // A directory on the way may have become a link between the look and the opening: look again at what we hold.
    const again = await stat(await inside(root, path));
    if (!opened.isFile() || opened.dev !== again.dev || opened.ino !== again.ino)
      throw new Error("another file than the one that was looked at");
    return { file, name: basename(path), bytes: opened.size };
  } catch (error) {
    await file?.close();
    return refuse("attachment.outside", {}, { cause: error });
  }
}

async function inside(root: string, path: string): Promise<string> {
  const real = await realpath(path);
  if (!real.startsWith(root.endsWith(sep) ? root : `${root}${sep}`)) throw new Error("outside");
  return real;
}
