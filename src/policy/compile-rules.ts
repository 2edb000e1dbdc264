import { actions as ownActions } from "../identity/index.js";
import { aboutActions } from "./about-action.js";
import { isAnything } from "./asked-resource.js";
import { canonicalResource, isOfWeb } from "./canonical-resource.js";
import { limitScope, ruleScope } from "./cel-environment.js";
import { clientActions } from "./client-actions.js";
import { type Condition, compileCondition } from "./condition.js";
import { ConditionProblem } from "./condition-problem.js";
import { type CountedBy, countersFor } from "./counters-for.js";
import { decideBy, defaultApproval } from "./decide.js";
import type { ApprovalTerms, Counter, Decision, Limit } from "./decision.js";
import { EntryLines } from "./entry-lines.js";
import { Given } from "./given.js";
import { holdsOfAny } from "./holds-of-any.js";
import { invalid } from "./invalid.js";
import { type LimitRule, limitOf } from "./limit-rule.js";
import { type Looks, lookAt } from "./look-at-rules.js";
import { mergeProfile } from "./merge-profile.js";
import { canonicalAction, maxActionLength, maxResourceLength, resourcePattern } from "./name-pattern.js";
import { KnownActions } from "./nearest-actions.js";
import { Patterns } from "./patterns.js";
import { profiles } from "./profiles.js";
import type { Question } from "./question.js";
import type { Rule } from "./rule.js";
import {
  type ApprovalEntry,
  maxRules,
  type ReadRuleSet,
  type RuleEntry,
  type RuleSet,
  readRuleSet,
} from "./rule-set.js";
import { type RuleTest, ruleTests } from "./rule-test.js";
import { ByAction } from "./scope.js";
import { atOnce, inSlices, type Steps } from "./steps.js";
import { Undecidable } from "./undecidable.js";
import { Work } from "./work.js";

/** A rule set, checked and ready to decide. */
export interface CompiledRules {
  /** Actions that rules or the vocabulary name. */
  readonly actions: readonly string[];
  /** Questions that the rule set itself brings, with the answers its author expects. */
  readonly tests: readonly RuleTest[];
  /** Decides by the rules alone, without the store and without a trace. Never throws. */
  decide(question: Question): Decision;
  /** Which counters matter for an action: what its rules ask for, and what counts it. */
  countersOf(question: Omit<Question, "counts">): readonly Counter[];
  /** Which limits hold for a question. */
  limitsOf(question: Omit<Question, "counts">): readonly Limit[];
  /** Which limits somebody has, whatever it does: of those that look at the step, the ones that an empty one meets. */
  limitsFor(agent: Question["agent"], nowMs: number): readonly Limit[];
  /** Whether anything at all is said of an action, so that whoever acts need not ask. */
  concerns(action: string): boolean;
  /** What each rule and limit that speaks of the action says to a question, and why; for people, not for deciding. */
  look(question: Question): Looks;
}

/** Parts of conditions of a whole rule set: what a decision costs if all of it speaks of one action. */
const maxConditionParts = 40_000;
const maxResourcePatterns = 10_000;
const maxNamedActions = 5_000;

/**
 * Reads a rule set.
 *
 * @param text YAML, see docs/guides/policies.md
 * @throws {MailboxError} `policy.invalid`, which names the line and what is wrong
 */
export function compileRules(text: string): CompiledRules {
  return atOnce(compiling(text));
}

/**
 * The same in slices, so that a large rule set holds nobody up who asks for something else meanwhile.
 *
 * @throws {MailboxError} `policy.invalid`
 */
export function compileInSlices(text: string): Promise<CompiledRules> {
  return inSlices(compiling(text));
}

function* compiling(text: string): Steps<CompiledRules> {
  const read = yield* readRuleSet(text);
  const set = yield* wholeSet(read);
  const lines = new EntryLines(read);
  const work = new Work();
  const patterns = new Patterns(work);
  const scope = ruleScope(Object.keys(set.counters), patterns);
  const ofLimits = limitScope(patterns);
  const conditionOf = conditions(lines);

  const rules = yield* each(
    inOrder(set.rules, lines),
    (entry, position): Rule => ({
      id: entry.id,
      scope: entry,
      position,
      resources: resourcesOf(entry),
      condition: conditionOf(entry, (source) => compileCondition(source, scope, work)),
      effect: entry.effect,
      partly: entry.partly,
      shadow: entry.shadow,
      reason: entry.reason,
      guidance: entry.guidance,
      obligations: entry.obligations,
      approval: termsOf(entry.approval),
    }),
  );
  const limits = yield* each(
    set.limits,
    (entry, position): LimitRule => ({
      entry,
      scope: entry,
      position,
      condition: conditionOf(entry, (source) => compileCondition(source, ofLimits, work)),
    }),
  );
  const asked = new Set(rules.flatMap(({ condition }) => [...(condition?.counters ?? [])]));
  // What nobody asks for need not be counted.
  const counted = Object.entries(set.counters)
    .filter(([name]) => asked.has(name))
    .map(([name, entry], position): CountedBy => ({ name, entry, scope: entry, position }));
  checkSize(set, rules, lines);

  const actions = namedActions(set);
  const about = aboutActions({
    rules: new ByAction(rules),
    limits: new ByAction(limits),
    counters: new ByAction(counted),
    byName: new Map(counted.map((counter) => [counter.name, counter])),
    named: new Set([...actions, ...ownActions, ...clientActions]),
    known: new KnownActions(actions, set.vocabulary),
    otherwise: set.otherwise ?? "allow",
    unknown: set.unknown ?? "require_approval",
  });
  const given = (question: Omit<Question, "counts">, counts: Question["counts"]): Given => {
    const action = canonicalAction(question.action);
    const resource = canonicalResource(question.resource, isOfWeb(action));
    return new Given({ ...question, counts }, action, resource, scope.countsOf);
  };
  // A step is decided by rules first and by limits next: it is read once.
  let last: { readonly question: Question; readonly values: Given } | undefined;

  return {
    actions,
    tests: ruleTests(set.tests, (n) => lines.of(["tests", n])),
    decide(question) {
      if (isTooLong(question)) return tooLong;
      const values = given(question, question.counts);
      last = { question, values };
      const { speaking, fallback } = about(values.action);
      return quietly(() => decideBy(speaking, values, fallback, work));
    },
    countersOf(question) {
      if (isTooLong(question)) return [];
      const { wanted, counting } = about(canonicalAction(question.action));
      return wanted.length === 0 ? [] : countersFor(wanted, counting, question);
    },
    limitsOf(question) {
      if (isTooLong(question)) return [];
      const values = last?.question === question ? last.values : given(question, {});
      last = undefined;
      const { limits: speaking } = about(values.action);
      work.begin();
      return quietly(() =>
        speaking.filter((limit) => holds(limit, values, work)).map((limit) => limitOf(limit, question)),
      );
    },
    limitsFor(agent, nowMs) {
      const nothing = { action: "", resource: "", context: {}, reads: { unverified: [], foreign: [] } };
      const question = { ...nothing, agent, nowMs };
      const values = given(question, {});
      work.begin();
      return quietly(() =>
        limits.filter((limit) => holds(limit, values, work)).map((limit) => limitOf(limit, question)),
      );
    },
    concerns(action) {
      const { speaking, limits: limiting, wanted, fallback } = about(canonicalAction(action));
      return (
        speaking.all.length > 0 || limiting.length > 0 || wanted.length > 0 || fallback.effect !== "allow"
      );
    },
    look(question) {
      if (isTooLong(question)) return { rules: [], limits: [] };
      const values = given(question, question.counts);
      const { speaking, limits: limiting } = about(values.action);
      return quietly(() => lookAt(speaking, limiting, values, work));
    },
  };
}

/** One after the other, each a step. */
function* each<One, Other>(
  entries: readonly One[],
  make: (entry: One, position: number) => Other,
): Steps<Other[]> {
  const made: Other[] = [];
  for (const entry of entries) {
    yield;
    made.push(make(entry, made.length));
  }
  return made;
}

const tooLong: Decision = {
  effect: "deny",
  rules: [
    {
      id: "question",
      effect: "deny",
      reason: `an action has at most ${maxActionLength} characters and a resource ${maxResourceLength}`,
      guidance: "Ask again with the name of the action, and with a shorter resource.",
      failed: true,
    },
  ],
  shadow: [],
  obligations: [],
  known: false,
  nearest: [],
};

function isTooLong({ action, resource }: Pick<Question, "action" | "resource">): boolean {
  return action.length > maxActionLength || resource.length > maxResourceLength;
}

/** A limit that cannot be decided holds. */
function holds({ condition }: LimitRule, given: Given, work: Work): boolean {
  try {
    return condition === undefined || holdsOfAny(condition, given, false, work);
  } catch (error) {
    if (error instanceof Undecidable) return true;
    throw error;
  }
}

/** Without the stack of errors that are caught and forgotten within an expression: drawing it costs more than deciding. */
function quietly<Result>(decide: () => Result): Result {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return decide();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/** The rule set with the entries of its profile. */
export function* wholeSet(read: ReadRuleSet): Steps<RuleSet> {
  const { set, document } = read;
  if (!set.profile) {
    if (set.remove.length > 0)
      invalid(document.lineOf(["remove"]), "remove takes entries of a profile out, and there is no profile");
    return set;
  }
  const merged = mergeProfile(yield* profileSet(set.profile), set);
  if ("problem" in merged) invalid(document.lineOf(["remove", merged.at]), merged.problem);
  return merged;
}

const readProfiles = new Map<string, RuleSet>();

/** A profile with what it builds on. It never changes, so it is read once by this process. */
function* profileSet(name: keyof typeof profiles): Steps<RuleSet> {
  const known = readProfiles.get(name);
  if (known) return known;
  const set = yield* wholeSet(yield* readRuleSet(profiles[name]));
  readProfiles.set(name, set);
  return set;
}

/** By priority, then as they stand; each id once. */
function inOrder(entries: readonly RuleEntry[], lines: EntryLines): readonly RuleEntry[] {
  const ids = new Set<string>();
  for (const entry of entries) {
    if (ids.has(entry.id)) invalid(lines.ofEntry(entry), `another rule has the id "${entry.id}"`);
    ids.add(entry.id);
  }
  return entries.toSorted((one, other) => other.priority - one.priority);
}

function conditions(
  lines: EntryLines,
): (
  entry: { readonly id: string; readonly when?: string | undefined },
  compile: (source: string) => Condition,
) => Condition | undefined {
  return (entry, compile) => {
    if (entry.when === undefined) return undefined;
    try {
      return compile(entry.when);
    } catch (error) {
      if (!(error instanceof ConditionProblem)) throw error;
      invalid(lines.within(entry, "when", error.offset), `the condition of "${entry.id}": ${error.problem}`);
    }
  };
}

function resourcesOf({ resources, effect }: RuleEntry): Rule["resources"] {
  if (!resources || resources.some(isAnything)) return undefined;
  return resources.map((pattern) => resourcePattern(pattern, effect === "allow" ? "allows" : "restricts"));
}

export function termsOf(entry: ApprovalEntry | undefined): ApprovalTerms {
  const quorum = entry?.quorum ?? defaultApproval.quorum;
  return {
    expiresMs: entry?.expires ?? defaultApproval.expiresMs,
    otherwise: entry?.otherwise ?? defaultApproval.otherwise,
    quorum,
    approvers: entry?.approvers ?? defaultApproval.approvers,
    ...(entry?.escalate && { escalate: { afterMs: entry.escalate.after, to: entry.escalate.to } }),
    ...(entry?.approvers && { namesApprovers: true }),
    byClient: entry?.client ?? defaultApproval.byClient,
  };
}

function checkSize(set: RuleSet, rules: readonly Rule[], lines: EntryLines): void {
  if (set.rules.length > maxRules || set.limits.length > maxRules)
    invalid(lines.of(["profile"]), `with its profile it has more than ${maxRules} rules`);
  const ids = new Set<string>();
  for (const entry of set.limits) {
    if (ids.has(entry.id)) invalid(lines.ofEntry(entry), `another limit has the id "${entry.id}"`);
    ids.add(entry.id);
  }
  const parts = rules.reduce((sum, { condition }) => sum + (condition?.nodes ?? 0), 0);
  if (parts > maxConditionParts)
    invalid(lines.of(["rules"]), `its conditions have more than ${maxConditionParts} parts in all`);
  const patterns = rules.reduce((sum, { resources }) => sum + (resources?.length ?? 0), 0);
  if (patterns > maxResourcePatterns)
    invalid(lines.of(["rules"]), `its rules name more than ${maxResourcePatterns} resources in all`);
  if (namedActions(set).length > maxNamedActions)
    invalid(lines.of(["vocabulary"]), `it names more than ${maxNamedActions} actions in all`);
}

export function namedActions(set: RuleSet): readonly string[] {
  const scopes = [...set.rules, ...set.limits, ...Object.values(set.counters)];
  const named = scopes.flatMap(({ actions }) => actions.filter((action) => !action.includes("*")));
  return [...new Set([...named, ...Object.keys(set.vocabulary)])].sort();
}
