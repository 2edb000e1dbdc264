import type { Caller } from "../identity/index.js";
import { loadScript, type MailboxName } from "../redis/index.js";
import type { MailContext } from "./context.js";
import { type Entry, parseEntries } from "./delivery-record.js";
import type { FeedFilter, Head } from "./feed.js";

const peekScript = loadScript(import.meta.url, "peek-inbox.lua");

/** What every script that reads a mailbox tells beside its answer. */
export interface Counts {
  readonly unread: number;
  readonly urgent: number;
  readonly open: number;
  readonly dead: number;
  readonly nextDueAt: number;
  readonly outbox: number;
}

/** A place in what is open, oldest first. */
export interface OpenPlace {
  readonly sequence: number;
  readonly id: string;
}

/** What is ready, most urgent and oldest first, or open at this agent, oldest first and behind a place; nothing is taken. */
export async function lookAtMailbox(
  context: MailContext,
  caller: Caller,
  place: MailboxName,
  which: "ready" | "open",
  limit: number,
  filter: FeedFilter,
  withBodies: boolean,
  behind?: OpenPlace,
): Promise<{ readonly entries: Entry[]; readonly counts: Counts }> {
  const [, counted, flat] = await context.run(caller.principal.namespace, place, peekScript, [
    which,
    limit,
    filter.sender ?? "",
    filter.thread ?? "",
    filter.minPriority,
    caller.principal.agent,
    withBodies ? "1" : "0",
    behind?.sequence ?? "",
    behind?.id ?? "",
  ]);
  return { entries: parseEntries(flat), counts: parseCounts(counted as readonly string[]) };
}

/** The heads of a mailbox as the merge with topics wants them. */
export async function mailboxHeads(
  context: MailContext,
  caller: Caller,
  place: MailboxName,
  filter: FeedFilter,
  limit: number,
): Promise<Head[]> {
  const { entries } = await lookAtMailbox(context, caller, place, "ready", limit, filter, false);
  return entries.map(headOf);
}

export function headOf({ id, record }: Entry): Head {
  return { root: "", id, sequence: record.sequence, priority: record.priority, bytes: record.bytes };
}

/** Messages ready in a mailbox or queue. */
export async function countReady(
  context: MailContext,
  namespace: string,
  mailbox: MailboxName,
): Promise<Counts> {
  const [, counted] = await context.run(namespace, mailbox, peekScript, [
    "ready",
    0,
    "",
    "",
    0,
    "",
    "0",
    "",
    "",
  ]);
  return parseCounts(counted as readonly string[]);
}

export function parseCounts(words: readonly string[]): Counts {
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
