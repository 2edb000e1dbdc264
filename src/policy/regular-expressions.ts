import { RE2JS } from "re2js";

const maxPatternLength = 256;
/** Instructions of a compiled pattern: with the length of the text they bound what a match costs. */
const maxProgramSize = 300;

/** Patterns are literals of rules, so each is compiled once, when its rule set is read. */
const compiled = new Map<string, RE2JS>();

/**
 * Compiles a pattern. RE2 matches in time linear in the text; it knows no back references and no look around.
 *
 * @returns what is wrong with it, or undefined
 */
export function patternProblem(pattern: string): string | undefined {
  if (pattern.length > maxPatternLength) return `a pattern has at most ${maxPatternLength} characters`;
  let expression: RE2JS;
  try {
    expression = RE2JS.compile(pattern);
  } catch (error) {
    return `the pattern cannot be used: ${(error as Error).message}`;
  }
  if (expression.programSize() > maxProgramSize) return "the pattern repeats too much";
  compiled.set(pattern, expression);
  return undefined;
}

/** Whether the pattern is found anywhere in the text. */
export function matchesPattern(text: string, pattern: string): boolean {
  return compiled.get(pattern)!.test(text);
}

/** What looking for the pattern costs at most, in steps of `Work`. */
export function matchingCost(text: string, pattern: string): number {
  return 1 + ((text.length * compiled.get(pattern)!.programSize()) >> 4);
}
