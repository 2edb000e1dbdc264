import { type ApprovalTerms, type DecidingRule, type Decision, type Effect, effects } from "./decision.js";
import type { Given } from "./given.js";
import { askRule, holdsForAll, type Outcome, type Rule } from "./rule.js";
import { strictestTerms } from "./strictest-terms.js";
import type { Work } from "./work.js";

/** How a person is asked where no rule says it. */
export const defaultApproval: ApprovalTerms = {
  expiresMs: 3_600_000,
  otherwise: "deny",
  quorum: 1,
  approvers: ["role:approver"],
  byClient: false,
};

/** The rules that speak of an action, in the order in which they lead an answer. */
export interface Speaking {
  readonly all: readonly Rule[];
  readonly restricting: readonly Rule[];
  readonly allowing: readonly Rule[];
  readonly shadow: readonly Rule[];
}

export function speaking(rules: readonly Rule[]): Speaking {
  return {
    all: rules,
    restricting: rules.filter(({ shadow, effect }) => !shadow && effect !== "allow"),
    allowing: rules.filter(({ shadow, effect }) => !shadow && effect === "allow"),
    shadow: rules.filter(({ shadow }) => shadow),
  };
}

/** What holds where no rule does, and what is near to an action that nobody knows. */
export interface Fallback {
  readonly effect: Effect;
  readonly known: boolean;
  readonly nearest: readonly string[];
}

/**
 * Asks the rules that speak of an action. The most restrictive answer wins; of several that say the same, all are named,
 * the one of the highest priority first, and people are asked by the strictest terms of all. An action that nobody knows is never decided more freely
 * than its fallback, whatever rules about every action allow; nor is a resource with wildcards, of which no rule that
 * holds means all: some of it may be what no rule speaks of.
 */
export function decideBy(rules: Speaking, given: Given, fallback: Fallback, work: Work): Decision {
  work.begin();
  const restrictions = ask(rules.restricting, given, work);
  const denials = restrictions.filter(({ effect }) => effect === "deny");
  const holding =
    denials.length > 0 ? denials : inOrder([...restrictions, ...ask(rules.allowing, given, work)]);
  const said = mostRestrictive(holding);
  const isFallback =
    said === undefined ||
    (isStricter(fallback.effect, said) &&
      !(fallback.known && holding.some((outcome) => isForAll(outcome, given, work))));
  const effect = isFallback ? fallback.effect : said;
  const deciding = holding.filter((outcome) => outcome.effect === effect);
  const reaching =
    effect === "deny" && given.askedResource.isPattern ? reachingOf(deciding, given, work) : [];
  work.begin();
  return {
    effect,
    rules: deciding.map((outcome) => (reaching.includes(outcome) ? inPart(outcome) : inWords(outcome))),
    shadow: ask(rules.shadow, given, work).map((outcome) => ({
      id: outcome.rule.id,
      effect: outcome.effect,
    })),
    obligations: obligationsOf(effect === "deny" ? deciding : holding),
    known: fallback.known,
    nearest: fallback.nearest,
    ...(effect === "require_approval" && {
      approval:
        deciding.length > 0 ? strictestTerms(deciding.map(({ rule }) => rule.approval)) : defaultApproval,
    }),
  };
}

function ask(rules: readonly Rule[], given: Given, work: Work): Outcome[] {
  const outcomes: Outcome[] = [];
  for (const rule of rules) {
    const outcome = askRule(rule, given, work);
    if (outcome) outcomes.push(outcome);
  }
  return outcomes;
}

/** A folder is one name here: what lies in it is what restrictions alone look at. */
function isForAll({ rule }: Outcome, given: Given, work: Work): boolean {
  return !given.askedResource.isPattern || holdsForAll(rule, given, work);
}

/** Those that forbid a part of what a pattern means, so that a narrower one may be allowed. */
function reachingOf(outcomes: readonly Outcome[], given: Given, work: Work): readonly Outcome[] {
  return outcomes.filter((outcome) => !outcome.failure && !outcome.partly && !isForAll(outcome, given, work));
}

function inPart(outcome: Outcome): DecidingRule {
  const { rule } = outcome;
  return {
    ...inWords(outcome),
    reason: `this pattern reaches into what a rule forbids${rule.reason === undefined ? "" : `: ${rule.reason}`}`,
    guidance: `Ask for something narrower.${rule.guidance === undefined ? "" : ` ${rule.guidance}`}`,
  };
}

function inOrder(outcomes: readonly Outcome[]): readonly Outcome[] {
  return outcomes.length < 2
    ? outcomes
    : outcomes.toSorted((one, other) => one.rule.position - other.rule.position);
}

function mostRestrictive(outcomes: readonly Outcome[]): Effect | undefined {
  return outcomes.reduce<Effect | undefined>(
    (strictest, { effect }) => (strictest && !isStricter(effect, strictest) ? strictest : effect),
    undefined,
  );
}

export function isStricter(one: Effect, other: Effect): boolean {
  return effects.indexOf(one) > effects.indexOf(other);
}

function obligationsOf(outcomes: readonly Outcome[]): readonly string[] {
  if (!outcomes.some(({ rule }) => rule.obligations.length > 0)) return [];
  return [...new Set(outcomes.flatMap(({ rule }) => rule.obligations))];
}

function inWords({ rule, effect, failure, partly }: Outcome): DecidingRule {
  if (failure) {
    const guidance = failure.remedy ?? rule.guidance;
    return {
      id: rule.id,
      effect,
      reason: `the rule could not be decided: ${failure.why}`,
      ...(guidance !== undefined && { guidance }),
      failed: true,
    };
  }
  if (partly)
    return {
      id: rule.id,
      effect,
      reason: `of what this is about some may be meant by a rule: ${rule.reason ?? ours[rule.effect]}`,
      guidance: "Ask about each name, or about fewer of them; otherwise wait for a person.",
    };
  return {
    id: rule.id,
    effect,
    reason: rule.reason ?? ours[rule.effect],
    ...(rule.guidance !== undefined && { guidance: rule.guidance }),
  };
}

const ours: Readonly<Record<Effect, string>> = {
  allow: "a rule allows it",
  require_approval: "a rule wants a person to approve it",
  deny: "a rule forbids it",
};
