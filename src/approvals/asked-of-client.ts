import type { Caller } from "../identity/index.js";
import type { ApprovalContext } from "./context.js";
import type { Approval } from "./contract.js";
import { findRequest } from "./get-approval.js";
import { shownApproval } from "./shown-approval.js";

/**
 * A request of the caller that waits and that the user of its client may decide; nothing where the rules do not let them.
 *
 * @throws {MailboxError} `access.denied`
 */
export async function askedOfClient(
  context: ApprovalContext,
  caller: Caller,
  id: string,
): Promise<Approval | undefined> {
  await context.deps.admit(caller, "policy.check", "*");
  const found = await findRequest(context, caller.principal.namespace, id);
  if (!found) return undefined;
  const { agent, state, byClient, quorum } = found.request;
  const may = agent === caller.principal.agent && state === "pending" && byClient && quorum === 1;
  return may ? shownApproval(found) : undefined;
}
