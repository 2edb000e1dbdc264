import type { FileDeed } from "./file-deed.js";
import { mostPaths, withoutSlashes } from "./places.js";
import { unknownPart } from "./shell-words.js";

/** What is copied, moved or linked, and to where. */
export interface Copy {
  readonly sources: readonly string[];
  readonly target: string;
  /** Whether the target is a folder (`into`), a file (`onto`), or either. */
  readonly goes: "into" | "onto" | "either";
  /** Whether it takes the place of a link at the target, and does not write to what that leads to. */
  readonly replaces: boolean;
  /** Whether it lies there under its whole path, and not by its last name alone. */
  readonly keepsPath?: boolean;
}

/**
 * What a copy writes: in a folder the entries that are called as the sources are, else the target. Where it may be either,
 * both, as far as the entry is known. What lies in a folder that is copied is not told.
 */
export function copiedFiles({ sources, target, goes, replaces, keepsPath = false }: Copy): FileDeed {
  const isFolder = goes === "into" || (goes === "either" && (sources.length > 1 || namesFolder(target)));
  // One more than is asked about one by one.
  const few = sources.slice(0, mostPaths + 1);
  const entries =
    goes === "onto"
      ? []
      : few.map((source) =>
          keepsPath ? within(target, source.replace(/^\/+/, "")) : copied(source, target),
        );
  const known = entries.filter((entry) => !entry.includes(unknownPart));
  if (isFolder) return { action: "file.write", paths: entries, ofLinks: replaces };
  // The root, or what that lies in, is a folder, in which nothing but the entry is written.
  const isIn = goes === "either" && !entries.includes(withoutSlashes(target));
  return {
    ...{ action: "file.write", paths: [target, ...known], ofLinks: replaces },
    ...(isIn && { asFile: target }),
  };
}

export function within(folder: string, entry: string): string {
  if (folder === "" || /^(?:[/~]|[A-Za-z]:\/)/.test(entry)) return entry;
  return `${folder}${folder.endsWith("/") ? "" : "/"}${entry}`;
}

/** The name of what a path leads to; an unknown one where its letters do not tell it. */
export function entryOf(path: string): string {
  const named = withoutSlashes(path);
  const entry = named.slice(named.lastIndexOf("/") + 1);
  return /^(?:|\.{1,2}|~.*|\*+)$/s.test(entry) ? unknownPart : entry;
}

/** All that lies in a folder takes the place of what lies in another one. */
function copied(source: string, target: string): string {
  const isWhole = /(?:^|\/)\.$/.test(source) && /[^./~][./~]*$/.test(target);
  return isWhole ? withoutSlashes(target) : within(target, entryOf(source));
}

function namesFolder(path: string): boolean {
  return /(?:^|\/)(?:\.{0,2}|~)$/.test(path);
}
