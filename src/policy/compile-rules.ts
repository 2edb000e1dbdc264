import type { Counter, Decision, Limit } from "./decision.js";
import type { Question } from "./question.js";

/** A rule set, checked and ready to decide. */
export interface CompiledRules {
  /** Actions that rules or the vocabulary name. */
  readonly actions: readonly string[];
  /** Decides by the rules alone, without the store and without a trace. Never throws. */
  decide(question: Question): Decision;
  /** Which counters matter for an action: what its rules ask for, and what counts it. */
  countersOf(question: Omit<Question, "counts">): readonly Counter[];
  /** Which limits hold for a question. */
  limitsOf(question: Question): readonly Limit[];
  /** Whether anything at all is said of an action, so that whoever acts need not ask. */
  concerns(action: string): boolean;
}

/**
 * Reads a rule set.
 *
 * @param text YAML, see docs/guides/policies.md
 * @throws {MailboxError} `policy.invalid`, which names the line and what is wrong
 */
export function compileRules(text: string): CompiledRules {
  throw new Error(`not written: ${text.length}`);
}
