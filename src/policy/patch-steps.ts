import type { ClientAction } from "./client-actions.js";
import { type PatchedFiles, patchedFiles } from "./patched-files.js";
import { anything, mostPaths, type Places, unknownOf } from "./places.js";
import type { Reading } from "./reading.js";
import { unknownPart } from "./shell-words.js";
import type { ToolStep } from "./tool-step.js";

/** The files that a patch names, with an unknown one where only the shell could tell whether it names more. */
export function filesOfPatch(text: string, reading: Reading): PatchedFiles {
  const { written, deleted } = patchedFiles(text, reading);
  if (!text.includes(unknownPart)) return { written, deleted };
  reading.lookThrough(text, 2);
  return {
    written: hasUnknownLine.test(text) ? [...written, unknownPart] : written,
    deleted: deletesUnknown.test(text) ? [...deleted, unknownPart] : deleted,
  };
}

/**
 * What a patch writes and deletes; where it names no file, something is written of which nobody can tell what.
 *
 * @param resourcesOf the names under which a path is known to rules
 */
export function patchSteps(
  { written, deleted }: PatchedFiles,
  resourcesOf: (path: string, action: ClientAction) => readonly string[],
): readonly [ToolStep, ...ToolStep[]] {
  const on = (action: ClientAction, paths: readonly string[]): ToolStep[] => {
    const plain = paths.filter((path) => !path.includes(unknownPart));
    if (paths.length > mostPaths) return [{ action, resource: anything }];
    const known = plain.flatMap((path) =>
      resourcesOf(path, action).map((resource) => ({ action, resource })),
    );
    return plain.length < paths.length ? [...known, { action, resource: unknownOf(action) }] : known;
  };
  const [first = { action: "file.write", resource: "" }, ...rest] = [
    ...on("file.write", written),
    ...on("file.delete", deleted),
  ];
  return [first, ...rest];
}

/** A line of a patch of which only the shell could tell whether it names a file. */
const hasUnknownLine = /^[ \t]*(?:\*\*\* [^:\n]*)?\0/m;
const deletesUnknown = /^[ \t]*\*\*\* [^:\n]*\0/m;

/**
 * What a patch does that a command is told or fed. Where the shell had a part in it, names are read as they are written too:
 * Codex takes a here-document so, and what a variable holds may stand elsewhere in the text.
 */
export function patchedBy(
  args: readonly string[],
  fed: string,
  places: Places,
  text: { readonly files: PatchedFiles; readonly reading: Reading },
): ToolStep[] {
  const resourcesOf = (path: string, action: ClientAction): readonly string[] =>
    places.resources(path, action);
  const given = `${args.join("\n")}\n${fed}`;
  text.reading.spend(60);
  const patch = filesOfPatch(given, text.reading);
  const steps = patchSteps(patch, resourcesOf);
  const isPlain = fed === "" && !given.includes(unknownPart) && namesFiles(patch);
  return isPlain || !namesFiles(text.files) ? [...steps] : [...steps, ...patchSteps(text.files, resourcesOf)];
}

function namesFiles({ written, deleted }: PatchedFiles): boolean {
  return written.length + deleted.length > 0;
}
