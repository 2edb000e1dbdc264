import type { Caller } from "../identity/index.js";
import { loadScript, type MailboxName, mailboxKeys } from "../redis/index.js";
import { type MailContext, ownMailbox } from "./context.js";
import { type Entry, parseEntries, toDelivery } from "./delivery-record.js";
import type { Delivery, StoredMessage } from "./feed.js";
import { isMessageId } from "./message-id.js";
import { type Place, topicPlace } from "./run-memory.js";

const listMessages = loadScript(import.meta.url, "list-messages.lua");

/** A message this agent was given or may read, wherever it is; undefined alike when it is another's or nowhere. */
export async function findDelivery(
  context: MailContext,
  caller: Caller,
  id: string,
): Promise<{ readonly place: Place; readonly delivery: Delivery } | undefined> {
  if (!isMessageId(id)) return undefined;
  for (const mailbox of await visitedMailboxes(context, caller)) {
    const [entry] = await lookUp(context, caller.principal.namespace, mailbox, [id]);
    // What was taken back is its sender's again.
    if (!entry?.message || entry.record.state === "recalled") continue;
    if (mailbox.startsWith("queue:") && !entry.record.run.startsWith(`${caller.principal.agent}/`)) continue;
    return { place: mailbox, delivery: toDelivery(entry as Entry & { message: StoredMessage }) };
  }
  const delivery = await context.deps.feed.find(caller, id);
  return delivery ? { place: topicPlace, delivery } : undefined;
}

export async function lookUp(
  context: MailContext,
  namespace: string,
  mailbox: MailboxName,
  ids: readonly string[],
): Promise<Entry[]> {
  const [, list] = await context.run(namespace, mailbox, listMessages, ["ids", "", "", ids.length, ...ids]);
  return parseEntries(list);
}

/** The agent's own mailbox and the queues it ever took a job from. */
export async function workplaces(
  context: MailContext,
  namespace: string,
  agent: string,
): Promise<readonly MailboxName[]> {
  const { places } = mailboxKeys(namespace, agent);
  const all = (await context.deps.store.command("SMEMBERS", places)) as string[];
  return [agent, ...all.filter((place) => place.startsWith("queue:"))];
}

/** Those of its workplaces that the caller may read now. */
export async function visitedMailboxes(
  context: MailContext,
  caller: Caller,
): Promise<readonly MailboxName[]> {
  const places = await workplaces(context, caller.principal.namespace, ownMailbox(caller));
  const may = await context.deps.rightsOf(caller);
  return places.filter((place) => may("mailbox.read", place));
}

/** Whether the caller may still read where it was given something; what a topic delivered stays its own. */
export async function mayReadAt(context: MailContext, caller: Caller, place: Place): Promise<boolean> {
  return place === topicPlace || (await context.deps.rightsOf(caller))("mailbox.read", place);
}

/** Remembers, before the first job is taken, that this agent takes jobs there: its gone runs are found by it. */
export async function rememberVisit(
  context: MailContext,
  caller: Caller,
  mailbox: MailboxName,
): Promise<void> {
  const { visited } = context.memory(caller);
  if (visited.has(mailbox)) return;
  const own = mailboxKeys(caller.principal.namespace, ownMailbox(caller));
  await context.deps.store.command("SADD", own.places, mailbox);
  visited.add(mailbox);
}
