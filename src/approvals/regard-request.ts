import type { ApprovalContext } from "./context.js";
import type { Approval } from "./contract.js";
import { isNamed } from "./may-decide.js";
import { type ReadRequest, type Regard, shownApproval } from "./shown-approval.js";
import { approversOf, type StoredRequest } from "./stored-request.js";
import type { Vote, Voter } from "./vote.js";

/** Looks at a request with the rights of now, as whoever counts its votes does. */
export async function regard(
  context: ApprovalContext,
  namespace: string,
  { request, votes }: { readonly request: StoredRequest; readonly votes: readonly Vote[] },
): Promise<Regard> {
  const isStopped = await context.deps.isStopped(namespace, request.agent);
  if (request.state !== "pending") return { isStopped };
  return { isStopped, counting: await entitled(context, namespace, { request, votes }) };
}

/** A request as its approvers are shown it. */
export async function regardedApproval(
  context: ApprovalContext,
  namespace: string,
  found: ReadRequest,
): Promise<Approval> {
  return shownApproval(found, await regard(context, namespace, found));
}

/** Who of those that voted may still decide: rights may have been taken away since, and what proved them revoked. */
export async function entitled(
  context: ApprovalContext,
  namespace: string,
  { request, votes }: { readonly request: StoredRequest; readonly votes: readonly Vote[] },
): Promise<ReadonlySet<string>> {
  const still = await Promise.all(
    votes.map(async (vote) => ((await isEntitled(context, namespace, request, vote)) ? [vote.name] : [])),
  );
  return new Set(still.flat());
}

/** Whether somebody who does not call may decide by the rules of now, and is one of those the request is put to. */
export async function isEntitled(
  context: ApprovalContext,
  namespace: string,
  request: StoredRequest,
  voter: Voter,
): Promise<boolean> {
  if (voter.name === request.agent) return false;
  if (voter.proof === "operator") return true;
  const may = await context.deps.rightsOfVoter(namespace, voter);
  const approvers = approversOf(request, context.deps.store.now());
  return may?.("approval.decide", "*") === true && isNamed(approvers, voter.name, may.roles);
}
