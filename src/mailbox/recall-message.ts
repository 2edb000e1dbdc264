import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { loadScript, mailboxKeys } from "../redis/index.js";
import type { MailContext } from "./context.js";
import { isMessageId } from "./message-id.js";
import { parseAddressees } from "./note-send.js";

const recallScript = loadScript(import.meta.url, "recall-message.lua");

/**
 * Takes back what a sender sent, from every recipient who has not been given it yet.
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
  const own = mailboxKeys(namespace, sender);
  const to = isMessageId(id)
    ? ((await context.deps.store.command("HGET", own.sentTo, id)) as string | null)
    : null;
  if (to === null) refuse("mailbox.not_yours", { message_id: "with that id" });
  const recalled: string[] = [];
  const delivered: string[] = [];
  for (const { to: mailbox, refused } of parseAddressees(to)) {
    if (refused) continue;
    if (mailbox.startsWith("topic:")) {
      delivered.push(mailbox);
      continue;
    }
    const { row } = await context.deps.admit(caller, "admin.mailboxes", mailbox);
    const [word] = await context.run(namespace, mailbox, recallScript, [id, sender, row]);
    (word === "RECALLED" ? recalled : delivered).push(mailbox);
  }
  if (recalled.length === 0) refuse("mailbox.not_recallable", { message_id: id });
  return { recalled, delivered };
}
