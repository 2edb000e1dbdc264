import { type Caller, PendingRow } from "../identity/index.js";
import { loadScript, type MailboxName } from "../redis/index.js";
import type { MailContext } from "./context.js";
import { type Entry, parseEntries } from "./delivery-record.js";
import type { StoredMessage } from "./feed.js";
import { expectFlush, flushSoon } from "./outbox.js";

const listMessages = loadScript(import.meta.url, "list-messages.lua");
const manageDeadLetters = loadScript(import.meta.url, "manage-dead-letters.lua");

export interface DeadLetter {
  readonly message: StoredMessage;
  readonly reason: string;
  /** Why, in the words of who rejected it; empty when nothing was said. */
  readonly said: string;
  readonly failures: number;
  readonly buriedAt: number;
}

/** Dead letters of a mailbox, latest first; `after` is the last one of the page before, whatever became of it since. */
export async function listDeadLetters(
  context: MailContext,
  namespace: string,
  mailbox: MailboxName,
  page: { readonly after?: DeadLetter; readonly limit: number },
): Promise<readonly DeadLetter[]> {
  const [, list] = await context.run(namespace, mailbox, listMessages, [
    "dead",
    page.after?.buriedAt ?? "",
    page.after?.message.id ?? "",
    page.limit,
  ]);
  return parseEntries(list).flatMap(asDeadLetter);
}

/** A dead letter of an entry; none when its message is missing. */
export function asDeadLetter({ message, record }: Entry): DeadLetter[] {
  if (!message) return [];
  const { reason, said, failures, at } = record;
  return [{ message, reason, said, failures, buriedAt: at }];
}

/** Puts dead letters back as if newly sent, all of them when no id is given. */
export async function requeueDeadLetters(
  context: MailContext,
  caller: Caller,
  mailbox: MailboxName,
  ids: readonly string[],
): Promise<{ readonly done: number; readonly left: number }> {
  return manage(context, caller, mailbox, "requeue", ids);
}

/** Removes dead letters for good, all of them when no id is given. */
export async function purgeDeadLetters(
  context: MailContext,
  caller: Caller,
  mailbox: MailboxName,
  ids: readonly string[],
): Promise<{ readonly done: number; readonly left: number }> {
  return manage(context, caller, mailbox, "purge", ids);
}

async function manage(
  context: MailContext,
  caller: Caller,
  mailbox: MailboxName,
  action: "requeue" | "purge",
  ids: readonly string[],
): Promise<{ readonly done: number; readonly left: number }> {
  const { namespace } = caller.principal;
  if (action === "purge") await expectFlush(context, namespace, mailbox);
  const result = await manageAll(context, caller, mailbox, action, ids);
  // What went takes its attachments with it.
  if (action === "purge") await flushSoon(context, namespace, mailbox);
  return result;
}

async function manageAll(
  context: MailContext,
  caller: Caller,
  mailbox: MailboxName,
  action: "requeue" | "purge",
  ids: readonly string[],
): Promise<{ readonly done: number; readonly left: number }> {
  const row = new PendingRow(await context.deps.admit(caller, "admin.dead-letters", mailbox));
  let total = 0;
  for (;;) {
    const [, done, left] = await context.run(caller.principal.namespace, mailbox, manageDeadLetters, [
      action,
      context.limits.expiryMs,
      row.text,
      ...ids,
    ]);
    row.written();
    total += Number(done);
    if (ids.length > 0 || Number(left) === 0 || Number(done) === 0)
      return { done: total, left: Number(left) };
  }
}
