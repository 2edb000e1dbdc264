import { z } from "zod";
import {
  type Approval,
  type ApprovalHead,
  type Attended,
  approvalStates,
  approvalWarnings,
  DecideApproval,
  doesNotCount,
  requestText,
  verdicts,
  ways,
} from "../../approvals/index.js";
import { defineTool } from "../define-tool.js";
import { onOneLine } from "../message-parts.js";
import type { Part } from "../reply.js";

/** Of the arguments of one vote. */
const mostEditChars = 1_000;

const values = z.record(z.string(), z.unknown());

const headOutput = z.object({
  id: z.string(),
  state: z.enum(approvalStates),
  effect: z.enum(["allow", "deny"]).exactOptional(),
  agent: z.string(),
  stopped: z.literal(true).exactOptional(),
  verified: z.boolean(),
  action: z.string(),
  resource: z.string(),
  risk: z.string(),
  rules: z.array(z.string()),
  opened_at: z.string(),
  expires_at: z.string(),
  otherwise: z.enum(["deny", "allow"]),
  quorum: z.number(),
  approvers: z.array(z.string()),
  escalates_at: z.string().exactOptional(),
  escalates_to: z.array(z.string()).exactOptional(),
  agreeing: z.number(),
  votes: z.array(
    z.object({
      by: z.string(),
      verified: z.boolean(),
      way: z.enum(ways),
      decision: z.enum(verdicts),
      comment: z.string().exactOptional(),
      arguments: values.exactOptional(),
      counts: z.literal(false).exactOptional(),
      at: z.string(),
    }),
  ),
});

const approvalOutput = headOutput.extend({
  roles: z.array(z.string()),
  role: z.string(),
  team: z.string(),
  arguments: values,
  context: values,
  added: values.exactOptional(),
  why: z.string(),
  reasons: z.array(z.string()),
  by_client: z.boolean(),
  edited_arguments: values.exactOptional(),
  answer: z.string().exactOptional(),
  decided_by: z.array(z.string()),
  decided_at: z.string().exactOptional(),
  usable_until: z.string().exactOptional(),
  used_at: z.string().exactOptional(),
});

export const decideApproval = defineTool({
  name: "decide_approval",
  title: "Decide an approval",
  description:
    "Decide what an agent asks before it acts: approve, edit, reject or answer. Without a decision: shows it; without an id: lists what waits for you.",
  input: DecideApproval,
  output: z.object({
    waiting: z.array(headOutput).exactOptional(),
    approval: approvalOutput.exactOptional(),
    page: z.object({ offset: z.number(), end: z.number(), length: z.number() }).exactOptional(),
    agreeing: z.number().exactOptional(),
    repeated: z.boolean().exactOptional(),
  }),
  needs: ["approval.decide"],
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  handle: (input, { caller, approvals }) => approvals.attendApprovals(caller, input),
  say: tell,
});

function tell({ waiting, approval, page, agreeing, repeated }: Attended): Part[] {
  if (waiting) return listed(waiting);
  if (!approval) return [];
  if (agreeing === undefined) return part(approval, page?.offset, page?.end);
  const again = repeated ? "as before: " : "";
  const { id, state, quorum } = approval;
  return state === "pending"
    ? [`${again}your vote on ${id} is kept; ${agreeing} of ${quorum} agree so far`]
    : [`${again}${id} is ${state}`];
}

function listed(waiting: readonly ApprovalHead[]): Part[] {
  if (waiting.length === 0) return ["no approval waits for you"];
  const shown = waiting.slice(0, 20);
  const lines = shown.map(
    (one, n) =>
      `${n + 1}. ${one.id} from ${one.agent}${one.verified ? "" : " (unverified)"}${one.stopped ? " (stopped)" : ""}, expires ${one.expires_at}, then: ${one.otherwise}; rules: ${one.rules.join(", ") || "none named"}`,
  );
  const asks = shown.map(
    ({ action, resource, risk }, n) =>
      `${n + 1}. ${onOneLine([action, resource, risk && `risk ${risk}`].filter(Boolean).join(" · "), 200)}`,
  );
  const more = waiting.length > shown.length ? [`and ${waiting.length - shown.length} more`] : [];
  return [
    [
      `${waiting.length} ${waiting.length === 1 ? "approval waits" : "approvals wait"} for you`,
      ...lines,
      ...more,
    ].join("\n"),
    { by: "those who ask", text: asks.join("\n") },
  ];
}

/** What others may agree with, who have to say exactly the same. */
function editText(edited: object): string {
  const text = JSON.stringify(edited);
  return text.length <= mostEditChars
    ? `arguments: ${text}`
    : `arguments: ${text.slice(0, mostEditChars)} [cut: ${text.length} characters; the rest: llm-mailbox approvals show]`;
}

/** A request, or of a long one the part that fits, in the requester's words as a quote; then the votes so far. */
function part(approval: Approval, offset = 0, end?: number): Part[] {
  const text = requestText(approval);
  const said = approval.votes.map(({ by, way, decision, comment, arguments: edited, counts }): Part[] => [
    `${by} by ${way}: ${decision}${counts === false ? doesNotCount : ""}`,
    ...(comment ? [{ by, text: onOneLine(comment, 500) }] : []),
    ...(edited ? [{ by, text: editText(edited) }] : []),
  ]);
  const { id, state } = approval;
  return [
    [`${id} is ${state}`, ...approvalWarnings(approval)].join("\n"),
    { by: approval.agent, text: text.slice(offset, end) },
    ...(end !== undefined && end < text.length
      ? [
          `[cut: characters ${offset} to ${end} of ${text.length}; before you can approve it, read on with approval_id ${id} and offset ${end}, or see it whole with llm-mailbox approvals show ${id}]`,
        ]
      : []),
    ...(offset > 0 ? [] : said.flat()),
  ];
}
