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
    "Ask before a step that is hard to undo or costs money: allow, deny, or require_approval by a person. Its cost is held; settle_reservation after. Repeat the same call once it is approved.",
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
    ...limits
      .filter(({ exceeded }) => exceeded || decision === "allow")
      .map((limit) => `${limit.exceeded ? "exceeded: " : ""}${budgetLine(limit)}`),
    answer.reservation_id
      ? `reserved ${answer.reserved}: settle_reservation ${answer.reservation_id} with what it did cost, by ${answer.reservation_expires_at}`
      : "",
    answer.unheld ? "nothing is held of it, as reserve 0 asks: others may spend it first" : "",
    duties(answer),
    approval ? waiting(approval, decision) : "",
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
      return `${again}allow${approved_by ? `, by approval ${approved_by}, which is used up now` : ""}`;
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

/** Whoever is to be told is told by us. */
function duties({ obligations }: PolicyAnswer): string {
  const own = obligations.filter((one) => !one.startsWith("notify "));
  return own.length === 0 ? "" : visible(`with it, you have to: ${own.join("; ")}`);
}

function waiting(
  { id, state, until, arguments: edited }: NonNullable<PolicyAnswer["approval"]>,
  decision: PolicyAnswer["decision"],
): string {
  switch (state) {
    case "pending":
      return `approval_id ${id}, open until ${until}: call check_policy with it and wait_seconds up to 50; once it is approved, repeat the call for the step unchanged`;
    case "approved":
      if (decision === "deny")
        return `approval ${id} was given, but the rules deny the step by now: it does not pass while they do, and the approval holds until ${until}`;
      return edited
        ? `approval ${id} holds until ${until} for other arguments, once: repeat the call for the step with those below`
        : `approval ${id} holds until ${until}, once: repeat the call for the step unchanged; where other arguments were approved, check_policy with approval_id shows them`;
    case "expired":
      return decision === "allow"
        ? `approval ${id}: nobody decided it in time, which allows the step until ${until}, once: repeat the call for it unchanged`
        : `approval ${id}: expired`;
    default:
      return `approval ${id}: ${state}`;
  }
}
