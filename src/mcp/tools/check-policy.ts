import { z } from "zod";
import { visible } from "../../addresses/index.js";
import { CheckPolicy, type PolicyAnswer } from "../../policy/index.js";
import { budgetLine, limitOutput } from "../budget-line.js";
import { defineTool, type Telling } from "../define-tool.js";
import type { Part } from "../reply.js";

export const checkPolicy = defineTool({
  name: "check_policy",
  title: "Ask before a risky step",
  description:
    "Ask before a step that is hard to undo or costs money: allow, deny, or require_approval by a person. reserve holds the cost of it; settle_reservation after. Repeat the same call once it is approved.",
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
        state: z.enum(["open", "approved", "rejected", "answered", "expired", "used", "void"]),
        expires_at: z.string(),
        by: z.string().exactOptional(),
        comment: z.string().exactOptional(),
        arguments: z.record(z.string(), z.unknown()).exactOptional(),
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
    policy.checkPolicy(caller, input, { signal, ...(draining ? { draining } : {}), onWaiting }),
  say: tell,
});

function tell(answer: PolicyAnswer, { input }: Telling<CheckPolicy>): Part[] {
  const { decision, reasons, approval, limits } = answer;
  const lines = [
    headOf(answer, input),
    ...reasons.map(({ by, reason, guidance }) =>
      visible(`${by}: ${reason}${guidance === undefined ? "" : `. Instead: ${guidance}`}`),
    ),
    answer.known ? "" : unknown(answer),
    ...limits
      .filter(({ exceeded }) => exceeded || decision === "allow")
      .map((limit) => `${limit.exceeded ? "exceeded: " : ""}${budgetLine(limit)}`),
    answer.reservation_id
      ? `reserved ${answer.reserved}: settle_reservation ${answer.reservation_id} with what it did cost, by ${answer.reservation_expires_at}`
      : "",
    answer.unheld ? "nothing is held of it: pass reserve, or others may spend it first" : "",
    duties(answer),
    approval ? waiting(approval) : "",
  ];
  const own = lines.filter(Boolean).join("\n");
  const said = [approval?.comment, approval?.arguments && `arguments: ${JSON.stringify(approval.arguments)}`];
  const theirs = said.filter((one) => one !== undefined).join("\n");
  return theirs === "" ? [own] : [own, { by: approval?.by ?? "whoever decided", text: theirs }];
}

function headOf(
  { decision, replayed, approved_by, approval, reasons }: PolicyAnswer,
  input: CheckPolicy,
): string {
  const again = replayed ? "replayed: " : "";
  switch (decision) {
    case "allow":
      return `${again}allow${approved_by ? `, by approval ${approved_by}, which is used up now` : ""}`;
    case "deny":
      return `deny${input.action === undefined ? "" : ": do not do it"}${reasons.length === 0 && !approval ? "; no rule allows it" : ""}`;
    case "require_approval":
      return approval?.state === "approved"
        ? "approved, and not used yet"
        : "require_approval: do not do it yet";
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

function waiting({ id, state, expires_at }: NonNullable<PolicyAnswer["approval"]>): string {
  switch (state) {
    case "open":
      return `approval_id ${id}, open until ${expires_at}: call check_policy with it and wait_seconds up to 50; once it is approved, repeat the call for the step unchanged`;
    case "approved":
      return `approval ${id} holds until ${expires_at}, once: repeat the call for the step unchanged`;
    default:
      return `approval ${id} is ${state}`;
  }
}
