import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { digest } from "../redis/index.js";
import type { ApprovalWait, PolicyContext } from "./context.js";
import type { CheckPolicy, PolicyAnswer } from "./contract.js";
import { checkedStep, decisionRow, reasonsMark } from "./decision-row.js";
import { estimatedMillionths, exactMillionths } from "./millionths.js";
import { askedBy } from "./question-of.js";
import { reachDecision } from "./reach-decision.js";

/** How long a call may wait, and what ends it sooner. */
export interface CheckOptions {
  readonly signal?: AbortSignal;
  readonly draining?: AbortSignal;
  /** Called every 10 s while the call waits. */
  readonly onWaiting?: (secondsLeft: number) => void;
}

const tellEveryMs = 10_000;

/**
 * Decides whether the caller may take a step, by the rules and limits of its namespace, and holds what it may cost.
 *
 * Of many who reserve at once nobody gets more than is left. What needs a person is asked of one, and holds nothing
 * until the same call is made again after they agreed. With `approval_id` it waits for them first.
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
  const admission = await deps.admit(caller, "policy.check", "*");
  if (input.approval_id !== undefined) {
    const awaited = await awaitDecision(context, caller, input.approval_id, input, options);
    if (input.action === undefined || awaited.approval?.state !== "approved") {
      const resource = `approval:${plainId(input.approval_id)}`;
      const because = `${awaited.approval?.state}`;
      await deps.record(caller, {
        row: decisionRow(caller, admission, { action: "policy.check", resource, outcome: "allow", because }),
      });
      return awaited;
    }
  }
  const action = input.action?.trim() ?? "";
  if (action === "")
    refuse("input.invalid", { problem: "action is missing; name the step, such as file.delete" });
  const resource = input.resource?.trim() ?? "";
  const { reserve, cost, asked } = costsOf(input);
  const question = await askedBy(context, caller, action, resource, asked);
  const attempt = deps.store.attempt();
  const { idempotency_key: key, approval_id: _, wait_seconds: __, ...rest } = input;
  const row = (outcome: "allow" | "refuse" | "deny", because: string): string =>
    decisionRow(caller, admission, {
      action: "policy.check",
      resource: checkedStep(action, resource),
      outcome,
      because,
    });
  return reachDecision(context, caller, {
    via: "check",
    question,
    inForce: await deps.inForce(caller.principal.namespace),
    cost,
    ...(reserve === undefined ? {} : { reserve }),
    why: input.why ?? "",
    operation:
      key === undefined
        ? { key: `a|${attempt}`, digest: "", keepMs: limits.attemptMs }
        : {
            key: `k|${caller.principal.agent}|${digest(["check_policy", key])}`,
            digest: digest(rest),
            keepMs: limits.idempotencyMs,
          },
    attempt,
    rows: {
      allow: row("allow", reasonsMark),
      require_approval: row("refuse", `policy.approval_required: ${reasonsMark}`),
      deny: row("deny", `policy.denied: ${reasonsMark}`),
    },
  });
}

/** What is to be held, and what the step is said to cost: where only one is named, it is the other too. */
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
  if (reserve === undefined) return { cost: estimate, asked: context };
  const held = exactMillionths(reserve, "reserve");
  if (held === 0)
    refuse("input.invalid", { problem: "reserve is more than 0; leave it out to hold nothing" });
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

async function awaitDecision(
  { deps }: PolicyContext,
  caller: Caller,
  id: string,
  { wait_seconds = 0 }: CheckPolicy,
  { signal, draining, onWaiting }: CheckOptions,
): Promise<PolicyAnswer> {
  const wait: ApprovalWait = {
    waitMs: wait_seconds * 1000,
    ...(signal ? { signal } : {}),
    ...(draining ? { draining } : {}),
  };
  const until = Date.now() + wait.waitMs;
  const telling = setInterval(
    () => onWaiting?.(Math.max(Math.round((until - Date.now()) / 1000), 0)),
    tellEveryMs,
  );
  const approval = await deps.awaitApproval(caller, id, wait).finally(() => clearInterval(telling));
  const isOver = approval.state !== "open" && approval.state !== "approved";
  return {
    decision: isOver ? "deny" : "require_approval",
    reasons: [],
    obligations: [],
    known: true,
    nearest: [],
    limits: [],
    approval,
    unheld: false,
    replayed: false,
  };
}

/** An id as given may be anything; only what looks like one of ours is written down. */
function plainId(id: string): string {
  return /^[0-9a-z-]{1,40}$/.test(id) ? id : "?";
}
