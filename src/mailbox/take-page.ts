import type { Caller, PendingRow } from "../identity/index.js";
import type { MailboxName } from "../redis/index.js";
import { choosePage } from "./choose-page.js";
import { type MailContext, ownMailbox } from "./context.js";
import type { Inbox, ReadInbox } from "./contract.js";
import type { Delivery, StoredMessage, TopicFeed } from "./feed.js";
import { rememberVisit } from "./find-delivery.js";
import { headsOfTopics } from "./heads-of-topics.js";
import { filterOf } from "./inbox-filter.js";
import { listenForNews } from "./inbox-news.js";
import { mailboxHeads } from "./look-at-mailbox.js";
import { newMessageId } from "./message-id.js";
import { type PageAsk, readMailbox } from "./read-mailbox.js";
import type { ReadOptions } from "./read-options.js";
import { rememberDelivery } from "./remember-delivery.js";
import { topicPlace } from "./run-memory.js";
import { emptyInbox, envelopeChars, gapsOf, shown } from "./show-delivery.js";

/** A page, and when time alone will make something ready, by the store's clock (0: nothing). */
export interface Taken {
  /** What it tells once is kept in the memory of the run, for the answer. */
  readonly inbox: Inbox;
  readonly nextDueAt: number;
}

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
    ids: [],
    budget: { bytes: options.maxChars - 1_000, cut: options.maxChars - 2_000 },
    filter,
    after: input.after,
    sessionless: options.sessionless ?? false,
    row,
  };
  if (queue) await rememberVisit(context, caller, place);

  const own = filter.topic === undefined ? limit : 0;
  const follows = !queue && (memory.follows ?? (await followsAnything(context, caller)));
  const topics = follows ? await takeFromTopics(context, caller, place, ask, own) : undefined;
  if (topics && options.signal?.aborted) {
    memory.confirm(batch, false);
    return { inbox: emptyInbox(true), nextDueAt: 0 };
  }
  const fromTopics = topics?.deliveries ?? [];
  const page = await readMailbox(context, caller, place, {
    ...ask,
    limit: topics?.own.limit ?? own,
    ids: topics?.own.ids ?? [],
  });

  for (const delivery of page.deliveries) rememberDelivery(context, caller, delivery, place);
  for (const delivery of fromTopics) rememberDelivery(context, caller, delivery, topicPlace);
  const deliveries = fromTopics.length > 0 ? [...page.deliveries, ...fromTopics] : page.deliveries;
  let last: StoredMessage | undefined;
  for (const { message } of deliveries) if (!last || message.sentAt >= last.sentAt) last = message;
  if (last) memory.cause = { id: last.id, origin: last.origin };
  const { counts } = page;
  const { feed } = topics ?? {};
  const unread =
    counts.unread + Math.max((feed?.unread ?? 0) - fromTopics.length - (topics?.leftOut ?? 0), 0);
  const urgentHere = fromTopics.filter(({ message }) => message.priority === "urgent").length;
  const urgent = counts.urgent + Math.max((feed?.urgent ?? 0) - urgentHere, 0);
  if (place === ownMailbox(caller)) memory.told = { unread, urgent };
  const inbox: { -readonly [Name in keyof Inbox]: Inbox[Name] } = {
    messages: deliveries.map(shown),
    unread,
    urgent,
    open: counts.open + (feed?.open ?? 0) + fromTopics.length,
    reminders: [],
    gaps: [],
    collapsed: [],
    timed_out: false,
  };
  if (deliveries.length > 0) inbox.batch = batch;
  return { inbox, nextDueAt: counts.nextDueAt };
}

/** Remembered from then on, until this run hears of a change. */
async function followsAnything(context: MailContext, caller: Caller): Promise<boolean> {
  const memory = context.memory(caller);
  await listenForNews(context, caller);
  const { heard } = memory;
  const follows = await context.deps.feed.follows(caller);
  // What was heard while looking may be newer than what was seen.
  if (memory.heard === heard) memory.follows = follows;
  return follows;
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
  /** Of the unread ones that were looked at: those of busy topics that were passed over. */
  readonly leftOut: number;
  readonly own: { readonly limit: number; readonly ids: readonly string[] };
}> {
  const memory = context.memory(caller);
  const { filter, limit, budget, batch } = ask;
  const feed = await headsOfTopics(context, caller, ask.after, { filter, limit });
  memory.keepUntold({ gaps: gapsOf(feed.gaps) });
  if (feed.heads.length === 0) return { feed, deliveries: [], leftOut: 0, own: { limit: own, ids: [] } };
  // What is given back now competes for this page too.
  if (memory.batches(place, ask.after).unseen.length > 0)
    await readMailbox(context, caller, place, { ...ask, limit: 0, sessionless: false });
  const heads = own > 0 ? await mailboxHeads(context, caller, place, filter, limit) : [];
  const chosen = choosePage([...heads, ...feed.heads], limit, budget.bytes - limit * envelopeChars);
  const ids = chosen.filter((head) => head.root === "").map((head) => head.id);
  const topical = chosen.filter((head) => head.root !== "");
  if (topical.length === 0) return { feed, deliveries: [], leftOut: 0, own: { limit: own, ids } };
  memory.delivered(batch, topicPlace);
  const { deliveries, collapsed } = await context.deps.feed.take(caller, batch, topical, {
    cutBytes: budget.cut,
    ...(ask.sessionless ? { claimMs: context.limits.claimMs } : {}),
  });
  memory.keepUntold({ collapsed: collapsed.map(({ topic, count }) => ({ topic, count })) });
  const leftOut = collapsed.reduce((sum, one) => sum + one.unread, 0);
  return { feed, deliveries, leftOut, own: { limit: ids.length > 0 ? own : 0, ids } };
}
