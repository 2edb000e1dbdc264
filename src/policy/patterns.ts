import { RE2JS } from "re2js";
import type { Work } from "./work.js";

const maxPatternLength = 256;
/** Instructions of a compiled pattern: what a step of it may cost. */
const maxProgramSize = 300;

/**
 * The regular expressions of a rule set: literals, each compiled once.
 *
 * RE2 matches in time linear in the text, by an automaton whose states it makes when it first comes to them. Text that
 * it knows the states for goes by in some nanoseconds a character; a pattern that needs a new state at each character
 * costs a thousand times that, and where the states have no room it simulates them all, which costs as much again. So a
 * match pays little for its text, for each new state by the size of the pattern, and in advance for a simulation.
 */
export class Patterns {
  readonly #compiled = new Map<string, RE2JS>();

  constructor(private readonly work: Work) {}

  /** Takes a pattern. It knows no back references and no look around. @returns what is wrong with it, or undefined */
  take(pattern: string): string | undefined {
    if (pattern.length > maxPatternLength) return `a pattern has at most ${maxPatternLength} characters`;
    if (this.#compiled.has(pattern)) return undefined;
    let expression: RE2JS;
    try {
      expression = RE2JS.compile(pattern);
    } catch (error) {
      return `the pattern cannot be used: ${(error as Error).message}`;
    }
    if (expression.programSize() > maxProgramSize) return "the pattern repeats too much";
    this.#meter(expression);
    this.#compiled.set(pattern, expression);
    return undefined;
  }

  /**
   * Whether the pattern is found anywhere in the text.
   *
   * @throws {Undecidable} where that costs too much
   */
  matches(text: string, pattern: string): boolean {
    this.work.spend(1 + (text.length >> 4));
    return this.#compiled.get(pattern)!.test(text);
  }

  /** Reaches into the library, see docs/decisions/0017-policy-engine.md. */
  #meter(expression: RE2JS): void {
    const { dfa } = expression.re2();
    const size = expression.programSize();
    const makeState = dfa.makeState.bind(dfa);
    dfa.makeState = (...given) => {
      this.work.spend(2 + size);
      return makeState(...given);
    };
    const match = dfa.match.bind(dfa);
    dfa.match = (input, ...given) => {
      const found = match(input, ...given);
      if (found === null) this.work.spend(input.endPos() * size);
      return found;
    };
  }
}
