import { type Address, formatAddress, parseAddress } from "../addresses/index.js";
import { isRefusal, MailboxError, refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { conversationKey, directoryKeys, loadScript, mailboxKeys } from "../redis/index.js";
import { referenceAttachments, releaseRefused } from "./attachment-references.js";
import { type MailContext, ownMailbox } from "./context.js";
import type { RecipientReceipt, SendMessage, SendReceipt } from "./contract.js";
import type { StoredMessage } from "./feed.js";
import { findAttachments } from "./find-attachments.js";
import { findDelivery } from "./find-delivery.js";
import { insertMessage, type Posting } from "./insert-message.js";
import { newMessageId } from "./message-id.js";
import { noteCall } from "./note-call.js";
import { digest, type Operation } from "./operation.js";
import { advanceEntry, deliver, type OutboxEntry, type OutboxTarget } from "./outbox.js";
import { settleAnswered } from "./settle-deliveries.js";

const noteSend = loadScript(import.meta.url, "note-send.lua");
const putOutbox = loadScript(import.meta.url, "put-outbox.lua");
const joinConversation = loadScript(import.meta.url, "join-conversation.lua");

/**
 * Stores a message for each recipient, once per idempotency key.
 *
 * `stored` means it survives as the store's tier promises; `pending` means it is safe in the sender's outbox and reaches
 * its recipient later, or the sender's dead letters after 24 h. A send without a key that equals one of the same run
 * within a minute inserts nothing and names the first (`duplicate_of`), unless `again`.
 *
 * @throws {MailboxError} `address.invalid`, `mailbox.unknown_recipient`, `mailbox.too_many_unclaimed`, `mailbox.full`,
 *   `mailbox.sender_full`, `mailbox.body_too_large`, `mailbox.too_many_recipients`, `mailbox.idempotency_conflict`,
 *   `mailbox.conversation_exhausted`, `mailbox.rate_limited`, `mailbox.blocked`, `mailbox.not_yours`, `attachment.*`,
 *   `store.*`;
 *   for several recipients a refusal of one is in the receipt
 */
export async function sendMessage(
  context: MailContext,
  caller: Caller,
  input: SendMessage,
): Promise<SendReceipt> {
  const { limits, deps } = context;
  await noteCall(context, caller);
  const bytes = measure(context, input);
  const addresses = uniqueAddresses(input.to);
  if (addresses.length > limits.recipients)
    refuse("mailbox.too_many_recipients", { count: addresses.length, limit: limits.recipients });
  checkRate(context, caller);

  const memory = context.memory(caller);
  const answered = input.in_reply_to ? await findAnswered(context, caller, input.in_reply_to) : undefined;
  const id = newMessageId(deps.store.now());
  const cause = answered ?? memory.cause;
  const operation = operationOf(context, caller, input, addresses);
  const message: StoredMessage = {
    id,
    from: caller.principal.agent,
    verified: caller.principal.verified,
    to: addresses.length === 1 ? formatAddress(addresses[0]!) : addresses.map(formatAddress).join(","),
    sentAt: Math.round(deps.store.now()),
    priority: input.priority ?? "normal",
    thread: answered?.thread ?? id,
    origin: cause?.origin ?? id,
    ...(input.subject ? { subject: input.subject } : {}),
    contentType: input.content_type ?? "text/plain",
    body: input.body,
    ...(input.data ? { data: input.data } : {}),
    ...(input.in_reply_to ? { inReplyTo: input.in_reply_to } : {}),
  };
  const posting: Posting = {
    message,
    bytes,
    lifeMs: input.ttl_seconds ? input.ttl_seconds * 1000 : limits.expiryMs,
    ...(input.ttl_seconds ? { ttlMs: input.ttl_seconds * 1000 } : {}),
    ackRequired: input.ack_required ?? false,
  };

  // Everything that can be refused comes before a mailbox is opened for a name that nobody has.
  if (!input.create && (addresses.length > 1 || input.attachments))
    for (const { kind, name } of named(addresses))
      if (name !== caller.principal.agent)
        await deps.directory.isUnseen(caller.principal.namespace, kind, name);
  const complete = await attach(context, caller, posting, input.attachments);
  const opened = await reachAll(context, caller, addresses, input.create ?? false);
  if (cause) await join(context, caller, cause.origin, operation);
  let receipt: SendReceipt;
  try {
    receipt =
      addresses.length === 1 && addresses[0]!.kind !== "everyone"
        ? await sendToOne(context, caller, addresses[0]!, complete, operation, opened)
        : await sendToMany(context, caller, addresses, complete, operation, opened);
  } catch (error) {
    // A refusal inserted nothing, so it does not count in the conversation; an unknown outcome may have.
    if (cause && isRefusal(error) && error.kind !== "UNKNOWN")
      await leave(context, caller, cause.origin, operation);
    throw error;
  }
  if (answered)
    await settleAnswered(context, caller, input.in_reply_to!, answered.place).catch((error: unknown) => {
      // The reply is stored: repeating the call inserts nothing and settles what it answers.
      if (isRefusal(error, "store.unavailable")) refuse("store.outcome_unknown", {}, { cause: error });
      throw error;
    });
  return receipt;
}

async function sendToOne(
  context: MailContext,
  caller: Caller,
  address: Exclude<Address, { kind: "everyone" }>,
  posting: Posting,
  operation: Operation,
  opened: ReadonlySet<string>,
): Promise<SendReceipt> {
  const to = formatAddress(address);
  const { message } = posting;
  await referenceAttachments(context, caller, message, [to]);
  const noting = noteStored(context, caller, message.id, to, operation.attempt);
  let outcome: { readonly state: string; readonly id: string };
  try {
    outcome =
      address.kind === "topic"
        ? await publish(context, caller, address.name, posting, operation)
        : await insertMessage(context, caller.principal.namespace, to, posting, operation);
    await noting;
  } catch (error) {
    if (isRefusal(error) && error.kind !== "UNKNOWN") {
      await unnote(context, caller, message.id, operation.attempt);
      await releaseRefused(context, caller.principal.namespace, message, [to]);
    }
    throw error;
  }
  if (outcome.id !== message.id) {
    await unnote(context, caller, message.id, operation.attempt);
    // The first attempt may have been cut off before it was noted.
    await noteStored(context, caller, outcome.id, to, operation.attempt);
    await releaseRefused(context, caller.principal.namespace, message, [to]);
  }
  const again = outcome.state === "REPLAYED";
  return {
    message_id: outcome.id,
    recipients: [{ to, state: "stored", ...(opened.has(to) && !again ? { opened: true } : {}) }],
    replayed: again && operation.keyed,
    ...(again && !operation.keyed ? { duplicate_of: outcome.id } : {}),
  };
}

/** Accepted in the sender's slot first, so that a crash between two recipients loses neither. */
async function sendToMany(
  context: MailContext,
  caller: Caller,
  addresses: readonly Address[],
  posting: Posting,
  operation: Operation,
  opened: ReadonlySet<string>,
): Promise<SendReceipt> {
  const { deps } = context;
  const { namespace } = caller.principal;
  const own = mailboxKeys(namespace, ownMailbox(caller));
  const targets = await targetsOf(context, caller, addresses);
  const { message } = posting;
  const entry: OutboxEntry = {
    posting,
    namespace,
    agent: caller.principal.agent,
    verified: caller.principal.verified,
  };
  await referenceAttachments(context, caller, message, targets);
  // The index first: an entry nobody knows of would wait for ever, an index without an entry is found empty.
  await deps.store.command(
    "ZADD",
    directoryKeys(namespace).outboxes,
    deps.store.now().toFixed(0),
    ownMailbox(caller),
  );
  const [word, answer] = await deps.store.run(
    putOutbox,
    [own.operations, own.operationExpiry, own.outbox],
    [
      operation.key,
      operation.digest,
      operation.attempt,
      operation.keepMs,
      message.id,
      JSON.stringify(entry),
      targets.join(","),
    ],
  );
  if (word !== "STORED") await releaseRefused(context, namespace, message, targets);
  if (word === "CONFLICT") refuse("mailbox.idempotency_conflict");
  if (word === "REPLAYED") {
    const [id, ...rest] = String(answer).split("|");
    await noteStored(context, caller, id!, targets.join(","), operation.attempt);
    const recipients =
      rest.length > 0 ? (JSON.parse(rest.join("|")) as RecipientReceipt[]) : targets.map(pendingReceipt);
    return {
      message_id: id!,
      recipients,
      replayed: operation.keyed,
      ...(operation.keyed ? {} : { duplicate_of: id! }),
    };
  }
  const noting = noteStored(context, caller, String(answer), targets.join(","), operation.attempt);
  const refusals: MailboxError[] = [];
  const recipients = await Promise.all(
    targets.map(async (to): Promise<RecipientReceipt> => {
      try {
        await deliver(context, entry, to);
        return { to, state: "stored", ...(opened.has(to) ? { opened: true } : {}) };
      } catch (error) {
        if (!(error instanceof MailboxError)) throw error;
        if (error.kind === "UNAVAILABLE" || error.kind === "UNKNOWN") return pendingReceipt(to);
        refusals.push(error);
        await releaseRefused(context, namespace, message, [to]);
        return { to, state: "refused", refusal: { code: error.code, message: error.message } };
      }
    }),
  );
  const reached = recipients.filter((receipt) => receipt.state !== "pending").map((receipt) => receipt.to);
  await advanceEntry(context, namespace, ownMailbox(caller), message.id, reached, {
    key: operation.key,
    text: `${message.id}|${JSON.stringify(recipients)}`,
  }).catch((error: Error) => {
    // Accepted it is, and a sweep finds out who was reached.
    if (!isRefusal(error)) throw error;
    deps.log("an outbox waits for the next sweep", { error: error.message });
  });
  await noting;
  if (refusals.length > 0 && refusals.length === targets.length) throw refusals[0]!;
  return { message_id: message.id, recipients, replayed: false };
}

async function publish(
  context: MailContext,
  caller: Caller,
  topic: string,
  posting: Posting,
  operation: Operation,
): Promise<{ readonly state: string; readonly id: string }> {
  const published = await context.deps.publish(caller, topic, posting.message, operation, posting.ttlMs);
  if (published.state === "conflict") refuse("mailbox.idempotency_conflict");
  return { state: published.state === "replayed" ? "REPLAYED" : "STORED", id: published.id };
}

async function targetsOf(
  context: MailContext,
  caller: Caller,
  addresses: readonly Address[],
): Promise<OutboxTarget[]> {
  const targets = new Set<OutboxTarget>();
  for (const address of addresses) {
    if (address.kind !== "everyone") targets.add(formatAddress(address));
    else
      for (const name of (await context.deps.directory.agents(caller.principal.namespace)).keys())
        if (name !== caller.principal.agent) targets.add(name);
  }
  return [...targets];
}

async function attach(
  context: MailContext,
  caller: Caller,
  posting: Posting,
  given: SendMessage["attachments"],
): Promise<Posting> {
  const attachments = await findAttachments(context, caller, given);
  return attachments.length === 0 ? posting : { ...posting, message: { ...posting.message, attachments } };
}

function pendingReceipt(to: string): RecipientReceipt {
  return { to, state: "pending" };
}

function measure(context: MailContext, input: SendMessage): number {
  const { limits } = context;
  const body = Buffer.byteLength(input.body);
  if (body > limits.bodyBytes)
    refuse("mailbox.body_too_large", { part: "body", bytes: body, limit: limits.bodyBytes });
  if (isDeeper(input.data, limits.dataLevels))
    refuse("input.invalid", { problem: `data is nested more than ${limits.dataLevels} levels deep` });
  const metadata = Buffer.byteLength(JSON.stringify([input.subject, input.data, input.content_type]));
  if (metadata > limits.metadataBytes)
    refuse("mailbox.body_too_large", {
      part: "data with subject",
      bytes: metadata,
      limit: limits.metadataBytes,
    });
  return body + metadata;
}

/** What is nested too deep would be accepted here and break the reader: JSON is written by recursion everywhere. */
function isDeeper(value: unknown, levels: number): boolean {
  if (value === null || typeof value !== "object") return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1));
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
): Promise<ReadonlySet<string>> {
  const opened = new Set<string>();
  for (const address of named(addresses)) {
    const reached = await context.deps.directory.reach(caller, address.kind, address.name, create);
    if (reached === "opened") opened.add(formatAddress(address));
  }
  return opened;
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
  if (known) return { id, thread: known.thread, origin: known.origin, place: known.place };
  const found = await findDelivery(context, caller, id);
  if (!found) refuse("mailbox.not_yours", { message_id: "with the id in in_reply_to" });
  const { message } = found.delivery;
  return { id, thread: message.thread, origin: message.origin, place: found.place };
}

/** A conflicting reuse of a key is another message: it must not strike out the first. */
function conversationItem(operation: Operation): string {
  return `${operation.key}|${operation.digest}`;
}

async function join(
  context: MailContext,
  caller: Caller,
  origin: string,
  operation: Operation,
): Promise<void> {
  const { limits, deps } = context;
  const [word] = await deps.store.run(
    joinConversation,
    [conversationKey(caller.principal.namespace, origin)],
    [conversationItem(operation), limits.conversationMessages, limits.expiryMs, "0"],
  );
  if (word === "EXHAUSTED") refuse("mailbox.conversation_exhausted", { limit: limits.conversationMessages });
}

async function leave(
  context: MailContext,
  caller: Caller,
  origin: string,
  operation: Operation,
): Promise<void> {
  const { limits, deps } = context;
  await deps.store
    .run(
      joinConversation,
      [conversationKey(caller.principal.namespace, origin)],
      [conversationItem(operation), limits.conversationMessages, limits.expiryMs, "1"],
    )
    .catch((error: Error) => deps.log("a refused message stays counted", { error: error.message }));
}

async function note(
  context: MailContext,
  caller: Caller,
  id: string,
  to: string,
  attempt: string,
): Promise<void> {
  const own = mailboxKeys(caller.principal.namespace, ownMailbox(caller));
  const [, sends, leftMs] = await context.deps.store.run(
    noteSend,
    [own.sent, own.sentTo, own.rate],
    [attempt, id, to, context.limits.historyMs, "0"],
  );
  const now = context.deps.store.now();
  rates.set(rateSlot(caller), { sends: Number(sends), untilMs: now + Number(leftMs) });
}

/** The note of a message that is stored, or about to be: without it the message stands, but the sender does not see it. */
function noteStored(
  context: MailContext,
  caller: Caller,
  id: string,
  to: string,
  attempt: string,
): Promise<void> {
  return note(context, caller, id, to, attempt).catch((error: Error) =>
    context.deps.log("a send is not noted", { id, error: error.message }),
  );
}

async function unnote(context: MailContext, caller: Caller, id: string, attempt: string): Promise<void> {
  const own = mailboxKeys(caller.principal.namespace, ownMailbox(caller));
  await context.deps.store
    .run(noteSend, [own.sent, own.sentTo, own.rate], [attempt, id, "", context.limits.historyMs, "1"])
    .catch((error: Error) => context.deps.log("a send stays noted", { error: error.message }));
}

/** What the store last told of the running minute; the count itself is the store's, shared by all processes. */
const rates = new Map<string, { readonly sends: number; readonly untilMs: number }>();

function rateSlot(caller: Caller): string {
  return `${caller.principal.namespace}/${caller.principal.agent}`;
}

function checkRate(context: MailContext, caller: Caller): void {
  const rate = rates.get(rateSlot(caller));
  const limit = context.limits.sendsPerMinute;
  const now = context.deps.store.now();
  if (rate && rate.untilMs > now && rate.sends >= limit)
    refuse("mailbox.rate_limited", { what: "sends", limit, seconds: Math.ceil((rate.untilMs - now) / 1000) });
}
