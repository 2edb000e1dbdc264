import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { digest } from "../redis/index.js";
import { counterField } from "./budget-field.js";
import type { ApprovalWait, AwaitedApproval, PolicyContext } from "./context.js";
import type { AskedApproval, CheckPolicy, PolicyAnswer } from "./contract.js";
import type { Decision } from "./decision.js";
import { checkedStep, decisionRow } from "./decision-row.js";
import { contextProblem } from "./given.js";
import { mostReserved } from "./limits.js";
import { estimatedMillionths, exactMillionths } from "./millionths.js";
import { withCounts } from "./question.js";
import { askedBy } from "./question-of.js";
import { mostRules, reachDecision, reasonOf } from "./reach-decision.js";
import { AskedStep, rulesTogether } from "./rules-together.js";
import { stepsShown } from "./shown-step.js";

/** What ends a wait sooner, and who is told that it goes on. */
export interface CheckOptions {
  readonly signal?: AbortSignal;
  readonly draining?: AbortSignal;
  /** Called every 10 s while the call waits. */
  readonly onWaiting?: (secondsLeft: number) => void;
  /** The argument from which the resource was taken, where that is known. */
  readonly naming?: string | undefined;
}

/**
 * Decides whether the caller may take a step, by the rules and limits of its namespace, and holds what it may cost.
 *
 * Of many who ask at once nobody gets more than is left. What is held is `reserve`, or where that is left out the
 * `context.cost`; `reserve: 0` only looks. What needs a person is asked of one, and holds nothing until the same call is
 * made again after they agreed. With `approval_id` it waits for them first.
 *
 * @throws {MailboxError} `access.denied`, `input.invalid`, `policy.idempotency_conflict`, `approval.*`, `store.*`
 */
export async function checkPolicy(
  context: PolicyContext,
  caller: Caller,
  input: CheckPolicy,
  options: CheckOptions = {},
): Promise<PolicyAnswer> {
  const { deps, limits } = context;
  if (input.approval_id !== undefined) {
    const waitMs = (input.wait_seconds ?? 0) * 1000;
    const isPart = input.action !== undefined;
    const answer = await awaitDecision(context, caller, input.approval_id, { ...options, waitMs, isPart });
    // Where the step is told too, what was approved is used for it at once, and the row is that of the step.
    // A repetition finds it used, by this very step perhaps: that is for its operation to say.
    const mayBeDone = answer.decision === "allow" || answer.approval?.state === "used";
    if (isPart && !mayBeDone) await deps.record(caller, await deps.admit(caller, "policy.check", "*"));
    if (!isPart || !mayBeDone) return answer;
  }
  const admission = await deps.admit(caller, "policy.check", "*");
  const action = input.action?.trim() ?? "";
  if (action === "")
    refuse("input.invalid", { problem: "action is missing; name the step, such as file.delete" });
  const resource = input.resource?.trim() ?? "";
  // Before anything else looks at it, or makes a copy of it.
  refuseUnreadable(input.context ?? {});
  const { reserve, cost, asked } = costsOf(input);
  refuseUnreadable(asked);
  const question = await askedBy(context, caller, action, resource, asked);
  const attempt = deps.store.attempt();
  const { idempotency_key: key, approval_id: _, wait_seconds: __, ...rest } = input;
  return reachDecision(context, caller, {
    via: "check",
    question,
    inForce: await deps.inForce(caller.principal.namespace),
    cost,
    ...(reserve === undefined ? {} : { reserve }),
    why: input.why ?? "",
    naming: options.naming,
    ...(asked === input.context || asked.cost === input.context?.cost ? {} : { added: ["cost"] }),
    operation:
      key === undefined
        ? { key: `a|${attempt}`, digest: "", keepMs: limits.attemptMs }
        : {
            key: `k|${caller.principal.agent}|${digest(["check_policy", key])}`,
            digest: digest(rest),
            keepMs: limits.idempotencyMs,
          },
    attempt,
    row: decisionRow(admission, checkedStep(action, resource)),
  });
}

/** @throws {MailboxError} `input.invalid` */
function refuseUnreadable(context: Readonly<Record<string, unknown>>): void {
  const problem = contextProblem(context);
  if (problem !== undefined) refuse("input.invalid", { problem });
}

/**
 * What is to be held, and what the step is said to cost: where only one is named, it is the other too. So whoever names a
 * cost cannot spend it again and again; only who reserves 0 holds nothing.
 */
function costsOf({ reserve, context = {} }: CheckPolicy): {
  readonly reserve?: number;
  readonly cost: number;
  readonly asked: Readonly<Record<string, unknown>>;
} {
  const { cost } = context;
  if (
    cost !== undefined &&
    cost !== null &&
    !(typeof cost === "number" && cost >= 0 && Number.isFinite(cost))
  )
    refuse("input.invalid", { problem: "context.cost is a number, not below 0" });
  const estimate = typeof cost === "number" ? estimatedMillionths(cost) : 0;
  if (reserve === undefined) {
    if (typeof cost === "number" && cost > mostReserved)
      refuse("input.invalid", { problem: `context.cost is at most ${mostReserved}, or reserve is 0` });
    return { cost: estimate, asked: context, ...(estimate === 0 ? {} : { reserve: estimate }) };
  }
  if (reserve === 0) return { cost: estimate, asked: context };
  const held = exactMillionths(reserve, "reserve");
  if (held < estimate)
    refuse("input.invalid", {
      problem: "reserve is less than context.cost; reserve all that the step may cost",
    });
  return {
    reserve: held,
    cost: held,
    asked: typeof cost === "number" ? context : { ...context, cost: reserve },
  };
}

/**
 * What became of a request; the step itself is decided when it is asked about. Where a rule denies by now what was
 * approved, that is told already here.
 */
async function awaitDecision(
  context: PolicyContext,
  caller: Caller,
  given: string,
  wait: ApprovalWait,
): Promise<PolicyAnswer> {
  const found = await context.deps.awaitApproval(caller, given, wait);
  const { id, state, effect, expires_at, usable_until, votes, answer, edited_arguments, decided_by } = found;
  const said = votes.flatMap(({ by, comment }) => (comment === undefined ? [] : [{ by, text: comment }]));
  if (answer !== undefined) said.push({ by: decided_by[0] ?? "", text: answer });
  const approval: AskedApproval = {
    id,
    state,
    until: usable_until ?? expires_at,
    ...(said.length === 0 ? {} : { said }),
    ...(edited_arguments === undefined ? {} : { arguments: edited_arguments }),
  };
  const isUsable = effect === "allow" && state !== "used";
  const denial = isUsable ? await denialByNow(context, caller, found) : undefined;
  const outcome = state === "pending" ? "require_approval" : "deny";
  return {
    decision: isUsable && !denial ? "allow" : outcome,
    reasons: denial?.rules.slice(0, mostRules).map(reasonOf) ?? [],
    obligations: [],
    known: denial?.known ?? true,
    nearest: denial?.nearest ?? [],
    limits: [],
    approval,
    unheld: false,
    replayed: false,
  };
}

/** What denies by the rules of now what was approved, or a step of it, as far as its steps are told. */
async function denialByNow(
  context: PolicyContext,
  caller: Caller,
  {
    action,
    resource,
    arguments: asked,
    edited_arguments: edited,
    context: said,
    added = {},
  }: AwaitedApproval,
): Promise<Decision | undefined> {
  const { namespace } = caller.principal;
  const { rules } = await context.deps.inForce(namespace);
  const given = edited ?? asked;
  // What would be held, and which steps it has, no rule is asked about.
  const { reserve: _, steps: shown, ...more } = added;
  const own = { ...said, ...more };
  const whole = { ...own, arguments: given };
  let denial: Decision | undefined;
  // A request does not tell whether a step without arguments was asked about with none, or with an empty list of them.
  for (const one of Object.keys(given).length > 0 ? [whole] : [own, whole]) {
    const lead = await askedBy(context, caller, action, resource, one);
    const together = rulesTogether(
      rules,
      [lead, ...stepsShown(shown).map((step) => ({ ...lead, ...step }))].map(
        (question) => new AskedStep(rules, question),
      ),
    );
    const counts = together
      .countersOf(lead)
      .map((counter) => [
        counter.as ?? counter.name,
        Number(context.lastCount(namespace, counterField(counter))),
      ]);
    const decision = together.decide(withCounts(lead, Object.fromEntries(counts)));
    if (decision.effect !== "deny") return undefined;
    denial ??= decision;
  }
  return denial;
}
