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
 */
export function patchedFiles(patch: string): PatchedFiles {
  const [written, deleted] = [new Set<string>(), new Set<string>()];
  let updated: string | undefined;
  for (const line of patch.split("\n")) {
    const [, what, name] = naming.exec(line) ?? [];
    if (what === undefined) continue;
    if (what === "Delete File") deleted.add(name!);
    else written.add(name!);
    if (what === "Move to" && updated !== undefined) deleted.add(updated);
    updated = what === "Update File" ? name : undefined;
  }
  return { written: [...written], deleted: [...deleted] };
}

/** A line that names a file: what becomes of it, and its name. */
const naming = /^\p{White_Space}*\*\*\* (Add File|Update File|Delete File|Move to): (.*\P{White_Space})/su;
