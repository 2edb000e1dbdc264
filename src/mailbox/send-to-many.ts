import { type Address, formatAddress } from "../addresses/index.js";
import { isRefusal, MailboxError, refuse } from "../errors/index.js";
import { type Admission, type Caller, rowOf } from "../identity/index.js";
import { directoryKeys, loadScript, mailboxKeys } from "../redis/index.js";
import { referenceAttachments, releaseRefused } from "./attachment-references.js";
import { type MailContext, ownMailbox } from "./context.js";
import type { RecipientReceipt, SendReceipt } from "./contract.js";
import type { Posting } from "./insert-message.js";
import { addresseesText, noteRepeated, noteStored } from "./note-send.js";
import { leaseWord, type Operation } from "./operation.js";
import { advanceEntry, deliver, isHeldBack, type OutboxEntry, type OutboxTarget } from "./outbox.js";
import type { Broadcast } from "./plan-broadcast.js";

const putOutbox = loadScript(import.meta.url, "put-outbox.lua");

/** Accepted in the sender's slot first, so that a crash between two recipients loses neither. */
export async function sendToMany(
  context: MailContext,
  caller: Caller,
  addresses: readonly Address[],
  posting: Posting,
  operation: Operation,
  opened: ReadonlySet<string>,
  admissions: readonly Admission[],
  broadcast: Pick<Broadcast, "reached" | "refused">,
): Promise<SendReceipt> {
  const { deps } = context;
  const { namespace } = caller.principal;
  const own = mailboxKeys(namespace, ownMailbox(caller));
  const targets = targetsOf(addresses, broadcast);
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
    [own.operations, own.operationExpiry, own.outbox, own.audit, own.sentTo],
    [
      operation.key,
      operation.digest,
      operation.attempt,
      operation.keepMs,
      message.id,
      JSON.stringify(entry),
      targets.join(","),
      admissions.map(({ row }) => row).join("\n"),
      ...leaseWord(operation),
    ],
  );
  if (word !== "STORED") await releaseRefused(context, namespace, message, targets);
  if (word === "CONFLICT") refuse("mailbox.idempotency_conflict");
  if (word === "LEASE_OVER") refuse("lock.stale_token", { done: "sent" });
  if (word === "REPLAYED") {
    const [id, ...rest] = String(answer).split("|");
    const recipients =
      rest.length > 0 ? (JSON.parse(rest.join("|")) as RecipientReceipt[]) : targets.map(pendingReceipt);
    const meant = recipients.filter(({ to }) => targets.includes(to));
    await noteRepeated(context, caller, id!, addressees(meant), operation.attempt);
    return {
      message_id: id!,
      recipients,
      replayed: operation.keyed,
      ...(operation.keyed ? {} : { duplicate_of: id! }),
    };
  }
  const noting = noteStored(context, caller, String(answer), targets.join(","), operation.attempt);
  const refusals: MailboxError[] = [];
  const rows: string[] = [];
  const answers = await Promise.all(
    targets.map(async (to): Promise<RecipientReceipt> => {
      try {
        if (await isHeldBack(context, entry)) return pendingReceipt(to);
        if (!(await deliver(context, entry, to))) return pendingReceipt(to);
        return { to, state: "stored", ...(opened.has(to) ? { opened: true } : {}) };
      } catch (error) {
        if (!(error instanceof MailboxError)) throw error;
        if (error.kind === "UNAVAILABLE" || error.kind === "UNKNOWN") return pendingReceipt(to);
        refusals.push(error);
        rows.push(refusedRow(caller, to, error));
        await releaseRefused(context, namespace, message, [to]);
        return refusedReceipt(to, error);
      }
    }),
  );
  const leftOut = [...broadcast.refused];
  rows.push(...leftOut.map(([to, error]) => refusedRow(caller, to, error)));
  const recipients = [...answers, ...leftOut.map(([to, error]) => refusedReceipt(to, error))];
  const reached = answers.filter((receipt) => receipt.state !== "pending").map((receipt) => receipt.to);
  const all = refusals.length === targets.length;
  await advanceEntry(
    context,
    namespace,
    ownMailbox(caller),
    message.id,
    reached,
    { key: operation.key, text: `${message.id}|${JSON.stringify(recipients)}` },
    // When all of them refused, so does the call, and that is recorded as of any call.
    all ? [] : rows,
  ).catch((error: Error) => {
    // Accepted it is, and a sweep finds out who was reached.
    if (!isRefusal(error)) throw error;
    deps.log("an outbox waits for the next sweep", { error: error.message });
  });
  await noting;
  if (refusals.length > 0)
    await noteStored(context, caller, message.id, addressees(answers), operation.attempt);
  if (refusals.length > 0 && all) throw refusals[0]!;
  return { message_id: message.id, recipients, replayed: false };
}

/** The note of a send tells who refused it. */
function addressees(answers: readonly RecipientReceipt[]): string {
  return addresseesText(answers.map(({ to, state }) => (state === "refused" ? { to, mark: state } : { to })));
}

function targetsOf(
  addresses: readonly Address[],
  { reached }: Pick<Broadcast, "reached">,
): readonly OutboxTarget[] {
  const named = addresses.filter(({ kind }) => kind !== "everyone").map(formatAddress);
  return [...new Set([...named, ...reached])];
}

/** Whom a send that was accepted does not reach: what its mailbox refused, or a rule of policy about that recipient. */
function refusedRow(caller: Caller, to: string, { code, kind, facts }: MailboxError): string {
  const action = to.startsWith("topic:") ? "topic.publish" : "mailbox.send";
  const outcome = kind === "PERMISSION_DENIED" ? "deny" : "refuse";
  const because = code === "policy.denied" ? `${code}: ${String(facts.rules)}` : code;
  return rowOf(caller, { action, resource: to, outcome, because });
}

function refusedReceipt(to: string, { code, message }: MailboxError): RecipientReceipt {
  return { to, state: "refused", refusal: { code, message } };
}

function pendingReceipt(to: string): RecipientReceipt {
  return { to, state: "pending" };
}
