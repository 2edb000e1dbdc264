import type { Caller } from "../identity/index.js";
import { mailboxKeys } from "../redis/index.js";
import { type MailContext, ownMailbox } from "./context.js";
import { lookAtMailbox } from "./look-at-mailbox.js";

/**
 * Has this run notice, from now on and without a store command, that something may have come or that its agent follows
 * something it did not. What a lost connection may have swallowed counts as come.
 */
export async function listenForNews(context: MailContext, caller: Caller): Promise<void> {
  const memory = context.memory(caller);
  if (memory.stopListening) return;
  // Set before the first await, so that two calls at once listen once.
  memory.stopListening = () => {};
  const { channel } = mailboxKeys(caller.principal.namespace, ownMailbox(caller));
  const stopMail = await context.deps.hints.listen(channel, () => {
    memory.stale = true;
  });
  const stopTopics = await context.deps.feed.listen(caller, () => {
    memory.stale = true;
    memory.heardOfTopics();
  });
  memory.stopListening = () => {
    stopMail();
    stopTopics();
  };
}

/** Unread and urgent mail if something may have come since this was last asked; undefined while nothing has. */
export async function newsOf(
  context: MailContext,
  caller: Caller,
): Promise<{ readonly unread: number; readonly urgent: number } | undefined> {
  const memory = context.memory(caller);
  if (!memory.stopListening) await listenForNews(context, caller);
  if (!memory.stale) return undefined;
  memory.stale = false;
  const { unread, urgent } = await countInbox(context, caller);
  const { told } = memory;
  memory.told = { unread, urgent };
  return unread > told.unread || urgent > told.urgent ? { unread, urgent } : undefined;
}

export async function countInbox(
  context: MailContext,
  caller: Caller,
): Promise<{
  readonly unread: number;
  readonly urgent: number;
  readonly open: number;
  readonly dead: number;
}> {
  const { counts } = await lookAtMailbox(
    context,
    caller,
    ownMailbox(caller),
    "ready",
    0,
    { minPriority: 0 },
    false,
  );
  const feed = (await context.deps.feed.follows(caller))
    ? await context.deps.feed.heads(caller, { seen: [], unseen: [], filter: { minPriority: 0 }, limit: 0 })
    : undefined;
  return {
    unread: counts.unread + (feed?.unread ?? 0),
    urgent: counts.urgent + (feed?.urgent ?? 0),
    open: counts.open + (feed?.open ?? 0),
    dead: counts.dead,
  };
}
