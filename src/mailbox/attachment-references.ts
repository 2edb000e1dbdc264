import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { directoryKeys, loadScript, type MailboxName, mailboxKeys } from "../redis/index.js";
import { attachmentSlot } from "./attachment-record.js";
import type { MailContext } from "./context.js";
import type { StoredMessage } from "./feed.js";

const referenceScript = loadScript(import.meta.url, "reference-attachment.lua");
const confirmScript = loadScript(import.meta.url, "confirm-attachment.lua");
const releaseScript = loadScript(import.meta.url, "release-attachment.lua");

const dayMs = 86_400_000;

/**
 * Keeps what a message carries for the places it is about to be inserted in; a place is a mailbox or `topic:name`. The
 * insertion into a mailbox confirms it; what is never confirmed ends by itself. In a topic it lasts a day longer than
 * the topic's history.
 *
 * @throws {MailboxError} `attachment.unknown` when it went away since it was looked at
 */
export async function referenceAttachments(
  context: MailContext,
  caller: Caller,
  message: StoredMessage,
  places: readonly string[],
): Promise<void> {
  if (!message.attachments) return;
  const { namespace, agent } = caller.principal;
  const { store, topicRetentionMs } = context.deps;
  const now = store.now();
  const references: string[] = [];
  for (const place of places) {
    const keptMs = place.startsWith("topic:")
      ? ((await topicRetentionMs?.(namespace, place.slice("topic:".length))) ?? context.limits.historyMs) +
        dayMs
      : context.limits.expiryMs;
    references.push(referenceOf(place, message.id), (now + keptMs).toFixed(0));
  }
  for (const { id } of message.attachments) {
    const [word] = await store.run(referenceScript, attachmentSlot(namespace, id), [agent, ...references]);
    if (word === "UNKNOWN") refuse("attachment.unknown", { id });
    if (word === "NOT_READY") refuse("attachment.not_ready", { id });
  }
}

/**
 * Gives up references: `refused` when the message was never inserted there, `gone` when it no longer is. With the last
 * message that carried it the attachment is removed. Safe to repeat.
 */
export async function releaseAttachments(
  context: MailContext,
  namespace: string,
  place: string,
  messageId: string,
  attachmentIds: readonly string[],
  why: "refused" | "gone",
): Promise<void> {
  for (const id of attachmentIds)
    await context.deps.store.run(releaseScript, attachmentSlot(namespace, id), [
      referenceOf(place, messageId),
      why,
      context.limits.unsentAttachmentMs,
    ]);
}

/** Gives up what was taken for a message that did not get there. What cannot be given up now ends by itself. */
export async function releaseRefused(
  context: MailContext,
  namespace: string,
  message: StoredMessage,
  places: readonly string[],
): Promise<void> {
  const ids = idsOf(message);
  if (ids.length === 0) return;
  try {
    for (const place of places)
      await releaseAttachments(context, namespace, place, message.id, ids, "refused");
  } catch (error) {
    context.deps.log("an attachment stays until it expires", { error: (error as Error).message });
  }
}

/** Makes sure the mailbox is swept: whoever inserts a message with attachments may be gone before it confirms them. */
export async function expectConfirmation(
  context: MailContext,
  namespace: string,
  mailbox: MailboxName,
): Promise<void> {
  const { store } = context.deps;
  await store.command("ZADD", directoryKeys(namespace).outboxes, store.now().toFixed(0), mailbox);
}

/** Keeps what a message carries for as long as this mailbox has the message. Safe to repeat, at any time. */
export async function confirmAttachments(
  context: MailContext,
  namespace: string,
  mailbox: MailboxName,
  messageId: string,
  attachmentIds: readonly string[],
): Promise<void> {
  if (attachmentIds.length === 0) return;
  const { store } = context.deps;
  for (const id of attachmentIds)
    await store.run(confirmScript, attachmentSlot(namespace, id), [referenceOf(mailbox, messageId)]);
  await store.command("HDEL", mailboxKeys(namespace, mailbox).outbox, `${carriedField}${messageId}`);
}

/** Confirms at once what was just inserted; what fails here is done by the sweep. */
export async function confirmSoon(
  context: MailContext,
  namespace: string,
  mailbox: MailboxName,
  message: StoredMessage,
): Promise<void> {
  await confirmAttachments(context, namespace, mailbox, message.id, idsOf(message)).catch((error: Error) =>
    context.deps.log("an attachment is confirmed by the next sweep", { error: error.message }),
  );
}

/** What the scripts leave in a mailbox's outbox: a message with attachments came, or was forgotten. */
export const carriedField = "carried:";
export const droppedField = "dropped:";

/** Does what the scripts of a mailbox left to do with attachments, whose slots are others. Safe to repeat. */
export async function settleAttachments(
  context: MailContext,
  namespace: string,
  mailbox: MailboxName,
  outbox: ReadonlyMap<string, string>,
): Promise<void> {
  for (const [field, ids] of outbox)
    if (field.startsWith(carriedField))
      await confirmAttachments(context, namespace, mailbox, field.slice(carriedField.length), ids.split(","));
  for (const [field, ids] of outbox) {
    if (!field.startsWith(droppedField)) continue;
    const messageId = field.slice(droppedField.length);
    await releaseAttachments(context, namespace, mailbox, messageId, ids.split(","), "gone");
    await context.deps.store.command("HDEL", mailboxKeys(namespace, mailbox).outbox, field);
  }
}

export function idsOf(message: StoredMessage): readonly string[] {
  return (message.attachments ?? []).map(({ id }) => id);
}

function referenceOf(place: string, messageId: string): string {
  return `${place}/${messageId}`;
}
