import { refuse } from "../errors/index.js";
import { loadScript, type MailboxName } from "../redis/index.js";
import { confirmSoon, expectConfirmation, idsOf } from "./attachment-references.js";
import type { MailContext } from "./context.js";
import type { StoredMessage } from "./feed.js";
import { leaseWord, type Operation } from "./operation.js";
import { priorities } from "./priorities.js";

const sendScript = loadScript(import.meta.url, "send-message.lua");

/** What is stored for each recipient, beside the message itself. */
export interface Posting {
  readonly message: StoredMessage;
  readonly bytes: number;
  readonly lifeMs: number;
  /** What the sender asked for; a topic keeps its messages by its own retention otherwise. */
  readonly ttlMs?: number | undefined;
  readonly ackRequired: boolean;
}

/**
 * Puts a message into one mailbox. Safe to repeat with the same operation. The id is empty where the message was taken back
 * before it was there.
 *
 * @param row the audit row of the decision; empty where it was recorded before or nobody asked
 */
export async function insertMessage(
  context: MailContext,
  namespace: string,
  mailbox: MailboxName,
  posting: Posting,
  operation: Operation,
  row: string,
): Promise<{ readonly state: "STORED" | "REPLAYED"; readonly id: string }> {
  const { limits } = context;
  const { message } = posting;
  if (message.attachments) await expectConfirmation(context, namespace, mailbox);
  const job = mailbox.startsWith("queue:");
  const [word, first, second] = await context.run(namespace, mailbox, sendScript, [
    operation.key,
    operation.digest,
    operation.attempt,
    operation.keepMs,
    message.id,
    JSON.stringify(message),
    posting.bytes,
    priorities.indexOf(message.priority),
    message.from,
    posting.lifeMs,
    `${job ? "j" : ""}${posting.ackRequired ? "a" : ""}`,
    message.thread,
    limits.mailboxMessages,
    limits.mailboxBytes,
    limits.senderMessages,
    idsOf(message).join(","),
    row,
    ...leaseWord(operation),
  ]);
  switch (word) {
    case "STORED":
    case "REPLAYED":
      if (first === message.id && message.attachments)
        await confirmSoon(context, namespace, mailbox, message);
      return { state: word, id: String(first) };
    case "CONFLICT":
      refuse("mailbox.idempotency_conflict");
      break;
    case "FULL":
      refuse("mailbox.full", { address: mailbox, count: Number(first), bytes: Number(second) });
      break;
    case "SENDER_FULL":
      refuse("mailbox.sender_full", { address: mailbox, count: Number(first) });
      break;
    case "LEASE_OVER":
      refuse("lock.stale_token", { done: "sent" });
      break;
    case "BLOCKED":
      refuse("mailbox.blocked", { address: mailbox });
  }
  throw new Error(`send-message answered ${word}`);
}
