import { refuse } from "../errors/index.js";
import { auditRow, type Caller, isOperator, parseAuditRow } from "../identity/index.js";
import { digest as hashed, loadScript } from "../redis/index.js";
import { plainId } from "./approval-id.js";
import type { ApprovalContext } from "./context.js";
import type { Decided, Decision } from "./contract.js";
import { findRequest } from "./get-approval.js";
import { mayDecide } from "./may-decide.js";
import { checkValues, isObject, type Question, questionDigest } from "./question.js";
import { entitled, regardedApproval } from "./regard-request.js";
import { renamedBy } from "./renamed-by.js";
import { requireShown } from "./show-request.js";
import type { ReadRequest } from "./shown-approval.js";
import { tellOfEdit } from "./tell-approvers.js";
import { voidLink } from "./void-link.js";
import { type Voter, voteLine, type Way } from "./vote.js";

type Values = Readonly<Record<string, unknown>>;

const decideScript = loadScript(import.meta.url, "decide-approval.lua");

/** Each attempt that fails means that another vote came in; more than there are approvers do not come at once. */
const mostAttempts = 100;

/** A vote on its way: whose it is, how it came, what the audit says of the right to it, and the link it uses up. */
export interface Ballot {
  readonly voter: Voter;
  readonly way: Way;
  /** The audit row of the decision that lets the voter vote. */
  readonly row: string;
  readonly link?: { readonly nonce: string; readonly expiresAt: number };
}

/**
 * Decides about a request as an approver: with the right to decide, and as one of those it is put to; never about one's
 * own. One vote each, of which the last one counts; it may not be the last that is needed. The
 * same vote again renews its proof and its comment. By a tool or by mail, what is too long to be shown there at once is
 * approved only by whoever has read it to its end.
 *
 * @throws {MailboxError} `access.denied`, `approval.unknown`, `approval.own`, `approval.ended`, `approval.not_shown`, `approval.asker_stopped`,
 *   `approval.edit_asked`, `approval.edit_elsewhere`, `approval.too_large`, `mailbox.idempotency_conflict`, `input.invalid`
 */
export async function decideApproval(
  context: ApprovalContext,
  caller: Caller,
  decision: Decision,
  way: Exclude<Way, "client" | "link">,
): Promise<Decided> {
  const { deps } = context;
  const { principal } = caller;
  const { row } = await deps.admit(caller, "approval.decide", "*");
  checkDecision(context, decision);
  const found = await foundRequest(context, principal.namespace, decision.approval_id);
  const { roles } = await deps.rightsOf(caller);
  switch (mayDecide(found.request, principal, roles, deps.store.now())) {
    case "own":
      return refuse("approval.own", { approval_id: found.id });
    // To whom it is not put it does not exist.
    case "not_approver":
      return refuse("approval.unknown", { approval_id: found.id });
  }
  const approves = decision.decision === "approve" || decision.decision === "edit";
  if (approves && (way === "tool" || way === "mail"))
    await requireShown(context, principal.namespace, found, principal.agent);
  const { credential } = principal;
  const voter: Voter = {
    name: principal.agent,
    verified: principal.verified,
    roles: principal.roles,
    proof: isOperator(principal)
      ? "operator"
      : "id" in credential
        ? `${credential.kind}:${credential.id}`
        : "none",
  };
  return castVote(context, principal.namespace, found, decision, { voter, way, row });
}

/** @throws {MailboxError} `approval.unknown` */
export async function foundRequest(
  context: ApprovalContext,
  namespace: string,
  id: string,
): Promise<ReadRequest> {
  return (
    (await findRequest(context, namespace, id)) ?? refuse("approval.unknown", { approval_id: plainId(id) })
  );
}

/** @throws {MailboxError} `input.invalid`, `approval.too_large` */
export function checkDecision(context: ApprovalContext, decision: Decision): void {
  const { limits } = context;
  const { comment = "", arguments: edited } = decision;
  const problem =
    decision.decision === "edit" && !isObject(edited)
      ? "edit takes arguments: all of them as one JSON object, as they are to be used"
      : decision.decision !== "edit" && edited !== undefined
        ? "arguments go with the decision edit alone"
        : decision.decision === "answer" && comment.trim() === ""
          ? "answer takes the answer as its comment"
          : comment.length > limits.textChars
            ? `a comment has at most ${limits.textChars} characters`
            : undefined;
  if (problem) refuse("input.invalid", { problem });
  if (edited) checkValues(edited, "arguments", limits);
}

/** Puts a vote on a request; whether its voter may was decided before. */
export async function castVote(
  context: ApprovalContext,
  namespace: string,
  first: ReadRequest,
  { decision, comment = "", arguments: edited, idempotency_key: key }: Decision,
  { voter, way, row, link }: Ballot,
): Promise<Decided> {
  const { id } = first;
  const { agent } = first.request;
  // Nothing it asks for would be done, and when it goes on it may be for something else.
  const approves = decision === "approve" || decision === "edit";
  if (approves && (await context.deps.isStopped(namespace, agent)))
    refuse("approval.asker_stopped", { approval_id: id, agent });
  const approved = decision === "edit" ? await editedQuestion(context, first, edited!) : undefined;
  const wanted = approved ? questionDigest(agent, approved, first.request) : "";
  // Approving with the same arguments is approving: the two have to count together.
  const digest = decision === "approve" ? first.request.digest : wanted;
  const isEdit = approved !== undefined && digest !== first.request.digest;
  if (isEdit) refuseElsewhere(first, approved.arguments);
  const line = voteLine({ ...voter, decision, digest, way, comment: comment.trim() });
  const audited = told(row, id, voter, way, decision);
  let found = first;
  for (let attempt = 0; attempt < mostAttempts; attempt++) {
    const [word, ...rest] = await context.run(namespace, decideScript, [
      id,
      found.votesText,
      voter.name,
      decision,
      digest,
      line,
      `,${[...(await entitled(context, namespace, found))].join(",")},`,
      isEdit ? JSON.stringify(approved) : "",
      link?.nonce ?? "",
      link?.expiresAt ?? 0,
      key === undefined ? "" : `k|${voter.name}|${hashed(["decide_approval", key])}`,
      key === undefined ? "" : hashed([id, decision, digest, comment]),
      context.limits.idempotencyMs,
      audited,
    ]);
    switch (word) {
      case "DECIDED":
      case "COUNTED":
      case "REPEATED": {
        const now = await foundRequest(context, namespace, id);
        if (word === "COUNTED" && isEdit)
          await tellOfEdit(context, namespace, now, voter.name, digest).catch((error: Error) =>
            context.deps.log("approvers could not be told of an edit", { id, error: error.message }),
          );
        return {
          approval: await regardedApproval(context, namespace, now),
          agreeing: Number(rest[1]),
          repeated: word === "REPEATED",
        };
      }
      case "CHANGED":
        found = await foundRequest(context, namespace, id);
        break;
      case "ENDED":
        return refuse("approval.ended", {
          approval_id: id,
          state: (await foundRequest(context, namespace, id)).request.state,
        });
      case "TAKEN":
        return refuse("approval.edit_asked", { approval_id: id, other: String(rest[0]) });
      case "LINK_LOST":
        return voidLink({ why: "lost", agent: voter.name });
      case "LINK_USED":
        return voidLink({
          why: "used",
          state: (await foundRequest(context, namespace, id)).request.state,
        });
      case "REUSED":
        return refuse("mailbox.idempotency_conflict");
      case "UNKNOWN":
        return refuse("approval.unknown", { approval_id: plainId(id) });
      default:
        throw new Error(`decide-approval answered ${word}`);
    }
  }
  return refuse("approval.contended", { approval_id: id });
}

/**
 * What is approved in place of what was asked, in the form in which it is asked about when it is done.
 *
 * @throws {MailboxError} where it could not be done with these arguments; `approval.edit_elsewhere`, `approval.too_large`
 */
async function editedQuestion(
  context: ApprovalContext,
  first: ReadRequest,
  edited: Values,
): Promise<Question> {
  const question = questionOf(first);
  const { deps, limits } = context;
  try {
    const given = await deps.argumentsOf(first.request.agent, question.action, edited);
    checkValues(given, "arguments", limits);
    return { ...question, arguments: given };
  } catch (error) {
    refuseElsewhere(first, edited);
    throw error;
  }
}

/** @throws {MailboxError} `approval.edit_elsewhere` */
function refuseElsewhere({ id, question }: ReadRequest, edited: Values): void {
  const renamed = renamedBy(question, edited, question.naming);
  if (renamed !== undefined)
    refuse("approval.edit_elsewhere", { approval_id: id, argument: plainName(renamed) });
}

/** A name that the requester chose may be any text. */
function plainName(name: string): string {
  return /^\w[\w.-]{0,59}$/.test(name) ? name : "an argument";
}

function questionOf({ question }: ReadRequest): Question {
  const { action, resource, arguments: given, context } = question;
  return { action, resource, arguments: given, context };
}

/** The row of a decision says which request it is about, what was decided and how. */
function told(row: string, id: string, voter: Voter, way: Way, decision: string): string {
  const event = parseAuditRow(row)!;
  return auditRow({
    ...event,
    ...(voter.proof === "link" || voter.proof === "client" ? { by: voter.proof } : {}),
    action: "approval.decide",
    resource: `approval:${id}`,
    because: `${event.because}: ${decision} by ${way}`,
  });
}
