import { type MailboxName, mailboxKeys } from "../redis/index.js";
import type { MailContext } from "./context.js";

/** From now on a mailbox refuses what this sender sends it (`mailbox.blocked`); what it already has stays. */
export async function blockSender(
  context: MailContext,
  namespace: string,
  mailbox: MailboxName,
  sender: string,
): Promise<void> {
  await context.deps.store.command("SADD", mailboxKeys(namespace, mailbox).blocked, sender);
}

/** Takes a block back. Answers whether there was one. */
export async function unblockSender(
  context: MailContext,
  namespace: string,
  mailbox: MailboxName,
  sender: string,
): Promise<boolean> {
  return (
    Number(await context.deps.store.command("SREM", mailboxKeys(namespace, mailbox).blocked, sender)) > 0
  );
}

export async function listBlocked(
  context: MailContext,
  namespace: string,
  mailbox: MailboxName,
): Promise<readonly string[]> {
  return (
    (await context.deps.store.command("SMEMBERS", mailboxKeys(namespace, mailbox).blocked)) as string[]
  ).sort();
}
