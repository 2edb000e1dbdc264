import { isRefusal, refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import { counterField, limitField, limitState } from "./budget-field.js";
import type { ApprovalQuestion, ApprovalRequest, ClaimedApproval, PolicyContext } from "./context.js";
import type { AskedApproval, LimitState, PolicyAnswer } from "./contract.js";
import type { WishOfCall } from "./counted-call.js";
import type { ApprovalTerms, Counter, DecidingRule, Decision, Effect, Limit } from "./decision.js";
import type { DecisionRow } from "./decision-row.js";
import { notifyTold } from "./duties.js";
import { isObject } from "./is-object.js";
import { isOwnStep } from "./is-own-step.js";
import { lengthOfTime } from "./length-of-time.js";
import { mostRecords } from "./limits.js";
import { fromMillionths, mostSummed } from "./millionths.js";
import { type Question, withCounts } from "./question.js";
import { saidBy } from "./refusal-facts.js";
import { newReservationId } from "./reservation-id.js";
import type { InForce } from "./rule-book.js";
import type { StepOfCall } from "./rules-together.js";
import { strictestTerms } from "./strictest-terms.js";
import { writtenDecision } from "./written-decision.js";

const checkScript = loadScript(import.meta.url, "check-policy.lua");

/** So often a decision is made anew because somebody was counted meanwhile; then it holds with the newest counts. */
const mostAnew = 3;

/** So many of the rules that decided are told and written down. */
export const mostRules = 10;

/** A step that is asked about, and what is to be held and recorded of it. */
export interface Step {
  readonly via: "check" | "tool";
  readonly question: Omit<Question, "counts">;
  readonly inForce: InForce;
  /** What it may cost, millionths; 0 where none was named. */
  readonly cost: number;
  /** What is to be held of it, millionths; absent where the cost is only looked at, or none was named. */
  readonly reserve?: number;
  readonly why: string;
  readonly operation: { readonly key: string; readonly digest: string; readonly keepMs: number };
  readonly attempt: string;
  /**
   * The caller's own name for this call of a tool of ours: it is decided anew each time it is made, counted once in a
   * window, and holds the same approval.
   */
  readonly callName?: string;
  /** Those of what the same call wants besides and is asked about behind this: for rules about counts they are not there yet. */
  readonly behind?: readonly string[];
  /** Which of the wishes of such a call it is, for a replay of what was decided. */
  readonly wish?: WishOfCall | undefined;
  /** The argument from which the resource was taken, where that is known. */
  readonly naming?: string | undefined;
  /** Names in the context of the question that we put there, and whoever asks did not say. */
  readonly added?: readonly string[];
  /** The steps of a call of several, each with its own decision at these counts; each is recorded. */
  readonly parts?: (counts: Question["counts"]) => readonly StepOfCall[];
  readonly row: DecisionRow;
}

/** What is told of a step whatever becomes of it, kept with its answer. */
interface Told {
  readonly rules: readonly (PolicyAnswer["reasons"][number] & { readonly effect: Effect })[];
  readonly obligations: readonly string[];
  readonly known: boolean;
  readonly nearest: readonly string[];
  readonly unheld: boolean;
  readonly approval?: AskedApproval;
  readonly approvedBy?: string;
}

type Stage = "first" | "asked" | "approved" | "refused";

/** What was decided, and the approval that lets it pass, of which its use has still to be told. */
export interface Reached {
  readonly answer: PolicyAnswer;
  readonly claimed?: ClaimedApproval;
}

/**
 * Decides a step that is taken once it is allowed: what a person approved for exactly this is used up by that, unless it is
 * a step of our own tools, which ask by themselves and use it up. As `holdDecision`.
 */
export async function reachDecision(
  context: PolicyContext,
  caller: Caller,
  step: Step,
): Promise<PolicyAnswer> {
  const { answer, claimed } = await holdDecision(context, caller, step);
  await claimed?.settle(isTakenBy(step));
  return answer;
}

/** Whether whoever asks takes the step on the answer alone. */
function isTakenBy({ via, question }: Step): boolean {
  return via === "check" && !isOwnStep(question.action);
}

/**
 * Decides a step: by the rules, then in one script by the limits, which is exact however many ask at once. Where a
 * person has to agree, what they approved for exactly this is held until it is told whether the step was taken, and
 * otherwise they are asked.
 *
 * @throws {MailboxError} `budget.sum_too_large`, `policy.idempotency_conflict`, `approval.in_use`, `store.*`
 */
export async function holdDecision(context: PolicyContext, caller: Caller, step: Step): Promise<Reached> {
  const first = await decideWithLimits(context, caller, step, "first");
  return first.word === "ASK"
    ? askPeople(context, caller, step, first)
    : { answer: told(context, caller, step, first) };
}

async function askPeople(
  context: PolicyContext,
  caller: Caller,
  step: Step,
  first: Outcome,
): Promise<Reached> {
  const claimed = await claim(context, caller, step, first);
  if (claimed) {
    const more = { approvedBy: claimed.id };
    try {
      const answer = told(
        context,
        caller,
        step,
        await decideWithLimits(context, caller, step, "approved", more),
      );
      if (answer.decision === "allow") return { answer, claimed };
      await claimed.settle(false);
      return { answer };
    } catch (error) {
      // What a check has allowed is used by that; a tool does nothing before it knows that it may.
      await claimed.settle(isTakenBy(step) && (!isRefusal(error) || error.kind === "UNKNOWN"));
      throw error;
    }
  }
  const { id, state, expiresAt, before } = await context.deps.openApproval(
    caller,
    requestOf(questionOf(step), step, first),
  );
  const until = new Date(expiresAt).toISOString();
  const approval = { id, state, until, ...(before && { before }) };
  // What was approved with other arguments, or is still to be decided, may yet pass.
  const stage = state === "pending" || state === "approved" ? "asked" : "refused";
  return {
    answer: told(context, caller, step, await decideWithLimits(context, caller, step, stage, { approval })),
  };
}

function claim(
  { deps }: PolicyContext,
  caller: Caller,
  step: Step,
  outcome: Outcome,
): Promise<ClaimedApproval | undefined> {
  return deps.claimApproval(caller, questionOf(step), {
    operation: step.callName ?? step.operation.key,
    attempt: step.attempt,
    terms: termsOf(outcome),
  });
}

interface Outcome {
  readonly word: "ANSWERED" | "REPLAYED" | "ASK";
  readonly answer: PolicyAnswer;
  readonly decision: Decision;
}

async function decideWithLimits(
  context: PolicyContext,
  { principal }: Caller,
  step: Step,
  stage: Stage,
  more: Pick<Told, "approval" | "approvedBy"> = {},
): Promise<Outcome> {
  const { question, inForce } = step;
  const { namespace, agent } = principal;
  const counters = inForce.rules
    .countersOf(question)
    .map((counter) => ({ counter, field: counterField(counter) }));
  let seen = counters.map(({ field }) => context.lastCount(namespace, field));
  for (let anew = 0; ; anew++) {
    const isLast = anew > mostAnew;
    const whole = withCounts(question, countsOf(counters, seen));
    const decision = inForce.rules.decide(whole);
    const limits = decision.effect === "deny" ? [] : concerned(inForce.rules.limitsOf(whole), step.cost);
    const unheld = step.cost > 0 && step.reserve === undefined && limits.some(({ of }) => of === "cost");
    const told = toldOf(decision, unheld, more);
    const parts = step.parts?.(whole.counts) ?? [{ question: whole, decision, limits }];
    const toldText = JSON.stringify(told);
    const [word, reply] = await context.run(namespace, checkScript, [
      step.operation.key,
      step.operation.digest,
      step.attempt,
      step.operation.keepMs,
      decision.effect,
      stage,
      step.row.before,
      step.row.right,
      namesOf(decision, more),
      recordLines(parts, (part) => ({
        limits: decision.effect === "deny" ? 0 : concerned(part.limits, step.cost).length,
        text: () =>
          writtenDecision(
            {
              ...{ via: step.via, version: inForce.version, approval: more.approvedBy },
              ...{ once: step.callName, wish: step.wish },
            },
            part.question,
            part.decision,
            context.limits.decisionBytes,
          ),
      })).join("\n"),
      toldText,
      step.reserve === undefined ? "" : newReservationId(),
      step.reserve ?? 0,
      agent,
      [step.callName ?? "", ...(step.behind ?? [])].join("\n"),
      counters.length,
      ...counters.flatMap(({ counter, field }, n) => [
        field,
        counter.windowMs,
        counter.counts ? 1 : 0,
        isLast ? "" : seen[n]!,
      ]),
      ...limits.flatMap((limit) => limitWords(limit, step)),
    ]);
    switch (word) {
      case "ANSWERED":
      case "REPLAYED":
      case "ASK": {
        if (word === "ANSWERED")
          for (const [n, { counter, field }] of counters.entries())
            context.sawCount(namespace, field, String(Number(seen[n]) + (counter.counts ? 1 : 0)));
        const [lines, kept] = splitAnswer(String(reply));
        const whole = kept === toldText ? told : (JSON.parse(kept) as Told);
        return { word, decision, answer: answerOf(lines, whole, step, limits, word === "REPLAYED") };
      }
      case "CHANGED":
        seen = (reply as readonly string[]).map(String);
        break;
      case "FULL":
        return refuse("budget.sum_too_large", { agent, most: mostSummed });
      case "REUSED":
        return refuse("policy.idempotency_conflict");
      default:
        throw new Error(`a check was answered with ${word}`);
    }
  }
}

/** What is recorded of the steps of a call, which differ: the first ten, each so that it can be decided again. */
function recordLines(
  parts: readonly StepOfCall[],
  written: (part: StepOfCall) => { readonly limits: number; readonly text: () => string },
): readonly string[] {
  return parts.map((part, n) => {
    const { limits, text } = written(part);
    const { effect, rules } = part.decision;
    // Limits are taken for each of them, so that each has its line.
    return n < mostRecords
      ? `${effect} ${limits} ${JSON.stringify(rules.map(({ id }) => id))} ${text()}`
      : `- ${limits}  `;
  });
}

function countsOf(
  counters: readonly { readonly counter: Counter }[],
  seen: readonly string[],
): Readonly<Record<string, number>> {
  return Object.fromEntries(counters.map(({ counter }, n) => [counter.as ?? counter.name, Number(seen[n])]));
}

/** A step that costs nothing takes nothing of a budget, and needs none. */
function concerned(limits: readonly Limit[], cost: number): readonly Limit[] {
  return limits.filter(({ of }) => of === "calls" || cost > 0);
}

function limitWords(limit: Limit, step: Step): readonly (string | number)[] {
  const { id, most, windowMs, effect, unsettled, shadow } = limit;
  const isCost = limit.of === "cost";
  const manner = !isCost ? "count" : step.reserve === undefined ? "look" : unsettled;
  return [limitField(limit), id, most, windowMs, isCost ? step.cost : 1, effect, manner, shadow ? 1 : 0];
}

function namesOf(
  { rules }: Decision,
  { approval, approvedBy }: Pick<Told, "approval" | "approvedBy">,
): string {
  const ids = rules.slice(0, mostRules).map(({ id }) => id);
  const asked = approval?.id ?? approvedBy;
  return `${ids.length === 0 ? "no rule" : `rule ${ids.join(", ")}`}${asked === undefined ? "" : `, approval ${asked}`}`;
}

function toldOf(decision: Decision, unheld: boolean, more: Pick<Told, "approval" | "approvedBy">): Told {
  const { obligations, known, nearest } = decision;
  const rules = decision.rules
    .slice(0, mostRules)
    .map((rule) => ({ ...reasonOf(rule), effect: rule.effect }));
  return { rules, obligations, known, nearest, unheld, ...more };
}

/** What a rule that decided is told as. */
export function reasonOf({ id, guidance, ...said }: DecidingRule): PolicyAnswer["reasons"][number] {
  return {
    ...{ by: `rule ${id}`, reason: saidBy(said) },
    ...(guidance === undefined ? {} : { guidance }),
  };
}

/** The lines of an answer, and what else it tells, which is the last of them. */
function splitAnswer(text: string): readonly [lines: readonly string[], kept: string] {
  const at = text.lastIndexOf("\n");
  return [text.slice(0, at).split("\n"), text.slice(at + 1)];
}

function answerOf(
  lines: readonly string[],
  { rules, obligations, known, nearest, unheld, approval, approvedBy }: Told,
  step: Step,
  limits: readonly Limit[],
  replayed: boolean,
): PolicyAnswer {
  const [effect, , reservation, expires] = lines[0]!.split(" ") as [Effect, string, string, string];
  const states = lines.slice(1).map((line) => {
    const [field, used, held, most, endsAt, exceeded, shadow] = line.split(" ");
    const state = limitState(field!, [Number(used), Number(held), Number(most), Number(endsAt)]);
    return { exceeded: exceeded === "1", shadow: shadow === "1", ...state };
  });
  const told = states.filter((one) => !one.shadow).map(({ shadow, ...state }) => state);
  const stops = told
    .filter((one) => one.exceeded && effect !== "allow")
    .map((state) => {
      const { id } = state;
      const limit = limits.find((one) => one.id === id);
      return {
        by: `limit ${id}`,
        reason: limit?.reason ?? "more than is left",
        ...guidanceOf(limit, state, step, effect),
      };
    });
  // A rule that would have allowed it is no reason for a limit that does not.
  const reasons = rules.filter((one) => one.effect === effect).map(({ effect: _, ...reason }) => reason);
  return {
    decision: effect,
    reasons: [...reasons, ...stops],
    obligations,
    known,
    nearest,
    limits: told,
    ...(approval === undefined ? {} : { approval }),
    ...(approvedBy === undefined ? {} : { approved_by: approvedBy }),
    ...(reservation === "-"
      ? {}
      : {
          reservation_id: reservation!,
          reserved: fromMillionths(step.reserve ?? 0),
          reservation_expires_at: new Date(Number(expires)).toISOString(),
        }),
    unheld: unheld && effect === "allow",
    replayed,
  };
}

/** What helps where a limit denies: its author's words, or what its numbers say. */
function guidanceOf(
  limit: Limit | undefined,
  { of, most, window_ends_at }: LimitState,
  { cost }: Step,
  effect: Effect,
): { readonly guidance?: string } {
  if (limit?.guidance !== undefined) return { guidance: limit.guidance };
  if (effect !== "deny") return {};
  const step = of === "cost" ? fromMillionths(cost) : 1;
  if (step > most)
    return {
      guidance: most > 0 ? `Take a step of at most ${most}: no window lets more pass` : "Take another way",
    };
  return {
    guidance: `${of === "cost" ? "Take a step that costs less, or wait" : "Wait"} until ${window_ends_at}, when its window is over`,
  };
}

/** What a reservation is for belongs to what is approved. */
function questionOf({ question, reserve }: Step): ApprovalQuestion {
  const { action, resource, context } = question;
  const { arguments: given, ...rest } = context;
  return {
    action,
    resource,
    arguments: isObject(given) ? given : {},
    context: {
      ...(isObject(given) || given === undefined ? rest : context),
      ...(reserve === undefined ? {} : { reserve: fromMillionths(reserve) }),
    },
  };
}

function requestOf(
  asked: ApprovalQuestion,
  { question, inForce, why, naming, cost, reserve, added = [] }: Step,
  outcome: Outcome,
): ApprovalRequest {
  const { answer } = outcome;
  const { risk } = question.context;
  return {
    ...asked,
    reasons: [
      ...answer.reasons.map(({ reason }) => reason),
      ...limitsInWords(answer, inForce, question, cost),
    ],
    added: [...added, ...(reserve === undefined ? [] : ["reserve"])],
    rules: answer.reasons.map(({ by }) => by),
    why,
    risk: typeof risk === "string" ? risk : "",
    naming,
    terms: termsOf(outcome),
  };
}

/** Where the limits stand for which a person is asked, and what the step would take. */
function limitsInWords(
  { limits }: PolicyAnswer,
  { rules }: InForce,
  question: Step["question"],
  cost: number,
): readonly string[] {
  const known = rules.limitsOf(question);
  return limits
    .filter(({ exceeded }) => exceeded)
    .map(({ id, of, subject, used, held, most, left, window_ends_at }) => {
      const windowMs = known.find((one) => one.id === id)?.windowMs;
      const window = windowMs === undefined ? "" : ` in ${lengthOfTime(windowMs)}`;
      const takes = of === "calls" ? "1 more" : `${fromMillionths(cost)} more`;
      const unit = of === "calls" ? " calls" : "";
      return `limit ${id} of ${subject}: at most ${most}${unit}${window}, of which ${used} used and ${held} held, so ${left} left until ${window_ends_at}; this takes ${takes}`;
    });
}

/** How the rules and limits of now want a person asked. */
function termsOf({ decision, answer }: Outcome): ApprovalTerms {
  const byLimit = answer.reasons.some(({ by }) => by.startsWith("limit "));
  const terms = [...(decision.approval ? [decision.approval] : []), ...(byLimit ? [standardTerms] : [])];
  return terms.length > 0 ? strictestTerms(terms) : standardTerms;
}

/** For what a limit asks, which has no terms of its own. */
const standardTerms = {
  expiresMs: 60 * 60_000,
  otherwise: "deny",
  quorum: 1,
  approvers: ["role:approver"],
  byClient: false,
} as const;

/** Whoever a rule wants told is told once, and not by a repetition. */
function told(
  context: PolicyContext,
  caller: Caller,
  { question }: Step,
  { word, answer }: Outcome,
): PolicyAnswer {
  if (word !== "ANSWERED") return answer;
  notifyTold(context, caller, question, answer);
  return answer;
}
