import { existsSync, realpathSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";

/** The folder that a path is told relative to: the nearest above it that git looks after, or undefined. */
export function repositoryAbove(folder: string): string | undefined {
  for (let at = resolve(folder); ; at = dirname(at)) {
    // A file of that name leads to the repository, in worktrees and submodules.
    if (existsSync(join(at, ".git"))) return realpathSync(at);
    if (dirname(at) === at) return undefined;
  }
}

/**
 * The one name under which every process knows a file: relative to the root, with slashes, links followed. A file that
 * does not exist yet is named by the nearest folder that does. Undefined for what is not below the root.
 */
export function repositoryPath(root: string, folder: string, given: string): string | undefined {
  const path = real(isAbsolute(given) ? given : resolve(folder, given));
  const below = relative(real(root), path);
  if (below === "" || below === ".." || below.startsWith(`..${sep}`) || isAbsolute(below)) return undefined;
  return below.split(sep).join("/");
}

/** `.` for the folder itself and `..` for one in which it lies, links followed; undefined for any other path. */
export function aroundFolder(folder: string, path: string): "." | ".." | undefined {
  const below = relative(real(path), real(folder));
  if (below === "") return ".";
  return below === ".." || below.startsWith(`..${sep}`) || isAbsolute(below) ? undefined : "..";
}

function real(path: string): string {
  const missing: string[] = [];
  for (let at = resolve(path); ; at = dirname(at)) {
    try {
      return join(realpathSync(at), ...missing);
    } catch {
      if (dirname(at) === at) return path;
      missing.unshift(at.slice(dirname(at).length).replace(/^[\\/]/, ""));
    }
  }
}
