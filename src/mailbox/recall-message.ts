import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { loadScript, type MailboxKeys, mailboxKeys } from "../redis/index.js";
import { releaseRefused } from "./attachment-references.js";
import type { MailContext } from "./context.js";
import { isMessageId } from "./message-id.js";
import { addresseesText, parseAddressees } from "./note-send.js";
import { advanceEntry, insertion, type OutboxEntry } from "./outbox.js";

const recallScript = loadScript(import.meta.url, "recall-message.lua");

/**
 * Takes back what a sender sent, from every recipient who has not been given it yet, also where it still waits in the
 * sender's outbox.
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
  const left = String((await store.command("HGET", own.outbox, `left:${id}`)) ?? "");
  const waiting = new Set(left.split(","));
  const operation = insertion(context, id);
  const recalled: string[] = [];
  const delivered: string[] = [];
  const withdrawn: string[] = [];
  for (const { to: mailbox, never } of addressees) {
    if (never === "refused") continue;
    if (never === "recalled") {
      recalled.push(mailbox);
      continue;
    }
    if (mailbox.startsWith("topic:")) {
      delivered.push(mailbox);
      continue;
    }
    const { row } = await context.deps.admit(caller, "admin.mailboxes", mailbox);
    const [word] = await context.run(namespace, mailbox, recallScript, [
      id,
      sender,
      row,
      waiting.has(mailbox) ? operation.key : "",
      operation.digest,
      operation.attempt,
      operation.keepMs,
    ]);
    (word === "RECALLED" ? recalled : delivered).push(mailbox);
    if (word === "RECALLED" && waiting.has(mailbox)) withdrawn.push(mailbox);
  }
  if (withdrawn.length > 0) {
    const never = "recalled";
    const marked = addressees.map((one) =>
      withdrawn.includes(one.to) ? ({ to: one.to, never } as const) : one,
    );
    await store.command("HSET", own.sentTo, id, addresseesText(marked));
    await withdraw(context, namespace, sender, own, id, withdrawn);
  }
  if (recalled.length === 0) refuse("mailbox.not_recallable", { message_id: id });
  return { recalled, delivered };
}

/** Strikes recipients off what waits, who would not be given it any more. */
async function withdraw(
  context: MailContext,
  namespace: string,
  sender: string,
  own: MailboxKeys,
  id: string,
  recipients: readonly string[],
): Promise<void> {
  const text = (await context.deps.store.command("HGET", own.outbox, `entry:${id}`)) as string | null;
  if (text === null) return;
  const { posting } = JSON.parse(text) as OutboxEntry;
  await releaseRefused(context, namespace, posting.message, recipients);
  await advanceEntry(context, namespace, sender, id, recipients);
}
