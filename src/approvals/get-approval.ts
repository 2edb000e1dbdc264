import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import { plainId } from "./approval-id.js";
import type { ApprovalContext } from "./context.js";
import type { Approval } from "./contract.js";
import { maySee } from "./may-decide.js";
import { regardedApproval } from "./regard-request.js";
import { type ReadRequest, readRequest } from "./shown-approval.js";

const getScript = loadScript(import.meta.url, "get-approval.lua");

/**
 * A request with everything its approver needs.
 *
 * @throws {MailboxError} `approval.unknown`, also for whoever is none of its approvers, did not ask for it and is no
 *   admin; `access.denied`
 */
export async function getApproval(context: ApprovalContext, caller: Caller, id: string): Promise<Approval> {
  const { deps } = context;
  const admission = await deps.admit(caller, "approval.read", "*");
  const found = await findRequest(context, caller.principal.namespace, id);
  const { roles } = await deps.rightsOf(caller);
  if (!found || !maySee(found.request, caller.principal, roles, deps.store.now()))
    return refuse("approval.unknown", { approval_id: plainId(id) });
  await deps.record(caller, admission);
  return regardedApproval(context, caller.principal.namespace, found);
}

export async function findRequest(
  context: ApprovalContext,
  namespace: string,
  id: string,
): Promise<ReadRequest | undefined> {
  const [word, ...read] = await context.run(namespace, getScript, [id]);
  return word === "REQUEST" ? readRequest(id, read) : undefined;
}
