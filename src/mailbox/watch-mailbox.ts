import { type MailboxName, mailboxKeys } from "../redis/index.js";
import type { MailContext } from "./context.js";

/** Calls back when a mailbox or queue may have changed. Resolves when it listens, so that a look afterwards misses nothing. */
export function watchMailbox(
  context: MailContext,
  namespace: string,
  mailbox: MailboxName,
  onChange: () => void,
): Promise<() => void> {
  return context.deps.hints.listen(mailboxKeys(namespace, mailbox).channel, onChange);
}
