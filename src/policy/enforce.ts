import { refuse } from "../errors/index.js";
import { type Action, type Asked, type Caller, isOperator } from "../identity/index.js";
import type { PolicyContext } from "./context.js";
import type { PolicyAnswer } from "./contract.js";
import { callNameOf, namesBehind, wishOfCall } from "./counted-call.js";
import { noRow } from "./decision-row.js";
import { withoutNotices } from "./duties.js";
import { withCounts } from "./question.js";
import { askedBy } from "./question-of.js";
import { holdDecision } from "./reach-decision.js";
import { inSentence } from "./refusal-facts.js";
import { whereToReadWhy } from "./refused-before.js";

/** What allowed a call. */
export interface Passed {
  readonly because: string;
  /** To be told once whether the call had an effect: only then an approval is used up, and the run owes its duties. */
  readonly settle?: (hadEffect: boolean) => Promise<void>;
}

/**
 * Asks the rules of the namespace about a call of one of our own tools, which goes on only where they allow it. The
 * store is asked only where the call counts for something, is not simply allowed, or a rule that is only tried out has
 * something to say, which is recorded. Before it is, a call with a key that was done already is let pass, to be answered
 * again; one that was not is decided by the rules of now. The operator is not asked.
 *
 * @throws {MailboxError} `policy.denied`; `policy.approval_required`, after which the same call passes once it is
 *   approved; `approval.in_use` while another call is about to use that
 */
export async function enforce(
  context: PolicyContext,
  caller: Caller,
  action: Action,
  resource: string,
  asked: Asked,
): Promise<Passed> {
  const { deps, limits } = context;
  const { namespace, agent } = caller.principal;
  if (isOperator(caller.principal)) return { because: "operator" };
  const inForce = await deps.inForce(namespace);
  if (!inForce.rules.concerns(action)) return { because: "no rule" };
  const question = await askedBy(context, caller, action, resource, { arguments: asked.arguments });
  const whole = withCounts(question, {});
  const counters = inForce.rules.countersOf(question);
  if (counters.length === 0) {
    const decision = inForce.rules.decide(whole);
    const counts = inForce.rules.limitsOf(whole).some(({ of }) => of === "calls");
    const { effect, obligations, shadow } = decision;
    if (effect === "allow" && !counts && obligations.length === 0 && shadow.length === 0)
      return { because: decision.rules.length === 0 ? "no rule" : `rule ${decision.rules[0]!.id}` };
  }
  // What was done before is answered again, whatever rules say by now: nothing is counted, recorded or asked for it.
  if (await asked.wasDone?.()) return { because: "replayed" };
  const attempt = deps.store.attempt();
  const key = asked.idempotencyKey;
  const { answer, claimed } = await holdDecision(context, caller, {
    via: "tool",
    question,
    inForce,
    cost: 0,
    why: "",
    naming: namingArgument(action, asked.arguments),
    operation: {
      key: `a|${attempt}`,
      digest: "",
      keepMs: key === undefined ? limits.attemptMs : limits.idempotencyMs,
    },
    attempt,
    // With other arguments it is another call: that the key was used for one is for the tool to say.
    ...(key !== undefined && {
      callName: callNameOf(agent, action, resource, asked.arguments, key),
      behind: namesBehind(agent, asked),
      wish: wishOfCall(asked),
    }),
    row: noRow,
  });
  const by = answer.reasons.map((one) => one.by).join(", ") || "no rule";
  switch (answer.decision) {
    case "allow": {
      const duties = withoutNotices(answer.obligations);
      return {
        because: claimed === undefined ? by : `approval ${claimed.id}`,
        settle: async (hadEffect) => {
          if (hadEffect) context.owe(caller, action, duties);
          await claimed?.settle(hadEffect);
        },
      };
    }
    case "require_approval":
      return refuse("policy.approval_required", {
        id: answer.approval?.id ?? "",
        reason: reasonsOf(answer),
        rules: by,
        before: whereToReadWhy(answer.approval?.before),
        others: "",
      });
    case "deny":
      return refuse("policy.denied", {
        reason: reasonsOf(answer),
        rules: by,
        guidance: guidanceOf(answer),
        about: "",
      });
  }
}

/** The argument of a tool of ours from which the resource is taken. */
function namingArgument(action: Action, given: Asked["arguments"]): string | undefined {
  switch (action) {
    case "mailbox.send":
      return "to";
    case "topic.publish":
      // A lock may tell a topic of its turn.
      return "to" in given ? "to" : "notify";
    case "lock.acquire":
      return "resources";
    case "state.write":
      return "key";
    default:
      return undefined;
  }
}

function reasonsOf({ reasons, limits }: PolicyAnswer): string {
  const left = limits
    .filter(({ exceeded }) => exceeded)
    .map(({ id, used, most, window_ends_at }) => `${id}: ${used} of ${most} used until ${window_ends_at}`);
  return inSentence(
    [...reasons.map(({ reason }) => reason), ...left].join("; ") || "the rules do not allow it",
  );
}

function guidanceOf({ reasons }: PolicyAnswer): string {
  return inSentence(reasons.flatMap(({ guidance }) => guidance ?? []).join(" ") || "Take another way");
}
