import type { Caller, PendingRow } from "../identity/index.js";
import { loadScript, type MailboxName } from "../redis/index.js";
import { claimMsOf } from "./claim-length.js";
import type { MailContext } from "./context.js";
import type { Inbox } from "./contract.js";
import { type Entry, parseEntries, toDelivery, withMessages } from "./delivery-record.js";
import type { Delivery, FeedFilter, StoredMessage } from "./feed.js";
import { type Counts, parseCounts } from "./look-at-mailbox.js";
import { flushSoon } from "./outbox.js";
import { envelopeChars } from "./show-delivery.js";

const readScript = loadScript(import.meta.url, "read-inbox.lua");

/** What a page is to hold, whatever it is taken from. */
export interface PageAsk {
  readonly batch: string;
  readonly limit: number;
  /** Only these of the mailbox; what is ready, without. */
  readonly ids?: readonly string[];
  readonly budget: { readonly bytes: number; readonly cut: number };
  readonly filter: FeedFilter;
  readonly after: string | undefined;
  readonly sessionless: boolean;
  readonly row: PendingRow;
}

/** Settles and gives back what is known of earlier pages, and takes the next one of one mailbox. @throws {MailboxError} `store.*` */
export async function readMailbox(
  context: MailContext,
  caller: Caller,
  place: MailboxName,
  ask: PageAsk,
): Promise<{
  readonly deliveries: readonly Delivery[];
  readonly counts: Counts;
}> {
  const { deps } = context;
  const memory = context.memory(caller);
  const { namespace } = caller.principal;
  const { seen, unseen } = memory.batches(place, ask.after);
  let from = "";
  for (;;) {
    memory.delivered(ask.batch, place);
    const [, counted, flat, others, due, goOn] = await context.run(namespace, place, readScript, [
      caller.run.id,
      ask.batch,
      ask.limit,
      Math.max(ask.budget.bytes - ask.limit * envelopeChars, 1_000),
      await claimMsOf(context, namespace, place),
      seen.join(","),
      unseen.join(","),
      ask.filter.sender ?? "",
      ask.filter.thread ?? "",
      ask.filter.minPriority,
      (ask.ids ?? []).join(","),
      from,
      ask.budget.cut,
      ask.sessionless ? "1" : "0",
      ask.row.text,
    ]);
    ask.row.written();
    memory.dropBatches(place, [...seen, ...unseen]);
    const deliveries = withMessages(parseEntries(flat)).map(toDelivery);
    const counts = parseCounts(counted as readonly string[]);
    if (counts.outbox > 0) void flushSoon(context, namespace, place);
    if (deliveries.length === 0) memory.dropBatches(place, [ask.batch]);
    memory.keepUntold({ reminders: withMessages(parseEntries(due)).map(asReminder) });
    // Another run has mail open here: if it is gone, its mail is ours to take, now.
    const gone =
      (others as readonly string[]).length > 0 &&
      (await deps.runs.releaseGone(namespace, others as readonly string[]));
    const more = deliveries.length === 0 && ask.limit > 0 && (ask.ids ?? []).length === 0;
    if (more && gone) continue;
    if (more && goOn) {
      from = String(goOn);
      continue;
    }
    return { deliveries, counts };
  }
}

function asReminder({
  id,
  message,
}: Entry & { readonly message: StoredMessage }): Inbox["reminders"][number] {
  return { id, from: message.from, since: new Date(message.sentAt).toISOString() };
}
