import type { Reading } from "./reading.js";

/** What a patch does to which files, as Codex writes it (its tool `apply_patch`, and a command of the same name). */
export interface PatchedFiles {
  readonly written: readonly string[];
  readonly deleted: readonly string[];
}

/**
 * The files that a patch names. One that is moved is written at its new place and deleted at its old one.
 *
 * Its reader there ends lines at line feeds alone, and lets all that Unicode calls white space stand before a line that names
 * a file and behind it, so the same is let stand here; where a line of content looks like one that names a file, a file
 * too many is told, and none too few.
 *
 * @param reading what it may cost; without, it is read however long that takes
 */
export function patchedFiles(patch: string, reading?: Reading): PatchedFiles {
  const [written, deleted] = [new Set<string>(), new Set<string>()];
  let updated: string | undefined;
  for (const line of markedLines(patch, reading)) {
    const [, what, name] = naming.exec(line) ?? [];
    if (what === undefined) continue;
    if (what === "Delete File") deleted.add(name!);
    else written.add(name!);
    if (what === "Move to" && updated !== undefined) deleted.add(updated);
    updated = what === "Update File" ? name : undefined;
  }
  return { written: [...written], deleted: [...deleted] };
}

/** What stands in each line that names a file. */
const mark = "*** ";

function* markedLines(text: string, reading?: Reading): Iterable<string> {
  reading?.spend(1 + (text.length >> 8));
  let from = 0;
  for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, from)) {
    const lineEnd = text.indexOf("\n", at);
    const line = text.slice(text.lastIndexOf("\n", at) + 1, lineEnd < 0 ? undefined : lineEnd);
    reading?.spend(lineSteps + (line.length >> 4));
    yield line;
    if (lineEnd < 0) return;
    from = lineEnd + 1;
  }
}

const lineSteps = 10;

/** A line that names a file: what becomes of it, and its name. */
const naming = /^\p{White_Space}*\*\*\* (Add File|Update File|Delete File|Move to): (.*\P{White_Space})/su;
