import { z } from "zod";
import { visible } from "../../addresses/index.js";
import { CheckPolicy, type PolicyAnswer, refusedBefore } from "../../policy/index.js";
import { budgetLine, limitOutput } from "../budget-line.js";
import { defineTool, type Telling } from "../define-tool.js";
import type { Part } from "../reply.js";

export const checkPolicy = defineTool({
  name: "check_policy",
  title: "Ask before a risky step",
  description:
    "Ask before a step that is hard to undo or costs money: allow, deny, or require_approval by a person. Its cost is held; settle_reservation after. Repeat the same call once it is approved. Not needed before tools of this server: they ask by themselves.",
  input: CheckPolicy,
  output: z.object({
    decision: z.enum(["allow", "require_approval", "deny"]),
    reasons: z.array(z.object({ by: z.string(), reason: z.string(), guidance: z.string().exactOptional() })),
    obligations: z.array(z.string()),
    known: z.boolean(),
    nearest: z.array(z.string()),
    limits: z.array(limitOutput.extend({ exceeded: z.boolean() })),
    approval: z
      .object({
        id: z.string(),
        state: z.enum(["pending", "approved", "rejected", "answered", "expired", "used", "void"]),
        until: z.string(),
        said: z.array(z.object({ by: z.string(), text: z.string() })).exactOptional(),
        arguments: z.record(z.string(), z.unknown()).exactOptional(),
        before: z
          .object({
            id: z.string(),
            state: z.enum(["rejected", "answered"]),
            by: z.string(),
            text: z.string().exactOptional(),
          })
          .exactOptional(),
      })
      .exactOptional(),
    approved_by: z.string().exactOptional(),
    reservation_id: z.string().exactOptional(),
    reserved: z.number().exactOptional(),
    reservation_expires_at: z.string().exactOptional(),
    unheld: z.boolean(),
    replayed: z.boolean(),
  }),
  needs: ["policy.check"],
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  handle: (input, { caller, policy, signal, draining, onWaiting }) =>
    policy.checkPolicy(caller, input, { signal: signal(), ...(draining ? { draining } : {}), onWaiting }),
  asksClient: {
    waitsFor: ({ approval }) => (approval?.state === "pending" ? approval.id : undefined),
    again: ({ wait_seconds: _, ...step }, approval_id) => ({ ...step, approval_id }),
  },
  say: tell,
});

function tell(answer: PolicyAnswer, { input }: Telling<CheckPolicy>): Part[] {
  const { decision, reasons, approval, limits } = answer;
  const lines = [
    headOf(answer, input),
    ...reasons.map(({ by, reason, guidance }) =>
      visible(
        `${by}: ${reason}${guidance === undefined ? "" : `${/[.!?]$/.test(reason) ? "" : "."} Instead: ${guidance}`}`,
      ),
    ),
    answer.known ? "" : unknown(answer),
    ownTool(answer, input),
    ...limits
      .filter(({ exceeded }) => exceeded || decision === "allow")
      .map((limit) => `${limit.exceeded ? "exceeded: " : ""}${budgetLine(limit)}`),
    answer.reservation_id
      ? `reserved ${answer.reserved}: settle_reservation ${answer.reservation_id} with what it did cost, by ${answer.reservation_expires_at}`
      : "",
    answer.unheld ? "nothing is held of it, as reserve 0 asks: others may spend it first" : "",
    duties(answer),
    approval ? waiting(approval, decision, input) : "",
    approval?.before ? refusedBefore(approval.before) : "",
  ];
  const { by, text } = approval?.before ?? {};
  const theirs = [
    ...(approval?.said ?? []),
    ...(by !== undefined && text !== undefined ? [{ by, text }] : []),
  ];
  return [
    lines.filter(Boolean).join("\n"),
    ...theirs.map(({ by, text }) => ({ by: by || "whoever decided", text })),
    ...(approval?.arguments
      ? [{ by: "whoever decided", text: `arguments: ${JSON.stringify(approval.arguments)}` }]
      : []),
  ];
}

function headOf(
  { decision, replayed, approved_by, approval, reasons }: PolicyAnswer,
  input: CheckPolicy,
): string {
  const again = replayed ? "replayed: " : "";
  // Without a step it is only told what became of a request.
  if (input.action === undefined) {
    if (decision !== "allow") return decision;
    return approval?.state === "expired"
      ? "allowed because nobody decided in time, and not used yet"
      : "approved, and not used yet";
  }
  switch (decision) {
    case "allow":
      if (!approved_by) return `${again}allow`;
      return `${again}allow, by approval ${approved_by}, which ${toolOf(input) === undefined ? "is used up now" : "the call of the tool uses up"}`;
    case "deny":
      return `deny: do not do it${reasons.length === 0 && !approval ? "; no rule allows it" : ""}`;
    case "require_approval":
      return "require_approval: do not do it yet";
  }
}

function unknown({ nearest, decision }: PolicyAnswer): string {
  if (nearest.length === 0) return decision === "allow" ? "" : "no rule knows this action";
  return `no rule knows this action; near it: ${nearest.join(", ")}. Ask again under the name that fits`;
}

/** What is asked about by one of our own tools when it is called. */
const ownTools: Readonly<Record<string, string>> = {
  "mailbox.send": "send_message",
  "topic.publish": "send_message",
  "lock.acquire": "acquire_lock",
  "state.write": "put_state",
};

function toolOf({ action = "" }: CheckPolicy): string | undefined {
  const name = action.trim().toLowerCase();
  return Object.hasOwn(ownTools, name) ? ownTools[name] : undefined;
}

function ownTool({ decision, nearest }: PolicyAnswer, input: CheckPolicy): string {
  const tool = toolOf(input);
  if (tool === undefined) {
    const near = nearest.filter((one) => Object.hasOwn(ownTools, one));
    const tools = [...new Set(near.map((one) => ownTools[one]!))];
    return tools.length === 0
      ? ""
      : `for ${near.join(", ")} call ${tools.join(" or ")} itself: it asks the rules when it is called`;
  }
  switch (decision) {
    case "allow":
      return `${tool} asks the rules itself when it is called, so it needs no check_policy before it`;
    case "require_approval":
      return `${tool} asks for itself when it is called: call it, and wait for the approval it names. One asked for here serves it only if context.arguments are all arguments of that call`;
    case "deny":
      return "";
  }
}

/** Whoever is to be told is told by us. */
function duties({ obligations }: PolicyAnswer): string {
  const own = obligations.filter((one) => !one.startsWith("notify "));
  return own.length === 0 ? "" : visible(`with it, you have to: ${own.join("; ")}`);
}

function waiting(
  { id, state, until, arguments: edited }: NonNullable<PolicyAnswer["approval"]>,
  decision: PolicyAnswer["decision"],
  { action }: CheckPolicy,
): string {
  switch (state) {
    case "pending":
      return `approval_id ${id}, open until ${until}: call check_policy with it and wait_seconds up to 50; once it is approved, repeat the call for the step unchanged, or with the arguments that it shows`;
    case "approved":
      if (decision === "deny")
        return `approval ${id} was given, but the rules deny the step by now: it does not pass while they do, and the approval holds until ${until}`;
      if (edited)
        return `approval ${id} holds until ${until} for other arguments, once: repeat the call for the step with those below`;
      // Of a step it is told only where it does not hold for this one.
      return action === undefined
        ? `approval ${id} holds until ${until}, once: repeat the call for the step unchanged`
        : `approval ${id} holds until ${until} for other arguments than these, once: call check_policy with approval_id ${id} and nothing else, which shows them, and repeat the call for the step with those`;
    case "expired":
      return decision === "allow"
        ? `approval ${id}: nobody decided it in time, which allows the step until ${until}, once: repeat the call for it unchanged`
        : `approval ${id}: expired, since nobody decided it in time; ask about the step again if it is still to be taken`;
    case "used":
      return `approval ${id}: used, by the one call that it was for; ask about the step again before you take it once more`;
    case "rejected":
      return `approval ${id}: rejected; do not take the step, and ask again only for another one`;
    case "answered":
      return `approval ${id}: answered instead of approved; do as the answer says, and ask about what you do then`;
    case "void":
      return `approval ${id}: void, because the rules or the request changed; ask about the step again`;
  }
}
