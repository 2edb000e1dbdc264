import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { conversationKey, loadScript } from "../redis/index.js";
import type { MailContext } from "./context.js";
import type { Operation } from "./operation.js";

const joinScript = loadScript(import.meta.url, "join-conversation.lua");

/**
 * Counts a message among those that descend from one origin, once however often it is sent.
 *
 * @throws {MailboxError} `mailbox.conversation_exhausted`
 */
export async function joinConversation(
  context: MailContext,
  caller: Caller,
  origin: string,
  operation: Operation,
): Promise<void> {
  const { limits, deps } = context;
  const [word] = await deps.store.run(
    joinScript,
    [conversationKey(caller.principal.namespace, origin)],
    [conversationItem(operation), repliesMost(limits.conversationMessages), limits.expiryMs, "0"],
  );
  if (word === "EXHAUSTED") refuse("mailbox.conversation_exhausted", { limit: limits.conversationMessages });
}

/** Strikes a message out again that was refused. */
export async function leaveConversation(
  context: MailContext,
  caller: Caller,
  origin: string,
  operation: Operation,
): Promise<void> {
  const { limits, deps } = context;
  await deps.store
    .run(
      joinScript,
      [conversationKey(caller.principal.namespace, origin)],
      [conversationItem(operation), repliesMost(limits.conversationMessages), limits.expiryMs, "1"],
    )
    .catch((error: Error) => deps.log("a refused message stays counted", { error: error.message }));
}

/** A conflicting reuse of a key is another message: it must not strike out the first. */
function conversationItem(operation: Operation): string {
  return `${operation.key}|${operation.digest}`;
}

/** The origin is one of the messages, and the only one that never joined. */
function repliesMost(messages: number): number {
  return messages - 1;
}
