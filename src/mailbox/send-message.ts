import { type Address, formatAddress, parseAddress } from "../addresses/index.js";
import { isRefusal, refuse } from "../errors/index.js";
import {
  type Admission,
  type Asked,
  admitAll,
  type Caller,
  PendingRow,
  Repetition,
  type Wish,
} from "../identity/index.js";
import { askedToSend } from "./asked-to-send.js";
import { measureContent } from "./check-content.js";
import { type MailContext, ownMailbox } from "./context.js";
import type { SendMessage, SendReceipt } from "./contract.js";
import type { StoredMessage } from "./feed.js";
import { findAttachments } from "./find-attachments.js";
import { findDelivery, mayReadAt } from "./find-delivery.js";
import type { Posting } from "./insert-message.js";
import { joinConversation, leaveConversation } from "./join-conversation.js";
import { checkLock, leaseOfSend, leaseOver } from "./lease-of-send.js";
import { newMessageId } from "./message-id.js";
import { noteCall } from "./note-call.js";
import { checkRate } from "./note-send.js";
import { digest, type Operation } from "./operation.js";
import { type Broadcast, planBroadcast } from "./plan-broadcast.js";
import { findSent } from "./search-messages.js";
import { sendToMany } from "./send-to-many.js";
import { sendToOne } from "./send-to-one.js";
import { settleAnswered } from "./settle-deliveries.js";

/**
 * Stores a message for each recipient, once per idempotency key. Who may not send to one of them sends to none.
 *
 * `stored` means it survives as the store's tier promises; `pending` means it is safe in the sender's outbox and reaches
 * its recipient later, or the sender's dead letters after 24 h. A send without a key that equals one of the same run
 * within a minute inserts nothing and names the first (`duplicate_of`), unless `again`.
 *
 * Under a lock nothing is stored once the lease is over by the store's clock, nor after a newer token was seen in the same
 * mailbox or topic root; a send to several is stored by the step that accepts it, in the sender's mailbox.
 *
 * @throws {MailboxError} `access.denied`, `policy.*`, `address.invalid`, `mailbox.unknown_recipient`, `mailbox.too_many_unclaimed`, `mailbox.full`,
 *   `mailbox.sender_full`, `mailbox.body_too_large`, `mailbox.too_many_recipients`, `mailbox.idempotency_conflict`,
 *   `mailbox.conversation_exhausted`, `mailbox.rate_limited`, `mailbox.blocked`, `mailbox.not_yours`, `attachment.*`,
 *   `lock.stale_token`, `store.*`;
 *   for several recipients a refusal of one is in the receipt
 */
export async function sendMessage(
  context: MailContext,
  caller: Caller,
  input: SendMessage,
): Promise<SendReceipt> {
  const { limits, deps } = context;
  await noteCall(context, caller);
  checkLock(input);
  const bytes = measureContent(limits, input);
  const addresses = uniqueAddresses(input.to);
  if (addresses.length > limits.recipients)
    refuse("mailbox.too_many_recipients", { count: addresses.length, limit: limits.recipients });
  checkRate(context, caller);
  const { idempotency_key: idempotencyKey } = input;
  const repetition = new Repetition(() => firstAnswer(context, caller, input, addresses, bytes));
  const told: Asked = {
    arguments: askedToSend(input),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey, wasDone: repetition.wasDone }),
  };
  // Before the send counts itself, so that rules see of each recipient what they would see of a send to it.
  const wishes = addresses.map(
    (address): Wish => [address.kind === "topic" ? "topic.publish" : "mailbox.send", formatAddress(address)],
  );
  const others = wishes.filter((_, n) => addresses[n]!.kind !== "everyone");
  const broadcast = await planBroadcast(context, caller, addresses, { ...told, behind: others });
  const admissions = await admitAll(deps.admit, caller, wishes, told);
  const row = new PendingRow(...admissions, { row: "", settle: broadcast.settle });
  if (repetition.answer !== undefined) {
    await row.settle(false);
    return repetition.answer;
  }
  return row.settling(async () => {
    const [refusal] = broadcast.refused.values();
    const reachesAny = broadcast.reached.length > 0 || addresses.some(({ kind }) => kind !== "everyone");
    await broadcast.admitted(reachesAny);
    if (refusal && !reachesAny) throw refusal;
    return send(context, caller, input, { addresses, bytes, admissions, row, broadcast });
  }, isNew);
}

/** What the same send with its key was answered; it is sent no more, as one under a lock that is over. */
async function firstAnswer(
  context: MailContext,
  caller: Caller,
  input: SendMessage,
  addresses: readonly Address[],
  bytes: number,
): Promise<SendReceipt | undefined> {
  const admissions = addresses.map(() => ({ row: "" }));
  const broadcast = { reached: [], refused: new Map() };
  try {
    const receipt = await send(context, caller, input, {
      ...{ addresses, bytes, admissions, broadcast },
      row: new PendingRow(),
      repeatsOnly: true,
    });
    return receipt.replayed ? receipt : undefined;
  } catch (error) {
    // Of a store that is away nobody knows; any other refusal means that there is nothing to repeat.
    if (!isRefusal(error) || error.kind === "UNAVAILABLE" || error.kind === "UNKNOWN") throw error;
    return undefined;
  }
}

/** What was admitted, and how it is told what became of it. */
interface Admitted {
  readonly addresses: readonly Address[];
  readonly bytes: number;
  /** One for each address. */
  readonly admissions: readonly Admission[];
  readonly row: PendingRow;
  readonly broadcast: Pick<Broadcast, "reached" | "refused">;
  /** Nothing is stored; what was is answered. */
  readonly repeatsOnly?: true;
}

/** A repetition inserted nothing, and uses nothing up. */
function isNew({ replayed, duplicate_of: first }: SendReceipt): boolean {
  return !replayed && first === undefined;
}

async function send(
  context: MailContext,
  caller: Caller,
  input: SendMessage,
  { addresses, bytes, admissions, row, broadcast, repeatsOnly }: Admitted,
): Promise<SendReceipt> {
  const { limits, deps } = context;
  const may = await deps.rightsOf(caller);
  const mayKnow = (mailbox: string): boolean => may("mailbox.send", mailbox);
  const memory = context.memory(caller);
  const answered = input.in_reply_to ? await findAnswered(context, caller, input.in_reply_to) : undefined;
  const id = newMessageId(deps.store.now());
  const cause = answered ?? memory.cause;
  const lease = input.resource === undefined ? undefined : await leaseOfSend(context, caller, input);
  const asked = operationOf(context, caller, input, addresses);
  const operation = repeatsOnly
    ? { ...asked, lease: leaseOver }
    : lease
      ? { ...asked, lease: lease.text }
      : asked;
  const message: { -readonly [Name in keyof StoredMessage]: StoredMessage[Name] } = {
    id,
    from: caller.principal.agent,
    verified: caller.principal.verified,
    to: addresses.length === 1 ? formatAddress(addresses[0]!) : addresses.map(formatAddress).join(","),
    sentAt: Math.round(deps.store.now()),
    priority: input.priority ?? "normal",
    thread: answered?.thread ?? id,
    origin: cause?.origin ?? id,
    contentType: input.content_type ?? "text/plain",
    body: input.body,
  };
  if (input.subject) message.subject = input.subject;
  if (input.data) message.data = input.data;
  if (input.in_reply_to) message.inReplyTo = input.in_reply_to;
  if (lease) message.lock = lease.lock;
  const ttlMs = input.ttl_seconds ? input.ttl_seconds * 1000 : undefined;
  const posting: Posting = {
    message,
    bytes,
    lifeMs: ttlMs ?? limits.expiryMs,
    ttlMs,
    ackRequired: input.ack_required ?? false,
  };

  // Everything that can be refused comes before a mailbox is opened for a name that nobody has.
  if (repeatsOnly || lease?.isOver) await refuseToOpen(context, caller, addresses);
  if (!input.create && (addresses.length > 1 || input.attachments))
    for (const { kind, name } of named(addresses))
      if (name !== caller.principal.agent) await deps.directory.isUnseen(caller, kind, name, mayKnow);
  if (input.attachments && !repeatsOnly) {
    try {
      const attachments = await findAttachments(context, caller, input.attachments);
      if (attachments.length > 0) message.attachments = attachments;
    } catch (error) {
      // The first send took them in, and what it took them from may be gone since.
      const isRepeatable = isRefusal(error) && operation.keyed;
      const first = isRepeatable ? await firstAnswer(context, caller, input, addresses, bytes) : undefined;
      if (first) return first;
      throw error;
    }
  }
  const opened = await reachAll(context, caller, addresses, input.create ?? false, mayKnow);
  // A look at what was sent counts nothing, nor strikes it out.
  const counts = cause !== undefined && !repeatsOnly;
  if (counts) await joinConversation(context, caller, cause.origin, operation);
  let receipt: SendReceipt;
  try {
    receipt =
      addresses.length === 1 && addresses[0]!.kind !== "everyone"
        ? await sendToOne(context, caller, addresses[0]!, posting, operation, opened, admissions[0]!)
        : await sendToMany(context, caller, addresses, posting, operation, opened, admissions, broadcast);
  } catch (error) {
    // A refusal inserted nothing, so it does not count in the conversation; an unknown outcome may have.
    if (counts && isRefusal(error) && error.kind !== "UNKNOWN")
      await leaveConversation(context, caller, cause.origin, operation);
    throw error;
  }
  // Sent it is, whatever becomes of what it answers.
  await row.settle(isNew(receipt));
  // The reply is stored: repeating the call inserts nothing and settles what it answers.
  if (answered) await settleAnswered(context, caller, input.in_reply_to!, answered.place);
  return receipt;
}

function uniqueAddresses(given: readonly string[]): Address[] {
  const unique = new Map(given.map(parseAddress).map((address) => [formatAddress(address), address]));
  return [...unique.values()];
}

async function reachAll(
  context: MailContext,
  caller: Caller,
  addresses: readonly Address[],
  create: boolean,
  mayKnow: (mailbox: string) => boolean,
): Promise<ReadonlySet<string>> {
  const opened = new Set<string>();
  for (const address of named(addresses)) {
    const reached = await context.deps.directory.reach(caller, address.kind, address.name, create, mayKnow);
    if (reached === "opened") opened.add(formatAddress(address));
  }
  return opened;
}

/** A repetition finds each of its mailboxes open; what would open one is new, and needs a lease that holds. */
async function refuseToOpen(
  context: MailContext,
  caller: Caller,
  addresses: readonly Address[],
): Promise<void> {
  for (const { kind, name } of named(addresses)) {
    if (name === caller.principal.agent) continue;
    const isNew = await context.deps.directory.isUnseen(caller, kind, name, () => false);
    if (isNew) refuse("lock.stale_token", { done: "sent" });
  }
}

function named(addresses: readonly Address[]): (Address & { readonly kind: "agent" | "queue" })[] {
  return addresses.filter((address) => address.kind === "agent" || address.kind === "queue");
}

function operationOf(
  context: MailContext,
  caller: Caller,
  input: SendMessage,
  addresses: readonly Address[],
): Operation {
  const { limits, deps } = context;
  const { idempotency_key: key, create: _create, again, to: _to, ...content } = input;
  const to = addresses.map(formatAddress).sort();
  const asked = digest({ to, ...content });
  const attempt = deps.store.attempt();
  if (key !== undefined)
    return {
      key: `k|${caller.principal.agent}|${digest(["send", key])}`,
      digest: asked,
      keepMs: limits.idempotencyMs,
      attempt,
      keyed: true,
    };
  const name = again ? `a|${attempt}` : `d|${caller.run.id}|${asked}`;
  return { key: name, digest: asked, keepMs: limits.duplicateMs, attempt, keyed: false };
}

async function findAnswered(
  context: MailContext,
  caller: Caller,
  id: string,
): Promise<{
  readonly id: string;
  readonly thread: string;
  readonly origin: string;
  readonly place: string;
}> {
  const known = context.memory(caller).known(id);
  if (known && (await mayReadAt(context, caller, known.place)))
    return { id, thread: known.thread, origin: known.origin, place: known.place };
  const found = await findDelivery(context, caller, id);
  // What it sent itself it may go on with, and settles nothing by that.
  const delivery = found?.delivery ?? (await findSent(context, caller, id))?.delivery;
  if (!delivery) refuse("mailbox.not_yours", { message_id: "with the id in in_reply_to" });
  const { thread, origin } = delivery.message;
  return { id, thread, origin, place: found?.place ?? ownMailbox(caller) };
}
