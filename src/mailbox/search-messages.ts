import { formatAddress, parseAddress, parseTopic } from "../addresses/index.js";
import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { loadScript, mailboxKeys } from "../redis/index.js";
import { type MailContext, ownMailbox } from "./context.js";
import type { FoundMessage, SearchMessages, SearchResult } from "./contract.js";
import {
  type DeliveryRecord,
  deliveryState,
  type Entry,
  parseEntries,
  toDelivery,
} from "./delivery-record.js";
import type { Delivery, StoredMessage } from "./feed.js";
import { findDelivery, lookUp } from "./find-delivery.js";
import { isMessageId } from "./message-id.js";
import { noteCall } from "./note-call.js";
import { type Addressee, parseAddressees } from "./note-send.js";
import { waitingEntry } from "./outbox.js";
import { priorities } from "./priorities.js";
import { envelope } from "./show-delivery.js";

const listMessages = loadScript(import.meta.url, "list-messages.lua");

const scannedAtOnce = 100;
const mostScanned = 5_000;
const excerptChars = 300;

interface Asked {
  readonly words: readonly string[];
  readonly sender: string | undefined;
  readonly recipient: string | undefined;
  readonly thread: string | undefined;
  readonly since: number | undefined;
  readonly until: number | undefined;
}

/**
 * Finds messages the caller may see, newest first: its own mail whatever its state, the history of a topic, or what it
 * sent (with each recipient's state). Looking delivers and settles nothing.
 *
 * Every filter is applied before the page is cut, and a cursor continues exactly behind the last message returned, so
 * paging returns each match once. A page may be short, even empty, while there is a cursor: go on with it.
 */
export async function searchMessages(
  context: MailContext,
  caller: Caller,
  input: SearchMessages,
): Promise<SearchResult> {
  await noteCall(context, caller);
  const topic = input.topic === undefined || input.sent ? undefined : parseTopic(input.topic);
  const admission =
    topic === undefined
      ? await context.deps.admit(caller, "mailbox.read", ownMailbox(caller))
      : await context.deps.admit(caller, "topic.read", `topic:${topic}`);
  const limit = input.limit ?? 20;
  const asked: Asked = {
    words: (input.query ?? "").toLowerCase().split(/\s+/).filter(Boolean),
    sender: input.sender === undefined ? undefined : formatAddress(parseAddress(input.sender)),
    recipient: input.recipient === undefined ? undefined : formatAddress(parseAddress(input.recipient)),
    thread: input.thread,
    since: instant("since", input.since),
    until: instant("until", input.until),
  };
  const search = (): Promise<SearchResult> => {
    if (input.sent) return searchSent(context, caller, asked, input.cursor, limit);
    if (topic !== undefined) return searchTopic(context, caller, topic, asked, input.cursor, limit);
    return searchOwn(context, caller, asked, input.cursor, limit);
  };
  const found = await search();
  await context.deps.record(caller, admission);
  if (!input.sent) await context.deps.noteReads(caller, found.messages);
  return found;
}

/** One message with everything the caller may know of it: as its reader, or as its sender with each recipient's state. */
export async function messageById(
  context: MailContext,
  caller: Caller,
  id: string,
): Promise<{ readonly delivery: Delivery; readonly states: FoundMessage["states"] }> {
  const admission = await context.deps.admit(caller, "mailbox.read", ownMailbox(caller));
  const seen = await seenMessage(context, caller, id);
  await context.deps.record(caller, admission);
  return seen;
}

async function seenMessage(
  context: MailContext,
  caller: Caller,
  id: string,
): Promise<{ readonly delivery: Delivery; readonly states: FoundMessage["states"] }> {
  const found = await findDelivery(context, caller, id);
  if (found) {
    await context.deps.noteReads(caller, [found.delivery.message]);
    return {
      delivery: found.delivery,
      states: [{ to: found.delivery.message.to, state: found.delivery.state }],
    };
  }
  const sent = await findSent(context, caller, id);
  if (!sent) refuse("mailbox.not_yours", { message_id: "with that id" });
  return sent;
}

/**
 * A message that the caller sent itself, with each recipient's state; undefined where it sent none of that id, or nobody keeps it.
 *
 * @throws {MailboxError} `mailbox.text_gone`
 */
export async function findSent(
  context: MailContext,
  caller: Caller,
  id: string,
): Promise<{ readonly delivery: Delivery; readonly states: FoundMessage["states"] } | undefined> {
  if (!isMessageId(id)) return undefined;
  const own = mailboxKeys(caller.principal.namespace, ownMailbox(caller));
  const to = (await context.deps.store.command("HGET", own.sentTo, id)) as string | null;
  const sent = to === null ? undefined : await sentMessage(context, caller, id, parseAddressees(to));
  if (!sent?.message) return undefined;
  if (sent.isPurged) refuse("mailbox.text_gone", { message_id: id });
  return {
    delivery: {
      message: sent.message,
      state: "stored",
      sequence: 0,
      count: 0,
      ackRequired: false,
      job: false,
      expiresAt: sent.message.sentAt,
      cut: false,
    },
    states: sent.states,
  };
}

async function searchOwn(
  context: MailContext,
  caller: Caller,
  asked: Asked,
  cursor: string | undefined,
  limit: number,
): Promise<SearchResult> {
  const found: FoundMessage[] = [];
  let before = cursor === undefined ? startOf(asked.until) : readCursor("own", cursor);
  const since = asked.since === undefined ? "" : String(asked.since * 1000);
  for (let scanned = 0; scanned < mostScanned; scanned += scannedAtOnce) {
    const [, list] = await context.run(caller.principal.namespace, ownMailbox(caller), listMessages, [
      "all",
      before,
      since,
      scannedAtOnce,
    ]);
    const entries = parseEntries(list);
    for (const entry of entries) {
      before = String(entry.record.sequence);
      if (!entry.message || entry.record.state === "recalled" || !matches(entry.message, asked)) continue;
      found.push(summary(entry.message, [{ to: entry.message.to, state: deliveryState(entry.record) }]));
      if (found.length === limit) return { messages: found, cursor: writeCursor("own", before) };
    }
    if (entries.length < scannedAtOnce) return { messages: found };
  }
  return { messages: found, cursor: writeCursor("own", before) };
}

async function searchTopic(
  context: MailContext,
  caller: Caller,
  topic: string,
  asked: Asked,
  cursor: string | undefined,
  limit: number,
): Promise<SearchResult> {
  const found: FoundMessage[] = [];
  let before = cursor === undefined ? undefined : readCursor("topic", cursor);
  for (let scanned = 0; scanned < mostScanned; scanned += scannedAtOnce) {
    const page = await context.deps.feed.search(caller, {
      topic,
      ...(before === undefined ? {} : { before }),
      ...(asked.since === undefined ? {} : { since: asked.since }),
      ...(asked.until === undefined ? {} : { until: asked.until }),
      limit: scannedAtOnce,
    });
    for (const { message, sequence } of page.deliveries) {
      before = String(sequence);
      if (!matches(message, asked)) continue;
      found.push(summary(message, []));
      if (found.length === limit) return { messages: found, cursor: writeCursor("topic", before) };
    }
    if (page.before === undefined) return { messages: found };
    before = page.before;
  }
  return { messages: found, cursor: writeCursor("topic", before ?? "") };
}

async function searchSent(
  context: MailContext,
  caller: Caller,
  asked: Asked,
  cursor: string | undefined,
  limit: number,
): Promise<SearchResult> {
  const { store } = context.deps;
  const own = mailboxKeys(caller.principal.namespace, ownMailbox(caller));
  const found: FoundMessage[] = [];
  let before = cursor === undefined ? startOf(asked.until) : readCursor("sent", cursor);
  const since = asked.since === undefined ? "-inf" : String(asked.since * 1000);
  for (let scanned = 0; scanned < mostScanned; scanned += scannedAtOnce) {
    const top = before === "" ? "+inf" : `(${before}`;
    const flat = (await store.command(
      "ZREVRANGEBYSCORE",
      own.sent,
      top,
      since,
      "WITHSCORES",
      "LIMIT",
      0,
      scannedAtOnce,
    )) as string[];
    if (flat.length === 0) return { messages: found };
    const ids = flat.filter((_, n) => n % 2 === 0);
    const recipients = (await store.command("HMGET", own.sentTo, ...ids)) as (string | null)[];
    for (const [n, id] of ids.entries()) {
      before = flat[2 * n + 1]!;
      const to = parseAddressees(recipients[n] ?? "");
      if (asked.recipient !== undefined && !to.some((one) => one.to === asked.recipient)) continue;
      const { message, states } = await sentMessage(context, caller, id, to);
      if (!message || !matches(message, { ...asked, recipient: undefined })) continue;
      found.push(summary(message, states));
      if (found.length === limit) return { messages: found, cursor: writeCursor("sent", before) };
    }
    if (ids.length < scannedAtOnce) return { messages: found };
  }
  return { messages: found, cursor: writeCursor("sent", before) };
}

/** A message the caller sent, read where its recipients keep it; of one that was purged everywhere its envelope. */
async function sentMessage(
  context: MailContext,
  caller: Caller,
  id: string,
  recipients: readonly Addressee[],
): Promise<{
  readonly message?: StoredMessage;
  readonly isPurged?: true;
  readonly states: FoundMessage["states"];
}> {
  const { namespace, agent, verified } = caller.principal;
  const now = context.deps.store.now();
  let message: StoredMessage | undefined;
  let purged: DeliveryRecord | undefined;
  /** Asked for before the recipients are: who is not there, and was not due then, has been given it and has it no more. */
  const { waiting, entry: held } = await waitingEntry(context, namespace, agent, id);
  const states = await Promise.all(
    recipients.slice(0, 50).map(async ({ to, mark }) => {
      if (mark === "refused") return { to, state: mark };
      if (to.startsWith("topic:")) {
        if (mark) return { to, state: mark };
        if (waiting.has(to)) return { to, state: "pending" as const };
        const delivery = await context.deps.feed.find(caller, id);
        message ??= delivery?.message;
        return { to, state: "stored" as const };
      }
      const [entry] = await lookUp(context, namespace, to, [id]);
      // What was stored is kept longer than the note of it, but for dead letters: they are purged, or trimmed.
      if (entry?.record.state === "purged" && entry.record.sender === agent) purged = entry.record;
      else if (!entry || entry.message?.from !== agent)
        return { to, state: mark ?? (waiting.has(to) ? ("pending" as const) : ("dead" as const)) };
      message ??= entry.message;
      const state = deliveryState(entry.record);
      return { to, state, ...(isOverdue(context, entry, now) ? { overdue: true } : {}) };
    }),
  );
  message ??= held?.posting.message;
  if (!message && recipients.some(({ mark }) => mark === "recalled")) {
    // Where nobody had it, its sender keeps it.
    const [own] = await lookUp(context, namespace, agent, [id]);
    message = own?.message;
  }
  if (message) return { message, states };
  if (!purged) return { states };
  const to = recipients.map((one) => one.to).join(",");
  return { message: { ...envelopeOf(id, purged), verified, to }, isPurged: true, states };
}

/** What is still known of a message whose text was purged. */
function envelopeOf(
  id: string,
  { sender, sequence, priority, thread }: DeliveryRecord,
): Omit<StoredMessage, "verified" | "to"> {
  return {
    ...{ id, thread, from: sender, sentAt: Math.floor(sequence / 1000), priority: priorities[priority]! },
    ...{ origin: thread, contentType: "text/plain", body: "" },
  };
}

/** Whether an acknowledgement was asked for and is late. */
export function isOverdue(context: MailContext, entry: Entry, now: number): boolean {
  const waits = ["ready", "delayed", "open"].includes(entry.record.state);
  return waits && entry.record.flags.includes("a") && now - entry.message!.sentAt > context.limits.overdueMs;
}

function matches(message: StoredMessage, asked: Asked): boolean {
  if (asked.sender !== undefined && message.from !== asked.sender) return false;
  if (asked.recipient !== undefined && !message.to.split(",").includes(asked.recipient)) return false;
  if (asked.thread !== undefined && message.thread !== asked.thread) return false;
  if (asked.since !== undefined && message.sentAt < asked.since) return false;
  if (asked.until !== undefined && message.sentAt > asked.until) return false;
  const text = `${message.subject ?? ""}\n${message.body}`.toLowerCase();
  return asked.words.every((word) => text.includes(word));
}

export function summary(message: StoredMessage, states: FoundMessage["states"]): FoundMessage {
  return {
    ...envelope(message),
    excerpt: message.body.slice(0, excerptChars),
    states,
  };
}

/** Everything of one thread in the caller's mailbox, oldest first. */
export async function thread(context: MailContext, caller: Caller, id: string): Promise<readonly Delivery[]> {
  const admission = await context.deps.admit(caller, "mailbox.read", ownMailbox(caller));
  await context.deps.record(caller, admission);
  const [, list] = await context.run(caller.principal.namespace, ownMailbox(caller), listMessages, [
    "all",
    "",
    "",
    1_000,
  ]);
  const deliveries = parseEntries(list)
    .filter(
      (entry): entry is Entry & { message: StoredMessage } =>
        entry.message?.thread === id && entry.record.state !== "recalled",
    )
    .reverse()
    .map(toDelivery);
  await context.deps.noteReads(
    caller,
    deliveries.map(({ message }) => message),
  );
  return deliveries;
}

function instant(name: string, given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  const time = Date.parse(given);
  if (Number.isNaN(time))
    refuse("input.invalid", { problem: `${name} is no ISO time such as 2026-11-20T08:00:00Z` });
  return time;
}

/** Sequences are microseconds of the store's clock: an upper time bound is where the listing can begin. */
function startOf(until: number | undefined): string {
  return until === undefined ? "" : String(until * 1000 + 1_000);
}

function writeCursor(kind: string, position: string): string {
  return Buffer.from(`${kind}:${position}`).toString("base64url");
}

function readCursor(kind: string, cursor: string): string {
  const [, position] =
    new RegExp(`^${kind}:([0-9.]{1,25})$`).exec(Buffer.from(cursor, "base64url").toString()) ?? [];
  if (position === undefined) refuse("state.cursor_invalid");
  return position;
}

/** What an agent has open that asked for an acknowledgement and is late, oldest first, at most 20. */
export async function overdueMail(context: MailContext, caller: Caller): Promise<readonly StoredMessage[]> {
  if (!(await context.deps.rightsOf(caller))("mailbox.read", ownMailbox(caller))) return [];
  const now = context.deps.store.now();
  const [, list] = await context.run(caller.principal.namespace, ownMailbox(caller), listMessages, [
    "all",
    "",
    "",
    1_000,
  ]);
  return parseEntries(list)
    .filter(
      (entry): entry is Entry & { message: StoredMessage } =>
        entry.message !== undefined && isOverdue(context, entry, now),
    )
    .map((entry) => entry.message)
    .reverse()
    .slice(0, 20);
}
