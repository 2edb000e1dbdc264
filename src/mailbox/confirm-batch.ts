import { type Caller, PendingRow } from "../identity/index.js";
import type { MailContext } from "./context.js";
import { headsOfTopics } from "./heads-of-topics.js";
import { newMessageId } from "./message-id.js";
import { readMailbox } from "./read-mailbox.js";
import { type Place, topicPlace } from "./run-memory.js";

/**
 * Whether the reply with this page reached the client. What reached nobody is there again at once, also for a read that
 * waits meanwhile, and in another process; where the store cannot be told, with the next read.
 */
export function confirmBatch(context: MailContext, caller: Caller, batch: string, reached: boolean): void {
  const memory = context.memory(caller);
  memory.confirm(batch, reached);
  if (reached) return;
  for (const place of memory.placesOf(batch))
    giveBack(context, caller, place).catch((error: Error) =>
      context.deps.log("a page that reached nobody waits for the next read", { error: error.message }),
    );
}

async function giveBack(context: MailContext, caller: Caller, place: Place): Promise<void> {
  const filter = { minPriority: 0 };
  if (place === topicPlace) await headsOfTopics(context, caller, undefined, { filter, limit: 0 });
  else
    await readMailbox(context, caller, place, {
      batch: newMessageId(context.deps.store.now()),
      limit: 0,
      budget: { bytes: 0, cut: 0 },
      filter,
      after: undefined,
      sessionless: false,
      row: new PendingRow(),
    });
}
