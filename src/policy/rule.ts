import type { Condition } from "./condition.js";
import type { ApprovalTerms, Effect } from "./decision.js";
import type { Given } from "./given.js";
import { holdsOfAny } from "./holds-of-any.js";
import type { ResourcePattern, Spoken } from "./name-pattern.js";
import { severalNames } from "./resource-names.js";
import type { Scope } from "./scope.js";
import { Undecidable } from "./undecidable.js";
import { tooMuch, type Work } from "./work.js";

/** A rule, ready to be asked. */
export interface Rule {
  readonly id: string;
  readonly scope: Scope;
  /** In the order in which rules lead an answer: by priority, then as they stand in the rule set. */
  readonly position: number;
  /** Undefined where it speaks of every resource, also of none. */
  readonly resources: readonly ResourcePattern[] | undefined;
  readonly condition: Condition | undefined;
  readonly effect: Effect;
  /** What it says instead where it means some of the names of a question, or may, and not all. */
  readonly partly: "require_approval" | undefined;
  readonly shadow: boolean;
  readonly reason: string | undefined;
  readonly guidance: string | undefined;
  readonly obligations: readonly string[];
  readonly approval: ApprovalTerms;
}

/** What came of asking one rule. */
export interface Outcome {
  readonly rule: Rule;
  /** What the rule says, or deny where a restriction could not be decided. */
  readonly effect: Effect;
  readonly failure?: Undecidable;
  /** Whether it means, or may mean, some of the names that were asked about, and not all. */
  readonly partly?: true;
}

/**
 * Asks one rule. A restriction that cannot be decided denies; an allowance that cannot be decided does not hold.
 *
 * @returns undefined where the rule does not hold
 */
export function askRule(rule: Rule, given: Given, work: Work): Outcome | undefined {
  const outcome = tryRule(rule, given, work);
  return outcome?.failure && rule.effect === "allow" ? undefined : outcome;
}

/** The same, which tells of an allowance too that it could not be decided. */
export function tryRule(rule: Rule, given: Given, work: Work): Outcome | undefined {
  if (work.left < 0) return failed(rule, tooMuch);
  try {
    const spoken = rule.resources ? speaksOf(rule.resources, given, work) : "wholly";
    if (!spoken) return undefined;
    if (rule.condition && !conditionHolds(rule.condition, rule, given, spoken, work)) return undefined;
    if (rule.partly && !holdsForAll(rule, given, work)) return { rule, effect: rule.partly, partly: true };
    return { rule, effect: rule.effect };
  } catch (error) {
    if (!(error instanceof Undecidable)) throw error;
    work.charge(failureSteps);
    if (rule.partly && error === severalNames) return { rule, effect: rule.partly, partly: true };
    return failed(rule, error);
  }
}

/** An allowance means the name alone; a restriction all that it may be called, and of a folder what lies in it. */
function conditionHolds(
  condition: Condition,
  { effect }: Rule,
  given: Given,
  spoken: Spoken,
  work: Work,
): boolean {
  if (!condition.looksAtResource) return condition.holds(given);
  if (effect === "allow") return condition.holds(given, given.meant(false, work)[0]);
  const { folder } = given.askedResource;
  const isFolder = folder === "certain" || (folder === "possible" && spoken === "within");
  return holdsOfAny(condition, given, isFolder, work);
}

/** What it costs to find out that a rule cannot be decided. */
const failureSteps = 40;

function failed(rule: Rule, failure: Undecidable): Outcome {
  return { rule, effect: "deny", failure };
}

/** Whether one of the patterns means the resource. @throws {Undecidable} */
export function speaksOf(resources: readonly ResourcePattern[], given: Given, work: Work): Spoken {
  const { askedResource } = given;
  let spoken: Spoken = false;
  for (const pattern of resources) {
    const one = pattern.speaksOf(askedResource, work);
    if (one === "wholly") return one;
    spoken ||= one;
  }
  return spoken;
}

/** Whether a rule that holds does so for all that was asked about, and not for a part of it alone. */
export function holdsForAll({ resources }: Rule, { askedResource }: Given, work: Work): boolean {
  if (!resources) return true;
  try {
    return resources.some((pattern) => pattern.covers(askedResource, work));
  } catch (error) {
    if (error instanceof Undecidable) return false;
    throw error;
  }
}
