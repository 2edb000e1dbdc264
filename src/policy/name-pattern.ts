import { asciiLower } from "../addresses/index.js";
import { type AskedResource, isAnything, readings } from "./asked-resource.js";
import { canonicalResource } from "./canonical-resource.js";
import type { Work } from "./work.js";

export const maxResourceLength = 1_024;
export const maxActionLength = 256;

/** Tells whether a name, split at its levels, is meant. */
export type Matcher = (levels: readonly string[]) => boolean;

/** `within`: not of the resource itself, but of what lies in it. */
export type Spoken = false | "wholly" | "within";

/** A pattern of a rule. */
export interface ResourcePattern {
  /** Whether a rule speaks of the resource by this pattern. @throws {Undecidable} where that costs too much */
  speaksOf(asked: AskedResource, work: Work): Spoken;
  /** Whether it means all that was asked about. @throws {Undecidable} where that costs too much */
  covers(asked: AskedResource, work: Work): boolean;
}

/** An action as it is compared: in lower case, without blanks around it, one blank for several. */
export function canonicalAction(given: string): string {
  return asciiLower(given.trim().replace(/\s+/g, " "));
}

export function actionLevels(action: string): readonly string[] {
  return action.split(".");
}

/**
 * A name is meant where the pattern matches it. Of what has wildcards itself, such as the paths that somebody locks at
 * once, a restriction speaks as soon as it shares one name with the pattern, and an allowance only where the pattern
 * covers all of it: nobody gets by a wider question what a narrow one does not give. Of a folder a restriction speaks
 * as soon as something in it may be meant.
 */
export function resourcePattern(pattern: string, effect: "restricts" | "allows"): ResourcePattern {
  const [plain, web] = [canonicalResource(pattern), canonicalResource(pattern, true)];
  const inPlain = formOf(plain);
  const inWeb = web === plain ? inPlain : formOf(web);
  const form = (asked: AskedResource): PatternForm => (asked.isOfWeb ? inWeb : inPlain);
  // A wildcard that is asked for is taken as a text of its own, which only a wildcard of the pattern matches.
  const covers: ResourcePattern["covers"] = (asked, work) => {
    work.spend(1 + (asked.length >> 3));
    const { matchers } = form(asked);
    return asked.readings.every((levels) => matchers.some((matches) => matches(levels)));
  };
  const meets = (levels: readonly string[], asked: AskedResource, work: Work): boolean =>
    form(asked).alternatives.some((own) => {
      if (own.length > 0 && levels.length > 0 && !levelsMeet(own[0]!, levels[0]!)) return false;
      work.spend((pattern.length * asked.length) >> 5);
      return meet(own, levels);
    });
  const folds = (levels: readonly string[], asked: AskedResource, work: Work): boolean => {
    if (asked.folder === "certain") return meets([...levels, "**"], asked, work);
    return form(asked).alternatives.some((own) => lead(levels, own));
  };
  return {
    covers,
    speaksOf(asked, work) {
      if (effect === "allows") return covers(asked, work) && "wholly";
      if (!asked.isPattern && covers(asked, work)) return "wholly";
      if (asked.isPattern) work.spend(1 + (asked.length >> 3));
      const one = (levels: readonly string[]): boolean => meets(levels, asked, work);
      if ((asked.isPattern && asked.readings.some(one)) || asked.perhaps.some(one)) return "wholly";
      if (asked.folder === undefined) return false;
      return [...asked.readings, ...asked.perhaps].some((levels) => folds(levels, asked, work)) && "within";
    },
  };
}

interface PatternForm {
  readonly alternatives: readonly (readonly string[])[];
  readonly matchers: readonly Matcher[];
}

function formOf(canonical: string): PatternForm {
  const alternatives = readings(canonical);
  return { alternatives, matchers: alternatives.map((levels) => matcher(levels, false)) };
}

/** Whether a path is one of the folders, named without wildcards, in which all that the pattern means lies. */
function lead(levels: readonly string[], pattern: readonly string[]): boolean {
  return levels.length < pattern.length && levels.every((level, n) => level === pattern[n]);
}

export function actionMatcher(pattern: string): Matcher {
  return isAnything(pattern) ? () => true : matcher(actionLevels(pattern));
}

/** Whether a pattern of actions means all that another one does. */
export function actionCovers(pattern: string, other: string): boolean {
  return (
    isAnything(pattern) || (!isAnything(other) && matcher(actionLevels(pattern), false)(actionLevels(other)))
  );
}

/** Whether two patterns of actions have a name in common. */
export function actionsMeet(one: string, other: string): boolean {
  return isAnything(one) || isAnything(other) || meet(actionLevels(one), actionLevels(other));
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
