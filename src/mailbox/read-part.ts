import { refuse } from "../errors/index.js";
import type { Admission, Caller } from "../identity/index.js";
import type { MailContext } from "./context.js";
import type { Inbox } from "./contract.js";
import { findDelivery } from "./find-delivery.js";
import type { ReadOptions } from "./read-options.js";
import { findSent } from "./search-messages.js";
import { markRead } from "./settle-deliveries.js";
import { emptyInbox, shown } from "./show-delivery.js";

/** One message from an offset on, received or sent: how a long text is read to the end. */
export async function readPart(
  context: MailContext,
  caller: Caller,
  id: string,
  offset: number,
  options: ReadOptions,
  admission: Admission,
): Promise<Inbox> {
  const found = await findDelivery(context, caller, id);
  const delivery = found?.delivery ?? (await findSent(context, caller, id))?.delivery;
  if (!delivery) refuse("mailbox.not_yours", { message_id: "with that id" });
  const whole = delivery.message.body;
  // Behind the text comes the data, which is returned whole each time: the face shows it from there on.
  const end = whole.length + (delivery.message.data ? JSON.stringify(delivery.message.data).length : 0);
  if (offset > end) refuse("input.invalid", { problem: `offset is past the end (${end} characters)` });
  await context.deps.record(caller, admission);
  const part = whole.slice(offset, offset + options.maxChars - 2_000);
  const next = offset + part.length;
  if (found) await context.deps.noteReads(caller, [delivery.message]);
  const isRead = next >= whole.length && delivery.cut;
  const batch = found && isRead ? await markRead(context, caller, id, found.place) : undefined;
  const message = shown({ ...delivery, message: { ...delivery.message, body: part } });
  return {
    ...emptyInbox(false),
    messages: [message],
    ...(batch ? { batch } : {}),
    part: { offset, total: whole.length, ...(next < whole.length ? { next_offset: next } : {}) },
  };
}
