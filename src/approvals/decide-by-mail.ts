import { isRefusal, refuse } from "../errors/index.js";
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
  /** Told which request it is about, before anything is decided. */
  readonly onFound?: (id: string) => void;
}

/**
 * Decides by a reply: its first word is the decision, alone on its line or before a colon or comma, and the rest the comment,
 * after `edit` the arguments as JSON. Quoted lines are no part of it. What
 * proves the sender proves the decision; where the namespace has tokens, nobody sends without one.
 *
 * @returns nothing when the message replied to is about no request that is put to the caller
 * @throws {MailboxError} as `decideApproval`; `input.invalid` when it begins with no decision
 */
export async function decideByMail(
  context: ApprovalContext,
  caller: Caller,
  { inReplyTo, body, data, idempotencyKey, onFound }: MailedAnswer,
): Promise<Decided | undefined> {
  const id = await requestOf(context, caller.principal.namespace, inReplyTo);
  if (id === undefined) return undefined;
  onFound?.(id);
  const [decision, rest] = decisionIn(body);
  const key = idempotencyKey === undefined ? {} : { idempotency_key: idempotencyKey };
  const asked = { approval_id: id, ...said(decision, rest, data), ...key };
  return decideApproval(context, caller, asked, "mail").catch((error: unknown) => {
    // Whoever was not told of it learns no more from a reply than from one to any other message.
    if (isRefusal(error, "approval.unknown")) return undefined;
    throw error;
  });
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

/** A line that begins with a decision and goes on otherwise may say the opposite, so it is none. */
function decisionIn(body: string): readonly [Verdict, string] {
  const own = body
    .split(/\r\n|\r|\n/)
    .filter((line) => !/^\s*>/.test(line))
    .join("\n");
  const [, word = "", rest = ""] =
    /^\s*([a-z]+)(?:[ \t]*[:,]|[.!]?[ \t]*(?:\n|$)|(?=[ \t]*\{))(.*)$/is.exec(own) ?? [];
  const decision = decisions.find((one) => one === word.toLowerCase());
  if (!decision || (decision !== "edit" && /^[ \t]*\{/.test(rest)))
    return refuse("input.invalid", {
      problem: `the reply begins with ${decisions.join(", ")}, alone on its line or with a colon before what else it says`,
    });
  return [decision, rest];
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
