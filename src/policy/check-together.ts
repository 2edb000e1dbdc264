import type { Caller } from "../identity/index.js";
import { checkPolicy } from "./check-policy.js";
import type { PolicyContext } from "./context.js";
import type { PolicyAnswer } from "./contract.js";
import { effects } from "./decision.js";
import { askedBy } from "./question-of.js";
import type { ToolStep } from "./shell-steps.js";

/** What was decided about one of several steps. */
export interface StepAnswer {
  readonly step: ToolStep;
  readonly answer: PolicyAnswer;
}

/**
 * Asks about one call that is several steps at once: the most restrictive answer holds for it. A person is asked about
 * one of the steps alone, with all arguments of the call: the last of those that need one, which is the most special.
 *
 * @throws {MailboxError} as `checkPolicy`
 */
export async function checkTogether(
  context: PolicyContext,
  caller: Caller,
  steps: readonly ToolStep[],
  given: Readonly<Record<string, unknown>>,
  why: string,
): Promise<StepAnswer> {
  const { rules } = await context.deps.inForce(caller.principal.namespace);
  const ranks: number[] = [];
  for (const { action, resource } of steps) {
    const question = await askedBy(context, caller, action, resource, given);
    // How often something was is looked at when it is asked about; rules that need it count as if it never was.
    const counts = Object.fromEntries(rules.countersOf(question).map(({ name }) => [name, 0]));
    ranks.push(effects.indexOf(rules.decide({ ...question, counts }).effect));
  }
  const ask = async (step: ToolStep): Promise<StepAnswer> => ({
    step,
    answer: await checkPolicy(context, caller, { ...step, context: given, ...(why === "" ? {} : { why }) }),
  });
  const most = Math.max(...ranks);
  const chosen = steps[ranks.lastIndexOf(most)]!;
  if (effects[most] === "deny") return ask(chosen);
  let found: StepAnswer | undefined;
  // Those that need nobody first: limits may still say no, and an approval is used up by what it allows.
  for (const [n, step] of steps.entries()) {
    if (effects[ranks[n]!] !== "allow") continue;
    found = await ask(step);
    if (found.answer.decision !== "allow") return found;
  }
  return effects[most] === "allow" ? found! : ask(chosen);
}
