import type { Condition } from "./condition.js";
import type { ApprovalTerms, Effect } from "./decision.js";
import type { Given } from "./given.js";
import type { ResourcePattern, Spoken } from "./name-pattern.js";
import { type ResourceNames, resourceNames } from "./resource-names.js";
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
}

/**
 * Asks one rule. A restriction that cannot be decided denies; an allowance that cannot be decided does not hold.
 *
 * @returns undefined where the rule does not hold
 */
export function askRule(rule: Rule, given: Given, work: Work): Outcome | undefined {
  if (work.left < 0) return failed(rule, tooMuch);
  try {
    const spoken = rule.resources ? speaksOf(rule.resources, given, work) : "wholly";
    if (!spoken) return undefined;
    if (rule.condition && !rule.condition.holds(given, meantBy(rule, given, spoken))) return undefined;
    return { rule, effect: rule.effect };
  } catch (error) {
    if (!(error instanceof Undecidable)) throw error;
    work.charge(failureSteps);
    return failed(rule, error);
  }
}

/** The names that the condition is asked about: of a folder, for a restriction, those of what lies in it too. */
function meantBy(
  { effect }: Rule,
  { askedResource, resource }: Given,
  spoken: Spoken,
): ResourceNames | undefined {
  const { folder, isPattern } = askedResource;
  const isFolder =
    effect !== "allow" && (folder === "certain" || (folder === "possible" && spoken === "within"));
  return isPattern || isFolder ? resourceNames(askedResource, resource, isFolder) : undefined;
}

/** What it costs to find out that a rule cannot be decided. */
const failureSteps = 40;

function failed(rule: Rule, failure: Undecidable): Outcome | undefined {
  return rule.effect === "allow" ? undefined : { rule, effect: "deny", failure };
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
  if (!resources || !askedResource.isPattern) return true;
  try {
    return resources.some((pattern) => pattern.covers(askedResource, work));
  } catch (error) {
    if (error instanceof Undecidable) return false;
    throw error;
  }
}
