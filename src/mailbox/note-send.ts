import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import { type MailContext, ownMailbox } from "./context.js";

const noteSend = loadScript(import.meta.url, "note-send.lua");

/** Whom a message was sent to, as it is noted: with a mark who refused it, and from whom it was taken back. */
export interface Addressee {
  readonly to: string;
  readonly mark?: keyof typeof marks;
}

/** No address begins with one of these. */
const marks = { refused: "!", recalled: "-" } as const;

export function addresseesText(addressees: readonly Addressee[]): string {
  return addressees.map(({ to, mark }) => (mark ? marks[mark] + to : to)).join(",");
}

export function parseAddressees(text: string): Addressee[] {
  return text.split(",").filter(Boolean).map(parseAddressee);
}

function parseAddressee(word: string): Addressee {
  for (const mark of ["refused", "recalled"] as const)
    if (word.startsWith(marks[mark])) return { to: word.slice(1), mark };
  return { to: word };
}

/** The note of a message that is stored, or about to be: without it the message stands, but the sender does not see it. */
export function noteStored(
  context: MailContext,
  caller: Caller,
  id: string,
  to: string,
  attempt: string,
): Promise<void> {
  return noteQuietly(context, caller, id, to, attempt, "0");
}

/** The note of what was stored before: its first attempt may have been cut off before it was noted. */
export function noteRepeated(
  context: MailContext,
  caller: Caller,
  id: string,
  to: string,
  attempt: string,
): Promise<void> {
  return noteQuietly(context, caller, id, to, attempt, "2");
}

function noteQuietly(...[context, caller, id, ...rest]: Parameters<typeof note>): Promise<void> {
  return note(context, caller, id, ...rest).catch((error: Error) =>
    context.deps.log("a send is not noted", { id, error: error.message }),
  );
}

/** Takes the note of a message back that was not inserted. */
export async function unnote(
  context: MailContext,
  caller: Caller,
  id: string,
  attempt: string,
): Promise<void> {
  const own = context.keys(caller.principal.namespace, ownMailbox(caller));
  await context.deps.store
    .run(noteSend, [own.sent, own.sentTo, own.rate], [attempt, id, "", context.limits.historyMs, "1"])
    .catch((error: Error) => context.deps.log("a send stays noted", { error: error.message }));
}

/** @throws {MailboxError} `mailbox.rate_limited` when the store told that the minute is used up */
export function checkRate(context: MailContext, caller: Caller): void {
  const rate = rates.get(rateSlot(caller));
  const limit = context.limits.sendsPerMinute;
  const now = context.deps.store.now();
  if (rate && rate.untilMs > now && rate.sends >= limit)
    refuse("mailbox.rate_limited", { what: "sends", limit, seconds: Math.ceil((rate.untilMs - now) / 1000) });
}

async function note(
  context: MailContext,
  caller: Caller,
  id: string,
  to: string,
  attempt: string,
  how: "0" | "2",
): Promise<void> {
  const own = context.keys(caller.principal.namespace, ownMailbox(caller));
  const [, sends, leftMs] = await context.deps.store.run(
    noteSend,
    [own.sent, own.sentTo, own.rate],
    [attempt, id, to, context.limits.historyMs, how],
  );
  const now = context.deps.store.now();
  rates.set(rateSlot(caller), { sends: Number(sends), untilMs: now + Number(leftMs) });
}

/** What the store last told of the running minute; the count itself is the store's, shared by all processes. */
const rates = new Map<string, { readonly sends: number; readonly untilMs: number }>();

function rateSlot(caller: Caller): string {
  return `${caller.principal.namespace}/${caller.principal.agent}`;
}
