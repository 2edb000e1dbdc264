import { refuse } from "../errors/index.js";
import { type Caller, rowOf } from "../identity/index.js";
import { approvalKeyList, approvalKeys, loadScript } from "../redis/index.js";
import type { ApprovalContext } from "./context.js";
import { foundRequest } from "./decide-approval.js";
import { signLink } from "./link-token.js";
import { isEntitled } from "./regard-request.js";

const noteLink = loadScript(import.meta.url, "note-link.lua");

export interface ApprovalLink {
  /** The last part of the address at which it is opened. */
  readonly token: string;
  readonly approval_id: string;
  readonly agent: string;
  readonly expires_at: string;
}

/**
 * Makes a link by which an approver decides one request, once. Whoever has the link decides in that name, so it is made
 * by those who may issue tokens, and recorded as theirs.
 *
 * @throws {MailboxError} `approval.no_link_for`, `approval.unknown`, `approval.ended`, `access.denied`
 */
export async function linkApproval(
  context: ApprovalContext,
  caller: Caller,
  id: string,
  agent: string,
): Promise<ApprovalLink> {
  const { deps, limits } = context;
  const { namespace } = caller.principal;
  await deps.admit(caller, "admin.tokens", agent);
  const found = await foundRequest(context, namespace, id);
  const { request } = found;
  if (request.state !== "pending") refuse("approval.ended", { approval_id: id, state: request.state });
  const no = (because: string) => refuse("approval.no_link_for", { agent, approval_id: id, because });
  if (agent === request.agent) no("it asked for it");
  if (!(await isEntitled(context, namespace, request, byLink(agent))))
    no("it is none of its approvers, has no right to decide, or its tokens were revoked");
  const expiresAt = Math.min(Math.floor(deps.store.now() + limits.linkMs), request.expiresAt);
  const { token, nonce } = await signLink(context, namespace, { id, agent, expiresAt });
  const resource = `approval:${id}`;
  const row = rowOf(caller, { action: "approval.link", resource, outcome: "allow", because: `for ${agent}` });
  const noted = [nonce, `${id}|${agent}`, expiresAt, row];
  await deps.store.run(noteLink, approvalKeyList(approvalKeys(namespace)), noted);
  return { token, approval_id: id, agent, expires_at: new Date(expiresAt).toISOString() };
}

/** Who decides by a link: the operator who made it vouches for the name. */
export function byLink(agent: string) {
  return { name: agent, verified: true, roles: ["agent"], proof: "link" } as const;
}
