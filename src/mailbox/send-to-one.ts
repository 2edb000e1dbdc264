import { type Address, formatAddress } from "../addresses/index.js";
import { isRefusal, refuse } from "../errors/index.js";
import type { Admission, Caller } from "../identity/index.js";
import { referenceAttachments, releaseRefused } from "./attachment-references.js";
import type { MailContext } from "./context.js";
import type { SendReceipt } from "./contract.js";
import { insertMessage, type Posting } from "./insert-message.js";
import { noteRepeated, noteStored, unnote } from "./note-send.js";
import type { Operation } from "./operation.js";

/** One recipient: the insertion itself is what is remembered by the operation. */
export async function sendToOne(
  context: MailContext,
  caller: Caller,
  address: Exclude<Address, { kind: "everyone" }>,
  posting: Posting,
  operation: Operation,
  opened: ReadonlySet<string>,
  { row }: Admission,
): Promise<SendReceipt> {
  const to = formatAddress(address);
  const { message } = posting;
  if (message.attachments) await referenceAttachments(context, caller, message, [to]);
  const noting = noteStored(context, caller, message.id, to, operation.attempt);
  let outcome: { readonly state: string; readonly id: string };
  try {
    outcome =
      address.kind === "topic"
        ? await publish(context, caller, address.name, posting, operation, row)
        : await insertMessage(context, caller.principal.namespace, to, posting, operation, row);
    await noting;
  } catch (error) {
    // What was thrown and is no refusal failed before it stored anything.
    if (!isRefusal(error) || error.kind !== "UNKNOWN") {
      await unnote(context, caller, message.id, operation.attempt);
      await releaseRefused(context, caller.principal.namespace, message, [to]);
    }
    throw error;
  }
  if (outcome.id !== message.id) {
    await unnote(context, caller, message.id, operation.attempt);
    await noteRepeated(context, caller, outcome.id, to, operation.attempt);
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

async function publish(
  context: MailContext,
  caller: Caller,
  topic: string,
  posting: Posting,
  operation: Operation,
  row: string,
): Promise<{ readonly state: string; readonly id: string }> {
  const published = await context.deps.publish(caller, topic, posting.message, operation, row, posting.ttlMs);
  if (published.state === "conflict") refuse("mailbox.idempotency_conflict");
  return { state: published.state === "replayed" ? "REPLAYED" : "STORED", id: published.id };
}
