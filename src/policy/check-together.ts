import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { checkPolicy } from "./check-policy.js";
import type { PolicyContext } from "./context.js";
import type { PolicyAnswer } from "./contract.js";
import { type Decision, effects } from "./decision.js";
import { checkedStep, decisionRow } from "./decision-row.js";
import { contextProblem } from "./given.js";
import { askedBy } from "./question-of.js";
import { reachDecision } from "./reach-decision.js";
import { AskedStep, rulesTogether } from "./rules-together.js";
import { named, shownStep } from "./shown-step.js";
import type { ToolStep } from "./tool-step.js";

/** What was decided about a call of several steps. */
export interface TogetherAnswer {
  /** The steps that the decision is due to; all where it is due to none in particular. */
  readonly steps: readonly ToolStep[];
  readonly answer: PolicyAnswer;
}

/** What is said of a call beside its steps. */
export interface AskedTogether {
  readonly asked: Readonly<Record<string, unknown>>;
  readonly why: string;
  /** The argument from which the resources of its steps were taken. */
  readonly naming?: string | undefined;
}

/**
 * Asks about one call that is several steps at once: each with its rules and limits, and the most restrictive answer
 * holds for all; each is recorded with what was decided of it. Nothing is taken of a limit unless the whole call passes. Where some need a person, one request is
 * opened that names all steps and all that want it, on the strictest of their terms.
 *
 * @throws {MailboxError} as `checkPolicy`
 */
export async function checkTogether(
  context: PolicyContext,
  caller: Caller,
  given: readonly ToolStep[],
  { asked, why, naming }: AskedTogether,
): Promise<TogetherAnswer> {
  const { deps, limits } = context;
  if (given.length === 1) {
    const more = { context: asked, ...(why === "" ? {} : { why }) };
    return {
      steps: given,
      answer: await checkPolicy(context, caller, { ...given[0]!, ...more }, { naming }),
    };
  }
  const admission = await deps.admit(caller, "policy.check", "*");
  const problem = contextProblem(asked);
  if (problem !== undefined) refuse("input.invalid", { problem });
  const inForce = await deps.inForce(caller.principal.namespace);
  const about = await askedBy(context, caller, given[0]!.action, given[0]!.resource, asked);
  const whole = given.map((step) => {
    const question = { ...about, action: step.action, resource: step.resource.trim() };
    const asking = new AskedStep(inForce.rules, question);
    return { step, asking, decision: asking.decide(() => 0).decision };
  });
  // Which one leads is part of what is approved: it must not depend on how often something was.
  const inOrder = whole.toReversed().sort((one, other) => weight(other.decision) - weight(one.decision));
  const steps = inOrder.map(({ step }) => step);
  const rules = rulesTogether(
    inForce.rules,
    inOrder.map(({ asking }) => asking),
  );
  const attempt = deps.store.attempt();
  const answer = await reachDecision(context, caller, {
    via: "check",
    question: { ...inOrder[0]!.asking.question, context: { ...asked, steps: given.map(shownStep) } },
    inForce: { ...inForce, rules },
    parts: rules.stepsAt,
    cost: 0,
    why,
    naming,
    added: ["steps"],
    operation: { key: `a|${attempt}`, digest: "", keepMs: limits.attemptMs },
    attempt,
    row: decisionRow(admission, checkedStep(steps.map(named).join(", "), "")),
  });
  const blamed = inOrder.filter(({ asking, decision }) => {
    if (answer.decision === "allow") return decision.obligations.length > 0;
    if (decision.effect === answer.decision) return true;
    const of = asking.limits.map(({ id }) => `limit ${id}`);
    const by = [...decision.rules.map(({ id }) => `rule ${id}`), ...of];
    return answer.reasons.some((one) => by.includes(one.by));
  });
  return { steps: blamed.length === 0 ? steps : blamed.map(({ step }) => step), answer };
}

/** The more restrictive, the heavier; of those that need a person, the one that needs more of them. */
function weight({ effect, approval }: Decision): number {
  return 1_000 * effects.indexOf(effect) + (approval?.quorum ?? 0);
}
