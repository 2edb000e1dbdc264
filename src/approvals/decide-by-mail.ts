import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { approvalKeys } from "../redis/index.js";
import type { ApprovalContext } from "./context.js";
import type { Decided, Decision } from "./contract.js";
import { decideApproval } from "./decide-approval.js";
import { isObject } from "./question.js";
import { decisions, type Verdict } from "./vote.js";

/** An approver's reply to the mail about a request. */
export interface MailedAnswer {
  readonly inReplyTo: string;
  readonly body: string;
  readonly data?: Readonly<Record<string, unknown>> | undefined;
  readonly idempotencyKey?: string | undefined;
}

/**
 * Decides by a reply: its first word is the decision and the rest the comment, after `edit` the arguments as JSON. What
 * proves the sender proves the decision; where the namespace has tokens, nobody sends without one.
 *
 * @returns nothing when the message replied to is about no request
 * @throws {MailboxError} as `decideApproval`; `input.invalid` when the first word is no decision
 */
export async function decideByMail(
  context: ApprovalContext,
  caller: Caller,
  { inReplyTo, body, data, idempotencyKey }: MailedAnswer,
): Promise<Decided | undefined> {
  const id = await requestOf(context, caller.principal.namespace, inReplyTo);
  if (id === undefined) return undefined;
  const [, word = "", rest = ""] = /^\s*([a-z]+)\b[:,.!]*\s*(.*)$/is.exec(body) ?? [];
  const decision = decisions.find((one) => one === word.toLowerCase());
  if (!decision)
    return refuse("input.invalid", {
      problem: `the first word of the reply decides, and it is none of ${decisions.join(", ")}`,
    });
  const key = idempotencyKey === undefined ? {} : { idempotency_key: idempotencyKey };
  return decideApproval(context, caller, { approval_id: id, ...said(decision, rest, data), ...key }, "mail");
}

async function requestOf(
  context: ApprovalContext,
  namespace: string,
  message: string,
): Promise<string | undefined> {
  if (!/^[0-9a-z-]{1,60}$/.test(message)) return undefined;
  const { notices } = approvalKeys(namespace);
  return ((await context.deps.store.command("HGET", notices, message)) as string | null) ?? undefined;
}

function said(
  decision: Verdict,
  rest: string,
  data: MailedAnswer["data"],
): Pick<Decision, "decision" | "comment" | "arguments"> {
  if (decision !== "edit") return { decision, comment: rest.trim() };
  const from = rest.indexOf("{");
  const to = rest.lastIndexOf("}");
  if (from < 0 && data) return { decision, comment: rest.trim(), arguments: data };
  const comment = `${rest.slice(0, Math.max(from, 0))} ${rest.slice(to + 1)}`.replace(/```\w*/g, "").trim();
  return { decision, comment, arguments: objectIn(rest.slice(Math.max(from, 0), to + 1)) };
}

function objectIn(text: string): Record<string, unknown> {
  try {
    const read: unknown = JSON.parse(text);
    if (isObject(read)) return read;
  } catch {
    // Refused below, without its words.
  }
  return refuse("input.invalid", {
    problem: 'after edit comes one JSON object with all arguments, such as edit {"path": "/tmp"}',
  });
}
