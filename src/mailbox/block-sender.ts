import type { Caller } from "../identity/index.js";
import { loadScript, type MailboxName, mailboxKeys } from "../redis/index.js";
import type { MailContext } from "./context.js";

const changeBlocks = loadScript(import.meta.url, "change-blocks.lua");

/** From now on a mailbox refuses what this sender sends it (`mailbox.blocked`); what it already has stays. */
export async function blockSender(
  context: MailContext,
  caller: Caller,
  mailbox: MailboxName,
  sender: string,
): Promise<void> {
  await change(context, caller, mailbox, "block", sender);
}

/** Takes a block back. Answers whether there was one. */
export async function unblockSender(
  context: MailContext,
  caller: Caller,
  mailbox: MailboxName,
  sender: string,
): Promise<boolean> {
  return change(context, caller, mailbox, "unblock", sender);
}

async function change(
  context: MailContext,
  caller: Caller,
  mailbox: MailboxName,
  action: "block" | "unblock",
  sender: string,
): Promise<boolean> {
  const { row } = await context.deps.admit(caller, "admin.mailboxes", mailbox);
  const { blocked, audit } = mailboxKeys(caller.principal.namespace, mailbox);
  const [, changed] = await context.deps.store.run(changeBlocks, [blocked, audit], [action, sender, row]);
  return changed === "1";
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
