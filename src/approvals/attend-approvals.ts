import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import type { ApprovalContext } from "./context.js";
import type { Approval, ApprovalHead, DecideApproval } from "./contract.js";
import { decideApproval, foundRequest } from "./decide-approval.js";
import { listForApprover } from "./list-approvals.js";
import { mayDecide } from "./may-decide.js";
import type { PageOfRequest } from "./page-of-request.js";
import { regardedApproval } from "./regard-request.js";
import { showRequest } from "./show-request.js";

/** What an approver is told: what waits, one request whole, or what became of a decision. */
export interface Attended {
  readonly waiting?: readonly ApprovalHead[];
  readonly approval?: Approval;
  /** The part of it that is shown; there where it was looked at. */
  readonly page?: PageOfRequest;
  /** Votes that say the same, with this one; there after a decision. */
  readonly agreeing?: number;
  readonly repeated?: boolean;
}

/**
 * Lists what waits for the caller, shows one request, of a long one a part, or decides it, by how much the caller says.
 *
 * @throws {MailboxError} as `decideApproval`
 */
export async function attendApprovals(
  context: ApprovalContext,
  caller: Caller,
  { approval_id, decision, offset, ...said }: DecideApproval,
): Promise<Attended> {
  if (approval_id === undefined) {
    if (decision !== undefined)
      refuse("input.invalid", { problem: "approval_id is missing: which one is decided" });
    return { waiting: await listForApprover(context, caller) };
  }
  if (decision !== undefined && offset !== undefined)
    refuse("input.invalid", { problem: "offset is for reading: leave out the decision until all is read" });
  if (decision !== undefined)
    return decideApproval(context, caller, { approval_id, decision, ...said }, "tool");
  const { deps } = context;
  const admission = await deps.admit(caller, "approval.decide", "*");
  const found = await foundRequest(context, caller.principal.namespace, approval_id);
  const { roles } = await deps.rightsOf(caller);
  if (mayDecide(found.request, caller.principal, roles, deps.store.now()) !== "may")
    refuse("approval.unknown", { approval_id: found.id });
  await deps.record(caller, admission);
  const { namespace, agent } = caller.principal;
  return {
    approval: await regardedApproval(context, namespace, found),
    page: await showRequest(context, namespace, found, agent, offset),
  };
}
