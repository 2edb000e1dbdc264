import type { Caller, PendingRow } from "../identity/index.js";
import { loadScript, type MailboxName } from "../redis/index.js";
import { choosePage } from "./choose-page.js";
import { claimMsOf } from "./claim-length.js";
import { type MailContext, ownMailbox } from "./context.js";
import type { Inbox, ReadInbox } from "./contract.js";
import { parseEntries, toDelivery, withMessages } from "./delivery-record.js";
import type { Delivery, FeedFilter, TopicFeed } from "./feed.js";
import { rememberVisit } from "./find-delivery.js";
import { filterOf } from "./inbox-filter.js";
import { listenForNews } from "./inbox-news.js";
import { type Counts, mailboxHeads, parseCounts } from "./look-at-mailbox.js";
import { newMessageId } from "./message-id.js";
import { flushSoon } from "./outbox.js";
import type { ReadOptions } from "./read-options.js";
import { rememberDelivery } from "./remember-delivery.js";
import { topicPlace } from "./run-memory.js";
import { emptyInbox, envelopeChars, shown } from "./show-delivery.js";

const readScript = loadScript(import.meta.url, "read-inbox.lua");

/** A page, and when time alone will make something ready, by the store's clock (0: nothing). */
export type Taken = Inbox & { readonly nextDueAt: number };

/**
 * Takes the next page for the run. When it fails half way, what was taken comes again with the next read.
 *
 * @param row recorded with the first look into the mailbox, once for a read however long it waits
 */
export async function takePage(
  context: MailContext,
  caller: Caller,
  place: MailboxName,
  input: ReadInbox,
  options: ReadOptions,
  row: PendingRow,
): Promise<Taken> {
  const batch = newMessageId(context.deps.store.now());
  try {
    return await takeBatch(context, caller, place, batch, input, options, row);
  } catch (error) {
    // What was taken and never reached anybody comes again with the next read.
    context.memory(caller).confirm(batch, false);
    throw error;
  }
}

async function takeBatch(
  context: MailContext,
  caller: Caller,
  place: MailboxName,
  batch: string,
  input: ReadInbox,
  options: ReadOptions,
  row: PendingRow,
): Promise<Taken> {
  const memory = context.memory(caller);
  const queue = place.startsWith("queue:");
  const limit = input.limit ?? (queue ? 1 : 10);
  const filter = filterOf(input);
  const ask: PageAsk = {
    batch,
    limit,
    budget: { bytes: options.maxChars - 1_000, cut: options.maxChars - 2_000 },
    filter,
    after: input.after,
    sessionless: options.sessionless ?? false,
    row,
  };
  if (queue) await rememberVisit(context, caller, place);

  const own = filter.topic === undefined ? limit : 0;
  const follows = !queue && (await followsAnything(context, caller));
  const topics = follows ? await takeFromTopics(context, caller, place, ask, own) : undefined;
  if (topics && options.signal?.aborted) {
    memory.confirm(batch, false);
    return { ...emptyInbox(true), nextDueAt: 0 };
  }
  const fromTopics = topics?.deliveries ?? [];
  const page = await readMailbox(context, caller, place, {
    ...ask,
    limit: topics?.own.limit ?? own,
    ids: topics?.own.ids ?? [],
  });

  for (const delivery of page.deliveries) rememberDelivery(context, caller, delivery, place);
  for (const delivery of fromTopics) rememberDelivery(context, caller, delivery, topicPlace);
  const deliveries = [...page.deliveries, ...fromTopics];
  const last = deliveries.toSorted((a, b) => a.message.sentAt - b.message.sentAt).at(-1);
  if (last) memory.cause = { id: last.message.id, origin: last.message.origin };
  const { counts } = page;
  const { feed } = topics ?? {};
  const unread = counts.unread + Math.max((feed?.unread ?? 0) - fromTopics.length, 0);
  if (place === ownMailbox(caller)) memory.told = { unread, urgent: counts.urgent };
  return {
    messages: deliveries.map(shown),
    ...(deliveries.length > 0 ? { batch } : {}),
    unread,
    urgent: counts.urgent + (feed?.urgent ?? 0),
    open: counts.open + (feed?.open ?? 0) + fromTopics.length,
    reminders: page.reminders,
    gaps: (feed?.gaps ?? []).map(({ topic, missed, until }) => ({
      topic,
      missed,
      until: new Date(until).toISOString(),
    })),
    collapsed: fromTopics.length > 0 ? (feed?.collapsed ?? []) : [],
    timed_out: false,
    nextDueAt: counts.nextDueAt,
  };
}

/** Looked up once and then remembered until this run hears of a change. */
async function followsAnything(context: MailContext, caller: Caller): Promise<boolean> {
  const memory = context.memory(caller);
  await listenForNews(context, caller);
  if (memory.follows !== undefined) return memory.follows;
  const { heard } = memory;
  const follows = await context.deps.feed.follows(caller);
  // What was heard while looking may be newer than what was seen.
  if (memory.heard === heard) memory.follows = follows;
  return follows;
}

/** What a page is to hold, whatever it is taken from. */
interface PageAsk {
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

/** Takes what topics have of a page, and says what is left of it for the agent's own mailbox. */
async function takeFromTopics(
  context: MailContext,
  caller: Caller,
  place: MailboxName,
  ask: PageAsk,
  own: number,
): Promise<{
  readonly feed: Awaited<ReturnType<TopicFeed["heads"]>>;
  readonly deliveries: readonly Delivery[];
  readonly own: { readonly limit: number; readonly ids: readonly string[] };
}> {
  const memory = context.memory(caller);
  const { filter, limit, budget, batch } = ask;
  const batches = memory.batches(topicPlace, ask.after);
  const feed = await context.deps.feed.heads(caller, { ...batches, filter, limit });
  memory.dropBatches(topicPlace, [...batches.seen, ...batches.unseen]);
  if (feed.heads.length === 0) return { feed, deliveries: [], own: { limit: own, ids: [] } };
  // What is given back now competes for this page too.
  if (memory.batches(place, ask.after).unseen.length > 0)
    await readMailbox(context, caller, place, { ...ask, limit: 0, sessionless: false });
  const heads = own > 0 ? await mailboxHeads(context, caller, place, filter, limit) : [];
  const chosen = choosePage([...heads, ...feed.heads], limit, budget.bytes - limit * envelopeChars);
  const ids = chosen.filter((head) => head.root === "").map((head) => head.id);
  const topical = chosen.filter((head) => head.root !== "");
  if (topical.length === 0) return { feed, deliveries: [], own: { limit: own, ids } };
  memory.delivered(batch, topicPlace);
  const deliveries = await context.deps.feed.take(caller, batch, topical, {
    cutBytes: budget.cut,
    ...(ask.sessionless ? { claimMs: context.limits.claimMs } : {}),
  });
  return { feed, deliveries, own: { limit: ids.length > 0 ? own : 0, ids } };
}

async function readMailbox(
  context: MailContext,
  caller: Caller,
  place: MailboxName,
  ask: PageAsk,
): Promise<{
  readonly deliveries: readonly Delivery[];
  readonly counts: Counts;
  readonly reminders: Inbox["reminders"];
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
    // Another run has mail open here: if it is gone, its mail is ours to take, now.
    const gone =
      (others as readonly string[]).length > 0 && (await deps.runs.releaseGone(others as readonly string[]));
    const more = deliveries.length === 0 && ask.limit > 0 && (ask.ids ?? []).length === 0;
    if (more && gone) continue;
    if (more && goOn) {
      from = String(goOn);
      continue;
    }
    const reminders = withMessages(parseEntries(due)).map(({ id, message }) => ({
      id,
      from: message.from,
      since: new Date(message.sentAt).toISOString(),
    }));
    return { deliveries, counts, reminders };
  }
}
