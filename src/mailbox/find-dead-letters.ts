import type { MailboxName } from "../redis/index.js";
import type { MailContext } from "./context.js";
import { asDeadLetter, type DeadLetter } from "./dead-letters.js";
import { lookUp } from "./find-delivery.js";
import { isMessageId } from "./message-id.js";

/** Where in these mailboxes the messages lie as dead letters; one that was sent to several may lie in several. */
export async function findDeadLetters(
  context: MailContext,
  namespace: string,
  mailboxes: readonly MailboxName[],
  ids: readonly string[],
): Promise<readonly { readonly mailbox: MailboxName; readonly letter: DeadLetter }[]> {
  const asked = ids.filter(isMessageId);
  if (asked.length === 0) return [];
  const found = await Promise.all(
    mailboxes.map(async (mailbox) => {
      const entries = await lookUp(context, namespace, mailbox, asked);
      const dead = entries.filter(({ record }) => record.state === "dead");
      return dead.flatMap(asDeadLetter).map((letter) => ({ mailbox, letter }));
    }),
  );
  return found.flat();
}
