import type { Caller } from "../identity/index.js";
import { agentsIn } from "./agents-in.js";
import type { ApprovalContext } from "./context.js";
import { findRequest } from "./get-approval.js";
import { approversOf } from "./stored-request.js";

/** The one agent on whose decision a waiting request of the caller depends; nothing where several may decide it. */
export async function onlyApprover(
  context: ApprovalContext,
  { principal: { namespace, agent } }: Caller,
  id: string,
): Promise<string | undefined> {
  const found = await findRequest(context, namespace, id);
  if (found?.request.agent !== agent || found.request.state !== "pending") return undefined;
  const approvers = approversOf(found.request, context.deps.store.now());
  const names = new Set(await agentsIn(context, namespace, approvers));
  names.delete(agent);
  const [only, ...others] = names;
  return others.length === 0 ? only : undefined;
}
