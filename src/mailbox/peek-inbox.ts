import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import type { MailboxName } from "../redis/index.js";
import { choosePage } from "./choose-page.js";
import { type MailContext, ownMailbox } from "./context.js";
import type { Inbox, ReadInbox } from "./contract.js";
import { toDelivery, withMessages } from "./delivery-record.js";
import type { Delivery } from "./feed.js";
import { filterOf } from "./inbox-filter.js";
import { headOf, lookAtMailbox, type OpenPlace } from "./look-at-mailbox.js";
import type { ReadOptions } from "./read-options.js";
import { rememberDelivery } from "./remember-delivery.js";
import { topicPlace } from "./run-memory.js";
import { fitting, gapsOf, shown } from "./show-delivery.js";
import { stillOpen } from "./still-open.js";

/** Shows what waits without taking it: the bodies begin, but nothing is delivered or settled. */
export async function peekInbox(
  context: MailContext,
  caller: Caller,
  place: MailboxName,
  input: ReadInbox,
  options: ReadOptions,
): Promise<Inbox> {
  const limit = input.limit ?? 10;
  const filter = filterOf(input);
  const { entries, counts } = await lookAtMailbox(
    context,
    caller,
    place,
    "ready",
    filter.topic === undefined ? limit : 0,
    filter,
    true,
  );
  const follows = place === ownMailbox(caller) && (await context.deps.feed.follows(caller));
  const feed = follows
    ? await context.deps.feed.heads(caller, { seen: [], unseen: [], filter, limit, looksOnly: true })
    : undefined;
  const own = new Map(withMessages(entries).map((entry) => [entry.id, entry]));
  const heads = [...[...own.values()].map(headOf), ...(feed?.heads ?? [])];
  const deliveries: Delivery[] = [];
  for (const { id, root } of choosePage(heads, limit, Number.POSITIVE_INFINITY)) {
    const entry = root === "" ? own.get(id) : undefined;
    const delivery = entry ? toDelivery(entry) : await context.deps.feed.find(caller, id);
    if (delivery) deliveries.push(delivery);
  }
  const untold = context.memory(caller).showUntold(gapsOf(feed?.gaps));
  const told = { ...untold, reminders: await stillOpen(context, caller, untold.reminders) };
  return {
    messages: fitting(deliveries, options.maxChars).map(shown),
    unread: counts.unread + (feed?.unread ?? 0),
    urgent: counts.urgent + (feed?.urgent ?? 0),
    open: counts.open + (feed?.open ?? 0),
    timed_out: false,
    ...told,
  };
}

/**
 * Sends again what is open at this agent, oldest first, without settling or taking anything. `next` leads to what is behind
 * the page, whatever is settled or prolonged meanwhile.
 */
export async function readOpen(
  context: MailContext,
  caller: Caller,
  place: MailboxName,
  input: ReadInbox,
  options: ReadOptions,
): Promise<Inbox> {
  const limit = input.limit ?? 10;
  const filter = filterOf(input);
  const behind = input.after === undefined ? undefined : readPlace(input.after);
  const { entries, counts } = await lookAtMailbox(
    context,
    caller,
    place,
    "open",
    filter.topic === undefined ? limit + 1 : 0,
    filter,
    true,
    behind,
  );
  const follows = place === ownMailbox(caller) && (await context.deps.feed.follows(caller));
  const topical = follows ? await context.deps.feed.open(caller, limit + 1, filter, behind) : [];
  const feed = follows
    ? await context.deps.feed.heads(caller, {
        seen: [],
        unseen: [],
        filter: { minPriority: 0 },
        limit: 0,
        looksOnly: true,
      })
    : undefined;
  const found = [...withMessages(entries).map(toDelivery), ...topical].sort(byPlace);
  const deliveries = fitting(found.slice(0, limit), options.maxChars);
  const last = deliveries.length < found.length ? deliveries.at(-1) : undefined;
  for (const delivery of deliveries)
    rememberDelivery(
      context,
      caller,
      delivery,
      delivery.message.to.startsWith("topic:") ? topicPlace : place,
    );
  return {
    messages: deliveries.map(shown),
    unread: counts.unread + (feed?.unread ?? 0),
    urgent: counts.urgent + (feed?.urgent ?? 0),
    open: counts.open + (feed?.open ?? 0),
    reminders: [],
    gaps: [],
    collapsed: [],
    timed_out: false,
    ...(last ? { next: writePlace(last) } : {}),
  };
}

function byPlace(a: Delivery, b: Delivery): number {
  return a.sequence - b.sequence || (a.message.id < b.message.id ? -1 : 1);
}

function writePlace({ sequence, message }: Delivery): string {
  return `open:${sequence}:${message.id}`;
}

/** Undefined for the name of a page, which a client without a session may pass with any read. */
function readPlace(after: string): OpenPlace | undefined {
  const [, sequence, id] = /^open:(\d{1,16}):([0-9a-z-]{1,60})$/.exec(after) ?? [];
  if (id !== undefined) return { sequence: Number(sequence), id };
  if (after.startsWith("open:"))
    refuse("input.invalid", { problem: "after is no place that a reply with redeliver: true named" });
  return undefined;
}
