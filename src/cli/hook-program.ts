import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import type { Surroundings } from "./surroundings.js";

/** Of the files that a hook starts: the first that does not exist, none, or that only its shell could tell. */
export type HookProgram = { readonly missing: string } | "there" | "untold";

/** The words by which a hook of ours is known behind its program. */
const ours = /^(check --hook|policy hook|guard (edit|stop))\b/;

/** What a shell would do more with than take it as it is. */
const assignment = /^\w+=[^\s'"\\$`;&|<>()]*\s+/;
const word = {
  posix: /^(?:'[^']*'|"[^"\\$`]*"|\\[^\n]|[^\s'"\\$`;&|<>(){}*?~#!=])+(?=\s|$)/,
  win32: /^(?:'[^']*'|"[^"$`%]*"|[^\s'"$`%;&|<>(){}*?~#!=])+(?=\s|$)/,
} as const;

/**
 * Looks whether what a hook's command line starts exists: its program, as a whole path or on PATH, and the file that a
 * program such as node is given. Where the line is anything but these and our words, nothing is said of it.
 */
export function hookProgram(line: string, { platform, env }: Surroundings): HookProgram {
  const form = platform === "win32" ? "win32" : "posix";
  let rest = form === "win32" ? line.replace(/^\s*&\s+/, "") : line.trimStart();
  while (assignment.test(rest)) rest = rest.replace(assignment, "");
  const words: string[] = [];
  while (words.length < 3 && !ours.test(rest)) {
    const found = word[form].exec(rest)?.[0];
    if (found === undefined) return "untold";
    words.push(form === "win32" ? found.replace(/['"]/g, "") : unquoted(found));
    rest = rest.slice(found.length).trimStart();
  }
  const [program, file, more] = words;
  if (program === undefined || more !== undefined) return "untold";
  // Of another path it is for the client to say where it begins, and a name behind a program may be anything.
  if (file !== undefined && !isAbsolute(file)) return "untold";
  if (!isAbsolute(program) && /[/\\]/.test(program)) return "untold";
  const isThere = isAbsolute(program) ? isFile(program) : isOnPath(program, platform, env);
  if (!isThere) return { missing: program };
  return file === undefined || isFile(file) ? "there" : { missing: file };
}

function unquoted(word: string): string {
  return word.replace(
    /'([^']*)'|"([^"]*)"|\\(.)/g,
    (_, single, double, escaped) => single ?? double ?? escaped,
  );
}

function isOnPath(
  name: string,
  platform: NodeJS.Platform,
  { PATH = "", PATHEXT = "" }: NodeJS.ProcessEnv,
): boolean {
  const endings = platform === "win32" ? ["", ...PATHEXT.split(";")] : [""];
  return PATH.split(delimiter)
    .filter((folder) => folder !== "")
    .some((folder) => endings.some((ending) => mayRun(join(folder, name + ending))));
}

function mayRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return isFile(path);
  } catch {
    return false;
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
