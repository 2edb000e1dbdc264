import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import type { ApprovalContext } from "./context.js";
import type { Decided, Decision } from "./contract.js";
import { castVote, checkDecision, foundRequest } from "./decide-approval.js";
import { formText } from "./form-text.js";
import { shownApproval } from "./shown-approval.js";

/**
 * Decides a request of the caller by what its own client says that its user said: nobody can check who that was, so it is
 * kept as the client's word. It counts only where the rules let it, and never beside other votes.
 *
 * @throws {MailboxError} `approval.client_not_counted`, `approval.unknown`, `approval.ended`, `access.denied`
 */
export async function decideByClient(
  context: ApprovalContext,
  caller: Caller,
  decision: Decision,
): Promise<Decided> {
  const { namespace, agent, roles } = caller.principal;
  const { row } = await context.deps.admit(caller, "policy.check", "*");
  checkDecision(context, decision);
  const found = await foundRequest(context, namespace, decision.approval_id);
  if (found.request.agent !== agent) refuse("approval.unknown", { approval_id: found.id });
  // No form shows what does not fit on it.
  const wasShown = formText(shownApproval(found)) !== undefined || decision.decision === "reject";
  if (!found.request.byClient || found.request.quorum !== 1 || !wasShown)
    refuse("approval.client_not_counted", { approval_id: found.id });
  const voter = { name: `client of ${agent}`, verified: false, roles, proof: "client" };
  return castVote(context, namespace, found, decision, { voter, way: "client", row });
}
