import { RE2JS } from "re2js";

const maxPatternLength = 256;
/** Instructions of a compiled pattern: with the length of the text they bound what a match costs. */
const maxProgramSize = 300;

/** Patterns are literals of rules, so each is compiled when its rule set is read, and again only if it was forgotten. */
const compiled = new Map<string, RE2JS>();
const maxRemembered = 5_000;

/**
 * Compiles a pattern. RE2 matches in time linear in the text; it knows no back references and no look around.
 *
 * @returns what is wrong with it, or undefined
 */
export function patternProblem(pattern: string): string | undefined {
  if (pattern.length > maxPatternLength) return `a pattern has at most ${maxPatternLength} characters`;
  try {
    if (expressionOf(pattern).programSize() > maxProgramSize) return "the pattern repeats too much";
  } catch (error) {
    return `the pattern cannot be used: ${(error as Error).message}`;
  }
  return undefined;
}

/** Whether the pattern is found anywhere in the text. */
export function matchesPattern(text: string, pattern: string): boolean {
  return expressionOf(pattern).test(text);
}

/** What looking for the pattern costs at most, in steps of `Work`. */
export function matchingCost(text: string, pattern: string): number {
  return 1 + ((text.length * expressionOf(pattern).programSize()) >> 4);
}

function expressionOf(pattern: string): RE2JS {
  let expression = compiled.get(pattern);
  if (!expression) {
    expression = RE2JS.compile(pattern);
    if (compiled.size >= maxRemembered) compiled.clear();
    compiled.set(pattern, expression);
  }
  return expression;
}
