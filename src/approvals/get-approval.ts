import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import { plainId } from "./approval-id.js";
import type { ApprovalContext } from "./context.js";
import type { Approval } from "./contract.js";
import { type ReadRequest, readRequest, shownApproval } from "./shown-approval.js";

const getScript = loadScript(import.meta.url, "get-approval.lua");

/** A request with everything its approver needs. @throws {MailboxError} `approval.unknown`, `access.denied` */
export async function getApproval(context: ApprovalContext, caller: Caller, id: string): Promise<Approval> {
  const { row } = await context.deps.admit(caller, "approval.read", "*");
  const found = await findRequest(context, caller.principal.namespace, id, row);
  return shownApproval(found ?? refuse("approval.unknown", { approval_id: plainId(id) }));
}

/** @param row the audit row of the look, where it is one; recorded only when there is something to see */
export async function findRequest(
  context: ApprovalContext,
  namespace: string,
  id: string,
  row = "",
): Promise<ReadRequest | undefined> {
  const [word, ...read] = await context.run(namespace, getScript, [id, row]);
  return word === "REQUEST" ? readRequest(id, read) : undefined;
}
