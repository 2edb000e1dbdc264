import { loadScript } from "../redis/index.js";
import { agentsIn } from "./agents-in.js";
import type { ApprovalContext } from "./context.js";
import { findRequest } from "./get-approval.js";
import { noticeText, type Occasion } from "./notice-text.js";
import { fitsOnePage } from "./page-of-request.js";
import { type ReadRequest, shownApproval } from "./shown-approval.js";
import { approversOf } from "./stored-request.js";

const noteTold = loadScript(import.meta.url, "note-told.lua");

/** A role may be given to many; who is not told finds the request all the same. */
const mostTold = 100;

/**
 * Mails a request to those who may decide it and have not been told: at its opening its approvers, after an escalation
 * those it went to. Repeating it tells nobody twice.
 */
export async function tellApprovers(context: ApprovalContext, namespace: string, id: string): Promise<void> {
  const found = await findRequest(context, namespace, id);
  if (found?.request.state !== "pending" || found.request.stage % 2 === 1) return;
  const { request } = found;
  const escalated = request.stage >= 2;
  const first = await agentsIn(context, namespace, request.approvers);
  const meant = escalated
    ? [...(await agentsIn(context, namespace, request.escalateTo))].filter((name) => !first.has(name))
    : [...first];
  const { messages, missed } = await tell(
    context,
    namespace,
    found,
    meant,
    escalated ? "escalated" : "opened",
  );
  // Those who could not be told (a full mailbox) are tried again; the others are told once all the same.
  const stage = missed > 0 ? -1 : request.stage;
  await context.run(namespace, noteTold, [id, stage, ...messages]);
}

/** Mails the other approvers that somebody approved other arguments, which they may agree with. */
export async function tellOfEdit(
  context: ApprovalContext,
  namespace: string,
  found: ReadRequest,
  voter: string,
  digest: string,
): Promise<void> {
  const approvers = approversOf(found.request, context.deps.store.now());
  const meant = [...(await agentsIn(context, namespace, approvers))].filter((name) => name !== voter);
  const { messages } = await tell(
    context,
    namespace,
    found,
    meant,
    `edited by ${voter} ${digest.slice(0, 16)}`,
  );
  if (messages.length > 0) await context.run(namespace, noteTold, [found.id, -1, ...messages]);
}

async function tell(
  { deps }: ApprovalContext,
  namespace: string,
  found: ReadRequest,
  meant: readonly string[],
  occasion: Occasion,
): Promise<{ readonly messages: readonly string[]; readonly missed: number }> {
  const { id, request } = found;
  const approval = shownApproval(found);
  const isLong = !fitsOnePage(approval);
  const messages: string[] = [];
  let missed = 0;
  for (const name of meant.filter((one) => one !== request.agent).slice(0, mostTold)) {
    try {
      messages.push(await deps.notify(namespace, name, noticeText(approval, name, { occasion, isLong })));
    } catch (error) {
      missed += 1;
      deps.log("an approver could not be told", { id, name, error: (error as Error).message });
    }
  }
  return { messages, missed };
}
