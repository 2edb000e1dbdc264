import { refuse } from "../errors/index.js";
import { type Caller, rowOf } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import { newApprovalId } from "./approval-id.js";
import type { ApprovalContext } from "./context.js";
import type { ApprovalRequest, OpenedApproval } from "./contract.js";
import { findRequest } from "./get-approval.js";
import { boundTerms, normalTerms } from "./normal-terms.js";
import { checkValues, normalQuestion, questionDigest } from "./question.js";
import type { KeptQuestion, QuestionHead } from "./shown-approval.js";
import { parseRequest } from "./stored-request.js";
import { tellApprovers } from "./tell-approvers.js";

const openScript = loadScript(import.meta.url, "open-approval.lua");

/**
 * Asks people to decide about what the caller wants to do, and tells those who may. While a request for exactly the same
 * waits, or was decided and not used, it stands and no second is opened: also where other arguments were approved. One
 * that stands under other terms than the rules want now becomes void with that.
 *
 * @throws {MailboxError} `approval.too_many`, `approval.too_large`, `input.invalid`
 */
export async function openApproval(
  context: ApprovalContext,
  caller: Caller,
  asked: ApprovalRequest,
): Promise<OpenedApproval> {
  const { limits, deps } = context;
  const { principal } = caller;
  const question = normalQuestion(asked);
  checkValues(question.arguments, "arguments", limits);
  checkValues(question.context, "context", limits);
  const [facts, { roles }] = await Promise.all([deps.factsOf(caller), deps.rightsOf(caller)]);
  const head: QuestionHead = {
    action: question.action,
    resource: question.resource,
    risk: cut(asked.risk, 100),
    rules: asked.rules.slice(0, 20),
    verified: principal.verified,
  };
  const kept: KeptQuestion = {
    ...question,
    ...head,
    why: cut(asked.why, limits.textChars),
    reasons: asked.reasons.slice(0, 20),
    roles,
    role: facts.role,
    team: facts.team,
    ...(asked.naming === undefined ? {} : { naming: asked.naming }),
    ...(asked.added === undefined || asked.added.length === 0 ? {} : { added: asked.added }),
  };
  const id = newApprovalId();
  const terms = normalTerms(asked.terms, limits.keepMs);
  const [word, record, other, refused] = await context.run(principal.namespace, openScript, [
    id,
    questionDigest(principal.agent, question, boundTerms(terms)),
    principal.agent,
    JSON.stringify(kept),
    JSON.stringify(head),
    terms.expiresMs,
    terms.otherwise,
    terms.quorum,
    terms.byClient ? "1" : "0",
    terms.approvers.join(","),
    terms.escalate?.afterMs ?? 0,
    terms.escalate?.to.join(",") ?? "",
    rowOf(caller, {
      action: "approval.open",
      resource: `approval:${id}`,
      outcome: "allow",
      because: asked.rules.length > 0 ? `rules ${asked.rules.slice(0, 20).join(", ")}` : "the rules",
    }),
  ]);
  switch (word) {
    case "OPENED": {
      const { state, expiresAt } = parseRequest(String(record));
      await tellApprovers(context, principal.namespace, id).catch((error: Error) =>
        deps.log("approvers could not be told yet; the next sweep tries again", { id, error: error.message }),
      );
      const before = await refusedBefore(context, principal.namespace, String(refused));
      return { id, state, expiresAt, isNew: true, ...(before && { before }) };
    }
    case "STANDS": {
      const { state, expiresAt, usableUntil } = parseRequest(String(record));
      const before =
        state === "pending" ? await refusedBefore(context, principal.namespace, String(refused)) : undefined;
      return {
        ...{ id: String(other), state, expiresAt: usableUntil || expiresAt, isNew: false },
        ...(before && { before }),
      };
    }
    case "MANY":
      return refuse("approval.too_many", {
        count: Number(record),
        whose: other === "agent" ? "of yours" : "of this namespace",
      });
    default:
      throw new Error(`open-approval answered ${word}`);
  }
}

/** Who said no to the same before, and why; nothing where nobody did, or it is forgotten. */
async function refusedBefore(
  context: ApprovalContext,
  namespace: string,
  id: string,
): Promise<OpenedApproval["before"]> {
  const found = id === "" ? undefined : await findRequest(context, namespace, id);
  const state = found?.request.state;
  if (!found || (state !== "rejected" && state !== "answered")) return undefined;
  const by = found.request.counted[0] ?? "";
  const text = found.votes.find(({ name }) => name === by)?.comment;
  return { id, state, by, ...(text && { text }) };
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${[...text].slice(0, most - 1).join("")}…`;
}
