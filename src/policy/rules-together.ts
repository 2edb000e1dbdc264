import type { CompiledRules } from "./compile-rules.js";
import { type Counter, type Decision, type Effect, effects, type Limit } from "./decision.js";
import type { Question } from "./question.js";
import { strictestTerms } from "./strictest-terms.js";

type Asked = Omit<Question, "counts">;

/** One step of a call of several, as it is decided by itself. */
export interface StepOfCall {
  readonly question: Question;
  readonly decision: Decision;
  readonly limits: readonly Limit[];
}

/** A step that rules are asked about, and what they say to it: each is asked for when it is first wanted, and once. */
export class AskedStep {
  readonly #rules: CompiledRules;
  readonly question: Asked;
  #counters: readonly Counter[] | undefined;
  #limits: readonly Limit[] | undefined;
  readonly #decisions = new Map<string, Pick<StepOfCall, "question" | "decision">>();

  constructor(rules: CompiledRules, question: Asked) {
    this.#rules = rules;
    this.question = question;
  }

  get counters(): readonly Counter[] {
    this.#counters ??= this.#rules.countersOf(this.question);
    return this.#counters;
  }

  get limits(): readonly Limit[] {
    this.#limits ??= this.#rules.limitsOf(this.question);
    return this.#limits;
  }

  /** @param countOf how often what a counter of that name counts was there */
  decide(countOf: (name: string) => number): Pick<StepOfCall, "question" | "decision"> {
    const own = this.counters.map(({ name }) => [name, countOf(name)] as const);
    const key = own.map(([, count]) => count).join(" ");
    let decided = this.#decisions.get(key);
    if (!decided) {
      const question = { ...this.question, counts: Object.fromEntries(own) };
      decided = { question, decision: this.#rules.decide(question) };
      this.#decisions.set(key, decided);
    }
    return decided;
  }
}

/** Rules that answer for several questions, and what they say to each. */
export interface RulesTogether extends CompiledRules {
  /** In the order in which they were asked, which is that of all limits together. */
  readonly stepsAt: (counts: Question["counts"]) => readonly StepOfCall[];
}

/**
 * Rules that, whatever they are asked, answer several questions at once: with the most restrictive answer, all rules
 * that say it, the strictest terms of all who want a person asked, and the counters and limits of every question. So
 * one look at the limits decides about all of them, and either all of them are counted or none is.
 *
 * @param asked what is asked, that which leads the answer first
 */
export function rulesTogether(rules: CompiledRules, asked: readonly AskedStep[]): RulesTogether {
  const [lead] = asked;
  // The same counter of two questions may be two counts; a name with a space is none that a rule set has.
  const keyOf = (name: string, n: number): string => (n === 0 ? name : `${n} ${name}`);
  const decidedAt = (counts: Question["counts"]): readonly StepOfCall[] =>
    asked.map((step, n) => ({
      ...step.decide((name) => counts[keyOf(name, n)] ?? 0),
      limits: step.limits,
    }));
  // What is decided and what is recorded of it are asked for one after the other, at the same counts.
  let last: { readonly counts: Question["counts"]; readonly steps: readonly StepOfCall[] } | undefined;
  const stepsAt: RulesTogether["stepsAt"] = (counts) => {
    if (last?.counts !== counts) last = { counts, steps: decidedAt(counts) };
    return last.steps;
  };
  return {
    ...rules,
    stepsAt,
    countersOf: () =>
      asked.flatMap(({ counters }, n) =>
        counters.map((counter) => ({ ...counter, as: keyOf(counter.name, n) })),
      ),
    limitsOf: () => asked.flatMap(({ limits }) => limits),
    concerns: () => asked.some(({ question }) => rules.concerns(question.action)),
    decide: ({ counts }) => together(stepsAt(counts).map(({ decision }) => decision)),
    look: ({ counts }) => rules.look({ ...lead!.question, counts }),
  };
}

function together(decisions: readonly Decision[]): Decision {
  const effect = mostRestrictive(decisions);
  const deciding = decisions.filter((one) => one.effect === effect);
  const terms = deciding.flatMap(({ approval }) => approval ?? []);
  return {
    effect,
    rules: unique(
      deciding.flatMap(({ rules }) => rules),
      ({ id }) => id,
    ),
    shadow: unique(
      decisions.flatMap(({ shadow }) => shadow),
      ({ id, effect: said }) => `${id} ${said}`,
    ),
    obligations: unique(
      (effect === "deny" ? deciding : decisions).flatMap(({ obligations }) => obligations),
      (one) => one,
    ),
    known: decisions.every(({ known }) => known),
    nearest: unique(
      decisions.flatMap(({ nearest }) => nearest),
      (one) => one,
    ),
    ...(terms.length > 0 && { approval: strictestTerms(terms) }),
  };
}

function mostRestrictive(decisions: readonly Decision[]): Effect {
  return effects[Math.max(...decisions.map(({ effect }) => effects.indexOf(effect)))]!;
}

function unique<T>(all: readonly T[], keyOf: (one: T) => string): readonly T[] {
  const first = new Map<string, T>();
  for (const one of all) if (!first.has(keyOf(one))) first.set(keyOf(one), one);
  return [...first.values()];
}
