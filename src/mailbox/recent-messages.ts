import { loadScript, type MailboxName } from "../redis/index.js";
import type { MailContext } from "./context.js";
import { parseEntries, toDelivery } from "./delivery-record.js";
import type { Delivery, StoredMessage } from "./feed.js";

const listMessages = loadScript(import.meta.url, "list-messages.lua");

const listedAtOnce = 200;

/**
 * What a mailbox or queue keeps, oldest first, read or not; looking takes and settles nothing.
 *
 * With `after` everything that came behind that sequence, else the newest `limit`.
 */
export async function recentMessages(
  context: MailContext,
  namespace: string,
  mailbox: MailboxName,
  ask: { readonly after: number } | { readonly limit: number },
): Promise<readonly Delivery[]> {
  const since = "after" in ask ? String(ask.after + 1) : "";
  const most = "limit" in ask ? ask.limit : Number.POSITIVE_INFINITY;
  const newestFirst: Delivery[] = [];
  let before = "";
  while (newestFirst.length < most) {
    const page = Math.min(listedAtOnce, most - newestFirst.length);
    const [, list] = await context.run(namespace, mailbox, listMessages, ["all", before, since, page]);
    const entries = parseEntries(list);
    for (const entry of entries) {
      before = String(entry.record.sequence);
      if (entry.message) newestFirst.push(toDelivery(entry as typeof entry & { message: StoredMessage }));
    }
    if (entries.length < page) break;
  }
  return newestFirst.reverse();
}
