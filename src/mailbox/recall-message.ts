import { refuse } from "../errors/index.js";
import { loadScript, mailboxKeys } from "../redis/index.js";
import type { MailContext } from "./context.js";
import { isMessageId } from "./message-id.js";

const recallScript = loadScript(import.meta.url, "recall-message.lua");

/**
 * Takes back what a sender sent, from every recipient who has not been given it yet.
 *
 * @throws {MailboxError} `mailbox.not_yours` for an id that sender never sent, `mailbox.not_recallable` when every
 *   recipient already has it
 */
export async function recallMessage(
  context: MailContext,
  namespace: string,
  sender: string,
  id: string,
): Promise<{ readonly recalled: readonly string[]; readonly delivered: readonly string[] }> {
  const own = mailboxKeys(namespace, sender);
  const to = isMessageId(id)
    ? ((await context.deps.store.command("HGET", own.sentTo, id)) as string | null)
    : null;
  if (to === null) refuse("mailbox.not_yours", { message_id: "with that id" });
  const recalled: string[] = [];
  const delivered: string[] = [];
  for (const mailbox of to.split(",")) {
    const gone =
      !mailbox.startsWith("topic:") &&
      (await context.run(namespace, mailbox, recallScript, [id, sender]))[0] === "RECALLED";
    (gone ? recalled : delivered).push(mailbox);
  }
  if (recalled.length === 0) refuse("mailbox.not_recallable", { message_id: id });
  return { recalled, delivered };
}
