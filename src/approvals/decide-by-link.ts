import { type Caller, rowOf } from "../identity/index.js";
import { approvalKeys } from "../redis/index.js";
import type { ApprovalContext } from "./context.js";
import type { Approval, Decided, Decision } from "./contract.js";
import { castVote, checkDecision } from "./decide-approval.js";
import { findRequest } from "./get-approval.js";
import { byLink } from "./link-approval.js";
import { type LinkToken, parseLink } from "./link-token.js";
import { loseLinks } from "./lose-links.js";
import { isEntitled, regardedApproval } from "./regard-request.js";
import type { ReadRequest } from "./shown-approval.js";
import { voidLink } from "./void-link.js";

/** Why whoever has a link may do what it is for. */
const byOperator = "a link of the operator";

/** What a link shows before it decides anything. */
export interface LinkedApproval {
  readonly approval: Approval;
  /** Who decides by it. */
  readonly agent: string;
  readonly expires_at: string;
}

/**
 * What a link is about. Decides nothing and uses nothing up: programs follow links in mail before people do.
 *
 * @throws {MailboxError} `approval.link_void`
 */
export async function seeLink(
  context: ApprovalContext,
  namespace: string,
  token: string,
): Promise<LinkedApproval> {
  const opened = await open(context, namespace, token);
  const caller = linked(namespace, opened.link);
  const resource = `approval:${opened.link.id}`;
  const decided = { action: "approval.read", resource, outcome: "allow", because: byOperator } as const;
  await context.deps.record(caller, { row: rowOf(caller, decided) });
  return shown(context, namespace, opened);
}

/** The same beside what a decision was refused for, which has left its row. @throws {MailboxError} `approval.link_void` */
export async function linkedApproval(
  context: ApprovalContext,
  namespace: string,
  token: string,
): Promise<LinkedApproval> {
  return shown(context, namespace, await open(context, namespace, token));
}

async function shown(
  context: ApprovalContext,
  namespace: string,
  { link, found }: Opened,
): Promise<LinkedApproval> {
  const expires_at = new Date(link.expiresAt).toISOString();
  return { approval: await regardedApproval(context, namespace, found), agent: link.agent, expires_at };
}

/**
 * Decides by a link in the name it was made for, once: not after it was used or has expired, when its approver has lost
 * the right, also where it was given back since, or when the request waits for nothing any more.
 *
 * @throws {MailboxError} `approval.link_void`, `approval.ended`, `approval.too_large`, `input.invalid`
 */
export async function decideByLink(
  context: ApprovalContext,
  namespace: string,
  token: string,
  decision: Omit<Decision, "approval_id" | "idempotency_key">,
): Promise<Decided> {
  const { link, found } = await open(context, namespace, token);
  const asked = { ...decision, approval_id: link.id };
  checkDecision(context, asked);
  const row = rowOf(linked(namespace, link), {
    action: "approval.decide",
    resource: `approval:${link.id}`,
    outcome: "allow",
    because: byOperator,
  });
  return castVote(context, namespace, found, asked, { voter: byLink(link.agent), way: "link", row, link });
}

interface Opened {
  readonly link: LinkToken;
  readonly found: ReadRequest;
}

async function open(context: ApprovalContext, namespace: string, token: string): Promise<Opened> {
  const link = await parseLink(context, namespace, token);
  if (!link) return voidLink({ why: "foreign" });
  const { store } = context.deps;
  const spent = (await store.command("HGET", approvalKeys(namespace).links, link.nonce)) as string | null;
  const found = await findRequest(context, namespace, link.id);
  if (!found) return voidLink({ why: "gone" });
  const { state } = found.request;
  const isLost = spent === "lost";
  if (spent !== null && !isLost) voidLink({ why: "used", state });
  if (state !== "pending") voidLink({ why: "ended", state });
  if (link.expiresAt <= store.now()) voidLink({ why: "over" });
  if (!(await isEntitled(context, namespace, found.request, byLink(link.agent)))) {
    if (!isLost) await loseLinks(context, namespace, [link.nonce]);
    voidLink({ why: "rights", agent: link.agent });
  }
  if (isLost) voidLink({ why: "lost", agent: link.agent });
  return { link, found };
}

function linked(namespace: string, { agent }: LinkToken): Caller {
  const { verified, roles } = byLink(agent);
  return {
    principal: { namespace, agent, verified, roles, credential: { kind: "none" } },
    run: { id: "" as Caller["run"]["id"] },
  };
}
