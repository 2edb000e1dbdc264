import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { loadScript, mailboxKeys } from "../redis/index.js";
import type { MailContext } from "./context.js";
import { isMessageId } from "./message-id.js";
import { noteRecalled } from "./note-recalled.js";
import { parseAddressees } from "./note-send.js";
import { insertion, waitingEntry } from "./outbox.js";

const recallScript = loadScript(import.meta.url, "recall-message.lua");

/**
 * Takes back what a sender sent, from every recipient who has not been given it yet, also where it still waits in the
 * sender's outbox, be it for a topic. What was taken back from everybody may be sent again at once.
 *
 * @throws {MailboxError} `access.denied`, `mailbox.not_yours` for an id that sender never sent, `mailbox.not_recallable` when every
 *   recipient already has it
 */
export async function recallMessage(
  context: MailContext,
  caller: Caller,
  sender: string,
  id: string,
): Promise<{ readonly recalled: readonly string[]; readonly delivered: readonly string[] }> {
  const { namespace } = caller.principal;
  const { store } = context.deps;
  const own = mailboxKeys(namespace, sender);
  const noted = isMessageId(id) ? ((await store.command("HGET", own.sentTo, id)) as string | null) : null;
  if (noted === null) refuse("mailbox.not_yours", { message_id: "with that id" });
  const addressees = parseAddressees(noted);
  const { waiting, entry } = await waitingEntry(context, namespace, sender, id);
  const recalled: string[] = [];
  const delivered: string[] = [];
  const withdrawn: string[] = [];
  for (const { to: mailbox, mark } of addressees) {
    if (mark === "refused") continue;
    const waits = waiting.has(mailbox);
    const isBack = mark === "recalled" || (await takeBack(context, caller, mailbox, sender, id, waits));
    (isBack ? recalled : delivered).push(mailbox);
    if (isBack && waits) withdrawn.push(mailbox);
  }
  if (recalled.length === 0) refuse("mailbox.not_recallable", { message_id: id });
  await noteRecalled(context, namespace, sender, id, recalled, withdrawn, entry?.posting);
  return { recalled, delivered };
}

/** Whether one recipient has it no more, or will never have it. */
async function takeBack(
  context: MailContext,
  caller: Caller,
  mailbox: string,
  sender: string,
  id: string,
  waits: boolean,
): Promise<boolean> {
  const operation = insertion(context, id);
  if (mailbox.startsWith("topic:"))
    return waits && context.deps.withdraw(caller, mailbox.slice("topic:".length), operation);
  const { row } = await context.deps.admit(caller, "admin.mailboxes", mailbox);
  const [word] = await context.run(caller.principal.namespace, mailbox, recallScript, [
    id,
    sender,
    row,
    waits ? operation.key : "",
    operation.digest,
    operation.attempt,
    operation.keepMs,
  ]);
  return word === "RECALLED";
}
