import { formatAddress, parseAddress } from "../addresses/index.js";
import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { loadScript, type MailboxName, mailboxKeys } from "../redis/index.js";
import { choosePage } from "./choose-page.js";
import { claimMsOf } from "./claim-length.js";
import { type MailContext, ownMailbox } from "./context.js";
import type { DeliveredMessage, Inbox, ReadInbox } from "./contract.js";
import { type Entry, parseEntries, priorities, toDelivery } from "./delivery-record.js";
import type { Delivery, FeedFilter, Head, StoredMessage } from "./feed.js";
import { findDelivery, rememberVisit } from "./find-delivery.js";
import { newMessageId } from "./message-id.js";
import { noteCall } from "./note-call.js";
import { flushSoon } from "./outbox.js";
import { type Place, topicPlace } from "./run-memory.js";
import { markRead } from "./settle-deliveries.js";

const readScript = loadScript(import.meta.url, "read-inbox.lua");
const peekScript = loadScript(import.meta.url, "peek-inbox.lua");

export interface ReadOptions {
  readonly signal?: AbortSignal;
  /** Characters one reply may have; longer texts are cut and stay open until they were read to the end. */
  readonly maxChars: number;
  readonly onWaiting?: (secondsLeft: number) => void;
  /** The caller has no session that would tell whether a reply arrived: it names what it saw by `after`. */
  readonly sessionless?: boolean;
}

interface Counts {
  readonly unread: number;
  readonly urgent: number;
  readonly open: number;
  readonly dead: number;
  readonly nextDueAt: number;
  readonly outbox: number;
}

/** Room for the envelope beside each body, in characters. */
const envelopeChars = 400;
const waitingEveryMs = 10_000;

/**
 * Delivers what waits for the caller, most urgent and oldest first: its own mail merged with the topics it follows, or
 * one job of a queue. Settles what the run's previous pages delivered, if their replies arrived.
 *
 * What is returned is open at this run until it is settled; when the run is gone it comes again at the agent's next.
 * With `wait_seconds` it answers as soon as something is there; a timeout is a normal answer. An aborted wait takes
 * nothing.
 *
 * @throws {MailboxError} `address.invalid`, `mailbox.unknown_recipient`, `mailbox.not_yours`, `store.*`
 */
export async function readInbox(
  context: MailContext,
  caller: Caller,
  input: ReadInbox,
  options: ReadOptions,
): Promise<Inbox> {
  await noteCall(context, caller);
  if (input.message_id !== undefined)
    return readPart(context, caller, input.message_id, input.offset ?? 0, options);
  if (input.offset)
    refuse("input.invalid", { problem: "offset goes with the message_id of a message that was cut" });
  const place = await placeOf(context, caller, input.mailbox);
  if (input.redeliver) return readOpen(context, caller, place, input, options);
  if (input.peek) return peek(context, caller, place, input, options);
  return takeOrWait(context, caller, place, input, options);
}

async function takeOrWait(
  context: MailContext,
  caller: Caller,
  place: MailboxName,
  input: ReadInbox,
  options: ReadOptions,
): Promise<Inbox> {
  const waitMs = (input.wait_seconds ?? 0) * 1000;
  if (waitMs === 0) {
    const { nextDueAt: _, ...inbox } = await take(context, caller, place, input, options);
    return inbox;
  }
  const until = Date.now() + waitMs;
  const wake = new Wake(options.signal);
  const stops: (() => void)[] = [];
  let told = Date.now();
  try {
    // Listening begins before looking, so that what comes in between is not missed.
    stops.push(
      await context.deps.hints.listen(mailboxKeys(caller.principal.namespace, place).channel, () =>
        wake.now(),
      ),
    );
    if (place === ownMailbox(caller)) stops.push(await context.deps.feed.listen(caller, () => wake.now()));
    for (;;) {
      if (options.signal?.aborted) return nothing(true);
      wake.rest();
      const { nextDueAt, ...inbox } = await take(context, caller, place, input, options);
      const now = Date.now();
      if (inbox.messages.length > 0 || now >= until)
        return { ...inbox, timed_out: inbox.messages.length === 0 };
      const dueAt = nextDueAt > 0 ? now + Math.max(nextDueAt - context.deps.store.now(), 20) : until;
      told = await sleep(wake, Math.min(until, dueAt), until, told, options.onWaiting);
    }
  } finally {
    for (const stop of stops) stop();
    wake.end();
  }
}

/** Sleeps until woken or the time has come, telling every ten seconds how much is left. Answers when it told last. */
async function sleep(
  wake: Wake,
  soonest: number,
  until: number,
  toldBefore: number,
  tell: ((secondsLeft: number) => void) | undefined,
): Promise<number> {
  let told = toldBefore;
  while (!wake.awake && Date.now() < soonest) {
    if (tell && Date.now() - told >= waitingEveryMs) {
      told = Date.now();
      tell(Math.ceil((until - told) / 1000));
    }
    const next = tell ? Math.min(soonest, told + waitingEveryMs) : soonest;
    await wake.wait(Math.max(next - Date.now(), 1));
  }
  return told;
}

type Taken = Inbox & { readonly nextDueAt: number };

async function take(
  context: MailContext,
  caller: Caller,
  place: MailboxName,
  input: ReadInbox,
  options: ReadOptions,
): Promise<Taken> {
  const batch = newMessageId(context.deps.store.now());
  try {
    return await takePage(context, caller, place, batch, input, options);
  } catch (error) {
    // What was taken and never reached anybody comes again with the next read.
    context.memory(caller).confirm(batch, false);
    throw error;
  }
}

async function takePage(
  context: MailContext,
  caller: Caller,
  place: MailboxName,
  batch: string,
  input: ReadInbox,
  options: ReadOptions,
): Promise<Taken> {
  const memory = context.memory(caller);
  const queue = place.startsWith("queue:");
  const limit = input.limit ?? (queue ? 1 : 10);
  const budget = { bytes: options.maxChars - 1_000, cut: options.maxChars - 2_000 };
  const filter = filterOf(input);
  if (queue) await rememberVisit(context, caller, place);

  let fromTopics: readonly Delivery[] = [];
  let feed: Awaited<ReturnType<typeof context.deps.feed.heads>> | undefined;
  let mailboxIds = "";
  let mailboxLimit = filter.topic === undefined ? limit : 0;
  const asking = { budget, filter, after: input.after, sessionless: options.sessionless ?? false };
  const looking = queue ? undefined : context.deps.feed.follows(caller);
  looking?.catch(() => {}); // awaited below, whatever comes of the read before
  // Who followed nothing when it last read most likely still does not: then one way to the store and back is enough.
  // If it does by now, what came is a page of its own, and topics have their part in the next.
  const early =
    looking && memory.follows === false && mailboxLimit > 0
      ? await readMailbox(context, caller, place, batch, { ...asking, limit, ids: "" })
      : undefined;
  if (looking) memory.follows = await looking;
  const enough = early !== undefined && (early.deliveries.length > 0 || !memory.follows);
  if (looking && memory.follows && !enough) {
    const asked = memory.batches(topicPlace, input.after);
    feed = await context.deps.feed.heads(caller, { ...asked, filter, limit });
    memory.dropBatches(topicPlace, [...asked.seen, ...asked.unseen]);
    if (feed.heads.length > 0) {
      // What is given back now competes for this page too.
      if (memory.batches(place, input.after).unseen.length > 0)
        await readMailbox(context, caller, place, batch, {
          limit: 0,
          ids: "",
          budget,
          filter,
          after: input.after,
          sessionless: false,
        });
      const own = mailboxLimit > 0 ? await mailboxHeads(context, caller, place, filter, limit) : [];
      const chosen = choosePage([...own, ...feed.heads], limit, budget.bytes - limit * envelopeChars);
      const ids = chosen.filter((head) => head.root === "").map((head) => head.id);
      mailboxIds = ids.join(",");
      if (ids.length === 0) mailboxLimit = 0;
      const topical = chosen.filter((head) => head.root !== "");
      if (topical.length > 0) {
        if (options.signal?.aborted) return { ...nothing(true), nextDueAt: 0 };
        memory.delivered(batch, topicPlace);
        fromTopics = await context.deps.feed.take(caller, batch, topical, {
          cutBytes: budget.cut,
          ...(options.sessionless ? { claimMs: context.limits.claimMs } : {}),
        });
      }
    }
  }
  const page = enough
    ? early
    : await readMailbox(context, caller, place, batch, { ...asking, limit: mailboxLimit, ids: mailboxIds });
  const deliveries = [...page.deliveries, ...fromTopics];
  for (const delivery of page.deliveries) remember(context, caller, delivery, place);
  for (const delivery of fromTopics) remember(context, caller, delivery, topicPlace);
  const last = deliveries.reduce<Delivery | undefined>(
    (a, b) => (a && a.message.sentAt > b.message.sentAt ? a : b),
    undefined,
  );
  if (last) memory.cause = { id: last.message.id, origin: last.message.origin };
  const { counts } = page;
  if (place === ownMailbox(caller))
    memory.told = {
      unread: Math.max(counts.unread + (feed?.unread ?? 0) - fromTopics.length, 0),
      urgent: counts.urgent,
    };
  return {
    messages: deliveries.map(shown),
    ...(deliveries.length > 0 ? { batch } : {}),
    unread: counts.unread + Math.max((feed?.unread ?? 0) - fromTopics.length, 0),
    urgent: counts.urgent + (feed?.urgent ?? 0),
    open: counts.open + (feed?.open ?? 0) + fromTopics.length,
    // Each is told once, so those of a read that brought nothing else are told here.
    reminders: [...(early && !enough ? early.reminders : []), ...page.reminders],
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

async function readMailbox(
  context: MailContext,
  caller: Caller,
  place: MailboxName,
  batch: string,
  ask: {
    readonly limit: number;
    readonly ids: string;
    readonly budget: { readonly bytes: number; readonly cut: number };
    readonly filter: FeedFilter;
    readonly after: string | undefined;
    readonly sessionless: boolean;
  },
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
    memory.delivered(batch, place);
    const [, counted, flat, others, due, goOn] = await context.run(namespace, place, readScript, [
      caller.run.id,
      batch,
      ask.limit,
      Math.max(ask.budget.bytes - ask.limit * envelopeChars, 1_000),
      await claimMsOf(context, namespace, place),
      seen.join(","),
      unseen.join(","),
      ask.filter.sender ?? "",
      ask.filter.thread ?? "",
      ask.filter.minPriority,
      ask.ids,
      from,
      ask.budget.cut,
      ask.sessionless ? "1" : "0",
    ]);
    memory.dropBatches(place, [...seen, ...unseen]);
    const deliveries = withMessages(parseEntries(flat)).map(toDelivery);
    const counts = parseCounts(counted as readonly string[]);
    if (counts.outbox > 0) void flushSoon(context, namespace, place);
    if (deliveries.length === 0) memory.dropBatches(place, [batch]);
    // Another run has mail open here: if it is gone, its mail is ours to take, now.
    const gone =
      (others as readonly string[]).length > 0 && (await deps.runs.releaseGone(others as readonly string[]));
    const more = deliveries.length === 0 && ask.limit > 0 && ask.ids === "";
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

async function mailboxHeads(
  context: MailContext,
  caller: Caller,
  place: MailboxName,
  filter: FeedFilter,
  limit: number,
): Promise<Head[]> {
  const { entries } = await look(context, caller, place, "ready", limit, filter, false);
  return entries.map(({ id, record }) => ({
    root: "",
    id,
    sequence: record.sequence,
    priority: record.priority,
    bytes: record.bytes,
  }));
}

async function look(
  context: MailContext,
  caller: Caller,
  place: MailboxName,
  which: "ready" | "open",
  limit: number,
  filter: FeedFilter,
  withBodies: boolean,
): Promise<{ readonly entries: Entry[]; readonly counts: Counts }> {
  const [, counted, flat] = await context.run(caller.principal.namespace, place, peekScript, [
    which,
    limit,
    filter.sender ?? "",
    filter.thread ?? "",
    filter.minPriority,
    which === "open" ? caller.principal.agent : "",
    withBodies ? "1" : "0",
  ]);
  return { entries: parseEntries(flat), counts: parseCounts(counted as readonly string[]) };
}

/** Shows what waits without taking it: the bodies begin, but nothing is delivered or settled. */
async function peek(
  context: MailContext,
  caller: Caller,
  place: MailboxName,
  input: ReadInbox,
  options: ReadOptions,
): Promise<Inbox> {
  const limit = input.limit ?? 10;
  const filter = filterOf(input);
  const { entries, counts } = await look(
    context,
    caller,
    place,
    "ready",
    filter.topic ? 0 : limit,
    filter,
    true,
  );
  const follows = place === ownMailbox(caller) && (await context.deps.feed.follows(caller));
  const feed = follows
    ? await context.deps.feed.heads(caller, { seen: [], unseen: [], filter, limit })
    : undefined;
  const topical: Delivery[] = [];
  for (const head of (feed?.heads ?? []).slice(0, limit)) {
    const delivery = await context.deps.feed.find(caller, head.id);
    if (delivery) topical.push(delivery);
  }
  const deliveries = [...withMessages(entries).map(toDelivery), ...topical].slice(0, limit);
  return {
    messages: fitting(deliveries, options.maxChars).map(shown),
    unread: counts.unread + (feed?.unread ?? 0),
    urgent: counts.urgent + (feed?.urgent ?? 0),
    open: counts.open + (feed?.open ?? 0),
    reminders: [],
    gaps: [],
    collapsed: [],
    timed_out: false,
  };
}

/** Sends again what is open at this agent, without settling or taking anything. */
async function readOpen(
  context: MailContext,
  caller: Caller,
  place: MailboxName,
  input: ReadInbox,
  options: ReadOptions,
): Promise<Inbox> {
  const limit = input.limit ?? 10;
  const { entries, counts } = await look(context, caller, place, "open", limit, filterOf(input), true);
  const topical = place === ownMailbox(caller) ? await context.deps.feed.open(caller, limit) : [];
  const deliveries = fitting(
    [...withMessages(entries).map(toDelivery), ...topical].slice(0, limit),
    options.maxChars,
  );
  for (const delivery of deliveries)
    remember(context, caller, delivery, delivery.message.to.startsWith("topic:") ? topicPlace : place);
  return {
    messages: deliveries.map(shown),
    unread: counts.unread,
    urgent: counts.urgent,
    open: counts.open + topical.length,
    reminders: [],
    gaps: [],
    collapsed: [],
    timed_out: false,
  };
}

async function readPart(
  context: MailContext,
  caller: Caller,
  id: string,
  offset: number,
  options: ReadOptions,
): Promise<Inbox> {
  const found = await findDelivery(context, caller, id);
  if (!found) refuse("mailbox.not_yours", { message_id: "with that id" });
  const { delivery, place } = found;
  const whole = delivery.message.body;
  // Behind the text comes the data, which is returned whole each time: the face shows it from there on.
  const end = whole.length + (delivery.message.data ? JSON.stringify(delivery.message.data).length : 0);
  if (offset > end) refuse("input.invalid", { problem: `offset is past the end (${end} characters)` });
  const part = whole.slice(offset, offset + options.maxChars - 2_000);
  const next = offset + part.length;
  const batch = next >= whole.length && delivery.cut ? await markRead(context, caller, id, place) : undefined;
  const message = shown({ ...delivery, message: { ...delivery.message, body: part } });
  return {
    ...nothing(false),
    messages: [message],
    ...(batch ? { batch } : {}),
    part: { offset, total: whole.length, ...(next < whole.length ? { next_offset: next } : {}) },
  };
}

/** Unread and urgent mail if something may have come since this was last asked; undefined while nothing has. */
export async function newsOf(
  context: MailContext,
  caller: Caller,
): Promise<{ readonly unread: number; readonly urgent: number } | undefined> {
  const memory = context.memory(caller);
  const own = ownMailbox(caller);
  if (!memory.stopListening) {
    const stale = (): void => {
      memory.stale = true;
    };
    // Set before the first await, so that two calls at once listen once.
    memory.stopListening = () => {};
    const stopMail = await context.deps.hints.listen(
      mailboxKeys(caller.principal.namespace, own).channel,
      stale,
    );
    const stopTopics = await context.deps.feed.listen(caller, stale);
    memory.stopListening = () => {
      stopMail();
      stopTopics();
    };
  }
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
  const { counts } = await look(context, caller, ownMailbox(caller), "ready", 0, { minPriority: 0 }, false);
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

/** Messages ready in a mailbox or queue. */
export async function countReady(
  context: MailContext,
  namespace: string,
  mailbox: MailboxName,
): Promise<Counts> {
  const [, counted] = await context.run(namespace, mailbox, peekScript, ["ready", 0, "", "", 0, "", "0"]);
  return parseCounts(counted as readonly string[]);
}

async function placeOf(
  context: MailContext,
  caller: Caller,
  given: string | undefined,
): Promise<MailboxName> {
  if (given === undefined) return ownMailbox(caller);
  const address = parseAddress(given);
  if (address.kind === "agent" && address.name === caller.principal.agent) return ownMailbox(caller);
  if (address.kind !== "queue")
    refuse("input.invalid", {
      problem:
        "mailbox is your own (leave it out) or a queue such as queue:reviewers; for a topic pass topic",
    });
  // A worker may be there before its first job.
  await context.deps.directory.reach(caller, "queue", address.name, false);
  return formatAddress(address);
}

function filterOf(input: ReadInbox): FeedFilter {
  const sender = input.sender === undefined ? undefined : parseAddress(input.sender);
  if (sender && sender.kind !== "agent")
    refuse("input.invalid", { problem: "sender is the name of an agent" });
  return {
    ...(sender ? { sender: sender.name } : {}),
    ...(input.topic === undefined ? {} : { topic: input.topic }),
    ...(input.thread === undefined ? {} : { thread: input.thread }),
    minPriority: input.min_priority ? priorities.indexOf(input.min_priority) : 0,
  };
}

function remember(context: MailContext, caller: Caller, delivery: Delivery, place: Place): void {
  const { message } = delivery;
  context.memory(caller).know(message.id, {
    place,
    thread: message.thread,
    origin: message.origin,
    ...(delivery.claimedUntil === undefined ? {} : { claimedUntil: delivery.claimedUntil }),
  });
}

/** A delivery as its reader gets it. */
export function shown(delivery: Delivery): DeliveredMessage {
  const { message } = delivery;
  return {
    id: message.id,
    from: message.from,
    verified: message.verified,
    to: message.to,
    sent_at: new Date(message.sentAt).toISOString(),
    priority: message.priority,
    thread: message.thread,
    ...(message.subject ? { subject: message.subject } : {}),
    content_type: message.contentType,
    body: message.body,
    ...(message.data ? { data: message.data } : {}),
    ...(message.inReplyTo ? { in_reply_to: message.inReplyTo } : {}),
    ...(message.attachments ? { attachments: message.attachments } : {}),
    ack_required: delivery.ackRequired,
    ...(delivery.cut ? { cut: true } : {}),
    delivery_count: delivery.count,
    ...(delivery.claimedUntil ? { claimed_until: new Date(delivery.claimedUntil).toISOString() } : {}),
    expires_at: new Date(delivery.expiresAt).toISOString(),
  };
}

function fitting(deliveries: readonly Delivery[], maxChars: number): Delivery[] {
  let left = maxChars - 1_000;
  return deliveries.filter((delivery, n) => {
    left -= Math.min(delivery.message.body.length, maxChars) + envelopeChars;
    return n === 0 || left > 0;
  });
}

function withMessages(entries: readonly Entry[]): (Entry & { readonly message: StoredMessage })[] {
  return entries.filter((entry): entry is Entry & { message: StoredMessage } => entry.message !== undefined);
}

function parseCounts(words: readonly string[]): Counts {
  const [unread, urgent, open, dead, nextDueAt, outbox] = words.map(Number);
  return {
    unread: unread!,
    urgent: urgent!,
    open: open!,
    dead: dead!,
    nextDueAt: nextDueAt!,
    outbox: outbox!,
  };
}

function nothing(timedOut: boolean): Inbox {
  return {
    messages: [],
    unread: 0,
    urgent: 0,
    open: 0,
    reminders: [],
    gaps: [],
    collapsed: [],
    timed_out: timedOut,
  };
}

/** Something to sleep on: woken by a hint or an abort; a wake-up while awake is not forgotten. */
class Wake {
  awake = false;
  #resolve: (() => void) | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.now();

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort);
  }

  now(): void {
    this.awake = true;
    this.#resolve?.();
  }

  rest(): void {
    this.awake = false;
  }

  async wait(ms: number): Promise<void> {
    if (this.awake) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#resolve = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#resolve = undefined;
  }

  end(): void {
    this.#signal?.removeEventListener("abort", this.#onAbort);
  }
}
