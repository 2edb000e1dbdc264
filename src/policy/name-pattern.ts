import { asciiLower } from "../addresses/index.js";
import type { Work } from "./work.js";

export const maxResourceLength = 1_024;
export const maxActionLength = 256;

/** Tells whether a name, split at its levels, is meant. */
export type Matcher = (levels: readonly string[]) => boolean;

/** A resource that somebody asks about, as patterns are held against it. */
export interface AskedResource {
  /** Its levels: of one without wildcards exactly one list, otherwise all lists that it stands for. */
  readonly readings: readonly (readonly string[])[];
  readonly isPattern: boolean;
  readonly length: number;
}

/** A pattern of a rule. */
export interface ResourcePattern {
  /** Whether a rule speaks of the resource by this pattern. @throws {Undecidable} where that costs too much */
  speaksOf(asked: AskedResource, work: Work): boolean;
  /** Whether it means all that was asked about. @throws {Undecidable} where that costs too much */
  covers(asked: AskedResource, work: Work): boolean;
}

/** An action as it is compared: in lower case, without blanks around it, one blank for several. */
export function canonicalAction(given: string): string {
  return asciiLower(given.trim().replace(/\s+/g, " "));
}

/**
 * A resource as it is compared. Of a path, `.`, `..`, doubled slashes and backslashes are resolved, so that
 * `prod/../prod/a`, `./prod/a`, `prod\a` and `prod/a/` are one resource; a name without a slash stays what it is. What
 * `..` leaves by any number of levels may have been any of them, so that it is any number of levels still.
 */
export function canonicalResource(given: string): string {
  const text = withSlashes(given.trim());
  if (isTopic(text)) return asciiLower(text);
  if (!text.includes("/")) return text;
  const { names } = resolved(text);
  return (text.startsWith("/") ? "/" : "") + names.join("/");
}

/** Whether `..` leaves any number of levels: what such a pattern is to mean cannot be told. */
export function leavesAnyDepth(pattern: string): boolean {
  return resolved(withSlashes(pattern)).leftAnyDepth;
}

/** In a path a backslash stands for a slash, as on Windows; in what is ours it is a character like others. */
function withSlashes(text: string): string {
  return isTopic(text) || /^(?:lock|state):/.test(text) ? text : text.replaceAll("\\", "/");
}

function resolved(path: string): { readonly names: readonly string[]; readonly leftAnyDepth: boolean } {
  let names: string[] = [];
  let leftAnyDepth = false;
  for (const name of path.split("/")) {
    if (name === "..") {
      if (!names.pop()?.includes("**")) continue;
      leftAnyDepth = true;
      names = ["**"];
    } else if (name !== "" && name !== ".") names.push(name);
  }
  return { names, leftAnyDepth };
}

/** A canonical resource as it is held against patterns. */
export function askedResource(resource: string): AskedResource {
  return {
    readings: isAnything(resource) ? [["**"]] : readings(resource),
    isPattern: resource.includes("*"),
    length: resource.length,
  };
}

/**
 * The levels that a canonical resource stands for: those of a topic have dots between them, all others slashes. The
 * first level of an address has its kind before it, so that any depth there is no level, or one and any number more.
 */
function readings(resource: string): readonly (readonly string[])[] {
  const levels = resource.split(isTopic(resource) ? "." : "/");
  const [, kind] = /^([a-z][a-z0-9_-]*:)\*\*+$/i.exec(levels[0]!) ?? [];
  if (kind === undefined) return [levels];
  const [, second, ...rest] = levels;
  const deep = [`${kind}*`, "**", ...levels.slice(1)];
  return second === undefined || second === "**" ? [deep] : [deep, [kind + second, ...rest]];
}

export function actionLevels(action: string): readonly string[] {
  return action.split(".");
}

/** Whether the pattern stands for anything at all: `*` alone means what `**` does. */
export function isAnything(pattern: string): boolean {
  return pattern === "*" || pattern === "**";
}

/**
 * A name is meant where the pattern matches it. Of what has wildcards itself, such as the paths that somebody locks at
 * once, a restriction speaks as soon as it shares one name with the pattern, and an allowance only where the pattern
 * covers all of it: nobody gets by a wider question what a narrow one does not give.
 */
export function resourcePattern(pattern: string, effect: "restricts" | "allows"): ResourcePattern {
  const alternatives = readings(canonicalResource(pattern));
  const matchers = alternatives.map((levels) => matcher(levels, false));
  // A wildcard that is asked for is taken as a text of its own, which only a wildcard of the pattern matches.
  const covers: ResourcePattern["covers"] = (asked, work) => {
    work.spend(1 + (asked.length >> 3));
    return asked.readings.every((levels) => matchers.some((matches) => matches(levels)));
  };
  return {
    covers,
    speaksOf(asked, work) {
      if (!asked.isPattern || effect === "allows") return covers(asked, work);
      work.spend(1 + (asked.length >> 3));
      return asked.readings.some((levels) =>
        alternatives.some((own) => {
          if (!levelsMeet(own[0]!, levels[0]!)) return false;
          work.spend((pattern.length * asked.length) >> 6);
          return meet(own, levels);
        }),
      );
    },
  };
}

export function actionMatcher(pattern: string): Matcher {
  return isAnything(pattern) ? () => true : matcher(actionLevels(pattern));
}

function isTopic(text: string): boolean {
  return /^topic:/i.test(text);
}

/**
 * Whether two patterns have a name in common. Takes as many steps as both have levels, multiplied.
 */
function meet(one: readonly string[], other: readonly string[]): boolean {
  // reach[j]: some name is meant by the levels of `one` read so far and by the first j of `other`.
  let reach = [true];
  for (const [n, level] of other.entries()) reach.push(reach[n]! && level === "**");
  for (const level of one) {
    const next = [reach[0]! && level === "**"];
    for (const [n, theirs] of other.entries())
      next.push(
        level === "**" || theirs === "**"
          ? reach[n + 1]! || next[n]!
          : reach[n]! && levelsMeet(level, theirs),
      );
    if (!next.includes(true)) return false;
    reach = next;
  }
  return reach[other.length]!;
}

/**
 * Two texts with wildcards have one in common unless what they begin or end with is at odds: between those, what the one
 * asks for may stand behind what the other does.
 */
function levelsMeet(one: string, other: string): boolean {
  if (one === "**" || other === "**") return true;
  if (!one.includes("*")) return other.includes("*") ? matchesText(other, one) : one === other;
  if (!other.includes("*")) return matchesText(one, other);
  return (
    isEither(beginning(one), beginning(other), "startsWith") && isEither(end(one), end(other), "endsWith")
  );
}

function isEither(one: string, other: string, does: "startsWith" | "endsWith"): boolean {
  return one[does](other) || other[does](one);
}

function beginning(level: string): string {
  return level.slice(0, level.indexOf("*"));
}

function end(level: string): string {
  return level.slice(level.lastIndexOf("*") + 1);
}

/**
 * `*` stands for any text within a level and `**` for any number of levels, also none. Time grows at most with the
 * product of both lengths: only the last wildcard is ever taken back.
 *
 * @param anyDepthIsALevel whether `*` matches a level `**` too, as it does where that is but a name
 */
function matcher(given: readonly string[], anyDepthIsALevel = true): Matcher {
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
        (glob[next]
          ? (anyDepthIsALevel || levels[at] !== "**") && matchesText(pattern[next]!, levels[at]!)
          : pattern[next] === levels[at])
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
