import { existsSync, realpathSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { realPath } from "./real-path.js";

/** The folder that a path is told relative to: the nearest above it that git looks after, or undefined. */
export function repositoryAbove(folder: string): string | undefined {
  for (let at = resolve(folder); ; at = dirname(at)) {
    // A file of that name leads to the repository, in worktrees and submodules.
    if (existsSync(join(at, ".git"))) return realpathSync(at);
    if (dirname(at) === at) return undefined;
  }
}

/**
 * The one name under which every process knows a file: relative to the root, with slashes, links followed, whether
 * or not it exists yet. Undefined for what is not below the root.
 */
export function repositoryPath(root: string, folder: string, given: string): string | undefined {
  const below = relative(realPath("/", resolve(root)), realPath(folder, given));
  if (below === "" || below === ".." || below.startsWith(`..${sep}`) || isAbsolute(below)) return undefined;
  return below.split(sep).join("/");
}

/** `.` for the folder itself and `..` for one in which it lies, links followed; undefined for any other path. */
export function aroundFolder(folder: string, path: string): "." | ".." | undefined {
  const below = relative(realPath("/", path), realPath("/", resolve(folder)));
  if (below === "") return ".";
  return below === ".." || below.startsWith(`..${sep}`) || isAbsolute(below) ? undefined : "..";
}
