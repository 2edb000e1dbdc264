import { asciiLower } from "../addresses/index.js";

export const maxResourceLength = 1_024;
export const maxActionLength = 256;

/** Tells whether a name, split at its levels, is meant. */
export type Matcher = (levels: readonly string[]) => boolean;

/** An action as it is compared: in lower case, without blanks around it, one blank for several. */
export function canonicalAction(given: string): string {
  return asciiLower(given.trim().replace(/\s+/g, " "));
}

/**
 * A resource as it is compared. Of a path, `.`, `..` and doubled slashes are resolved, so that `prod/../prod/a`,
 * `./prod/a` and `prod/a/` are one resource; a name without a slash stays what it is.
 */
export function canonicalResource(given: string): string {
  const text = given.trim();
  if (isTopic(text)) return asciiLower(text);
  if (!text.includes("/")) return text;
  const names: string[] = [];
  for (const name of text.split("/")) {
    if (name === "..") names.pop();
    else if (name !== "" && name !== ".") names.push(name);
  }
  return (text.startsWith("/") ? "/" : "") + names.join("/");
}

/** The levels of a canonical resource: those of a topic have dots between them, all others slashes. */
export function resourceLevels(resource: string): readonly string[] {
  return resource.split(isTopic(resource) ? "." : "/");
}

export function actionLevels(action: string): readonly string[] {
  return action.split(".");
}

/** Whether the pattern stands for anything at all: `*` alone means what `**` does. */
export function isAnything(pattern: string): boolean {
  return pattern === "*" || pattern === "**";
}

export function resourceMatcher(pattern: string): Matcher {
  return isAnything(pattern) ? () => true : matcher(resourceLevels(canonicalResource(pattern)));
}

export function actionMatcher(pattern: string): Matcher {
  return isAnything(pattern) ? () => true : matcher(actionLevels(pattern));
}

function isTopic(text: string): boolean {
  return /^topic:/i.test(text);
}

/**
 * `*` stands for any text within a level and `**` for any number of levels, also none. Time grows at most with the
 * product of both lengths: only the last wildcard is ever taken back.
 */
function matcher(given: readonly string[]): Matcher {
  const pattern = given.filter((level, n) => level !== "**" || given[n - 1] !== "**");
  const glob = pattern.map((level) => level !== "**" && level.includes("*"));
  if (!pattern.includes("**") && !glob.includes(true))
    return (levels) => levels.length === pattern.length && levels.every((level, n) => level === pattern[n]);
  return (levels) => {
    let at = 0;
    let next = 0;
    let star = -1;
    let taken = 0;
    while (at < levels.length) {
      if (next < pattern.length && pattern[next] === "**") {
        star = next++;
        taken = at;
      } else if (
        next < pattern.length &&
        (glob[next] ? matchesText(pattern[next]!, levels[at]!) : pattern[next] === levels[at])
      ) {
        at++;
        next++;
      } else if (star >= 0) {
        next = star + 1;
        at = ++taken;
      } else return false;
    }
    while (pattern[next] === "**") next++;
    return next === pattern.length;
  };
}

/** The same rule for characters, with `*` alone. */
function matchesText(pattern: string, text: string): boolean {
  let at = 0;
  let next = 0;
  let star = -1;
  let taken = 0;
  while (at < text.length) {
    if (pattern[next] === "*") {
      star = next++;
      taken = at;
    } else if (pattern[next] === text[at]) {
      at++;
      next++;
    } else if (star >= 0) {
      next = star + 1;
      at = ++taken;
    } else return false;
  }
  while (pattern[next] === "*") next++;
  return next === pattern.length;
}
