import { formatAddress, parseAddress } from "../addresses/index.js";
import { isRefusal, refuse } from "../errors/index.js";
import { type Caller, PendingRow } from "../identity/index.js";
import type { MailboxName } from "../redis/index.js";
import { type MailContext, ownMailbox } from "./context.js";
import type { Inbox, ReadInbox } from "./contract.js";
import { noteCall } from "./note-call.js";
import { peekInbox, readOpen } from "./peek-inbox.js";
import type { ReadOptions } from "./read-options.js";
import { readPart } from "./read-part.js";
import { takeOrWait } from "./wait-for-mail.js";

/**
 * Delivers what waits for the caller, most urgent and oldest first: its own mail merged with the topics it follows, or
 * one job of a queue. Settles what the run's previous pages delivered, if their replies arrived.
 *
 * What is returned is open at this run until it is settled; when the run is gone it comes again at the agent's next.
 * With `wait_seconds` it answers as soon as something is there; a timeout is a normal answer. An aborted wait takes
 * nothing.
 *
 * @throws {MailboxError} `access.denied`, `address.invalid`, `mailbox.unknown_queue`, `mailbox.not_yours`, `mailbox.text_gone`, `store.*`
 */
export async function readInbox(
  context: MailContext,
  caller: Caller,
  input: ReadInbox,
  options: ReadOptions,
): Promise<Inbox> {
  const inbox = await lookOrTake(context, caller, input, options);
  // A message that was asked for by its id may be the caller's own: it is noted where it is found.
  if (input.message_id !== undefined) return inbox;
  try {
    await context.deps.noteReads(caller, inbox.messages);
  } catch (error) {
    // What was taken and never reached anybody comes again with the next read.
    if (inbox.batch !== undefined) context.memory(caller).confirm(inbox.batch, false);
    throw error;
  }
  return inbox;
}

async function lookOrTake(
  context: MailContext,
  caller: Caller,
  input: ReadInbox,
  options: ReadOptions,
): Promise<Inbox> {
  await noteCall(context, caller);
  const place = placeOf(caller, input.mailbox);
  const admission = await context.deps.admit(caller, "mailbox.read", place);
  if (input.message_id !== undefined)
    return readPart(context, caller, input.message_id, input.offset ?? 0, options, admission);
  if (input.offset)
    refuse("input.invalid", { problem: "offset goes with the message_id of a message that was cut" });
  // A worker may be there before its first job.
  if (place !== ownMailbox(caller)) {
    await reachQueue(context, caller, place.slice("queue:".length));
  }
  if (input.redeliver || input.peek) {
    await context.deps.record(caller, admission);
    const look = input.redeliver ? readOpen : peekInbox;
    return look(context, caller, place, input, options);
  }
  return takeOrWait(context, caller, place, input, options, new PendingRow(admission));
}

async function reachQueue(context: MailContext, caller: Caller, name: string): Promise<void> {
  const may = await context.deps.rightsOf(caller);
  try {
    await context.deps.directory.reach(caller, "queue", name, false, (mailbox) =>
      may("mailbox.read", mailbox),
    );
  } catch (error) {
    if (!isRefusal(error, "mailbox.unknown_recipient")) throw error;
    const { given, nearest } = error.facts;
    refuse("mailbox.unknown_queue", { given: String(given), nearest: String(nearest) }, { cause: error });
  }
}

function placeOf(caller: Caller, given: string | undefined): MailboxName {
  if (given === undefined) return ownMailbox(caller);
  const address = parseAddress(given);
  if (address.kind === "agent" && address.name === caller.principal.agent) return ownMailbox(caller);
  if (address.kind !== "queue")
    refuse("input.invalid", {
      problem:
        "mailbox is your own (leave it out) or a queue such as queue:reviewers; for a topic pass topic",
    });
  return formatAddress(address);
}
