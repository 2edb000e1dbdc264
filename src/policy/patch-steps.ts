import type { ClientAction } from "./client-actions.js";
import { patchedFiles } from "./patched-files.js";
import { anything, mostPaths, type Places, unknownOf } from "./places.js";
import { unknownPart } from "./shell-words.js";
import type { ToolStep } from "./tool-step.js";

/**
 * What a patch writes and deletes; where it names no file, something is written of which nobody can tell what.
 *
 * @param resourcesOf the names under which a path is known to rules
 */
export function patchSteps(
  patch: string,
  resourcesOf: (path: string, action: ClientAction) => readonly string[],
): readonly [ToolStep, ...ToolStep[]] {
  const { written, deleted } = patchedFiles(patch);
  const on = (action: ClientAction, paths: readonly string[]): ToolStep[] => {
    const plain = paths.filter((path) => !path.includes(unknownPart));
    if (paths.length > mostPaths) return [{ action, resource: anything }];
    const known = plain.flatMap((path) =>
      resourcesOf(path, action).map((resource) => ({ action, resource })),
    );
    return plain.length < paths.length ? [...known, { action, resource: unknownOf(action) }] : known;
  };
  const [first = { action: "file.write", resource: "" }, ...rest] = [
    ...on("file.write", hasUnknownLine.test(patch) ? [...written, unknownPart] : written),
    ...on("file.delete", deletesUnknown.test(patch) ? [...deleted, unknownPart] : deleted),
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
export function patchedBy(args: readonly string[], fed: string, places: Places, text: string): ToolStep[] {
  const resourcesOf = (path: string, action: ClientAction): readonly string[] =>
    places.resources(path, action);
  const given = `${args.join("\n")}\n${fed}`;
  const steps = patchSteps(given, resourcesOf);
  const isPlain = fed === "" && !given.includes(unknownPart) && namesFiles(given);
  return isPlain || !namesFiles(text) ? [...steps] : [...steps, ...patchSteps(text, resourcesOf)];
}

function namesFiles(patch: string): boolean {
  const { written, deleted } = patchedFiles(patch);
  return written.length + deleted.length > 0;
}
