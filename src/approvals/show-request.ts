import { refuse } from "../errors/index.js";
import { approvalKeys, loadScript } from "../redis/index.js";
import type { ApprovalContext } from "./context.js";
import { fitsOnePage, type PageOfRequest, pageOfRequest, requestText } from "./page-of-request.js";
import { type ReadRequest, shownApproval } from "./shown-approval.js";

const noteShown = loadScript(import.meta.url, "note-shown.lua");

/** The part of a request that somebody is shown next, or from an offset on; of a long one it is noted that they were. */
export async function showRequest(
  context: ApprovalContext,
  namespace: string,
  found: ReadRequest,
  who: string,
  offset?: number,
): Promise<PageOfRequest> {
  const page = pageOfRequest(shownApproval(found), offset);
  if (page.offset > 0 || page.end < page.length)
    await context.run(namespace, noteShown, [found.id, who, page.offset, page.end]);
  return page;
}

/**
 * Nobody approves what they were not shown: a request that is longer than one reply or mail has to have been read to its
 * end with `decide_approval` by whoever approves it there.
 *
 * @throws {MailboxError} `approval.not_shown`
 */
export async function requireShown(
  { deps }: ApprovalContext,
  namespace: string,
  found: ReadRequest,
  who: string,
): Promise<void> {
  const approval = shownApproval(found);
  if (fitsOnePage(approval)) return;
  const noted = await deps.store.command("HGET", approvalKeys(namespace).notices, `%${found.id}`);
  const seen = String(noted ?? "")
    .split(",")
    .flatMap((one) => (one.startsWith(`${who}:`) ? [Number(one.slice(who.length + 1))] : []));
  const offset = seen[0] ?? 0;
  if (offset < requestText(approval).length) refuse("approval.not_shown", { approval_id: found.id, offset });
}
