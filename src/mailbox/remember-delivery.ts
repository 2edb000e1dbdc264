import type { Caller } from "../identity/index.js";
import type { MailContext } from "./context.js";
import type { Delivery } from "./feed.js";
import type { Place } from "./run-memory.js";

/** Keeps for the run what its later calls need to know of a delivery: where it lies, its conversation, its claim. */
export function rememberDelivery(
  context: MailContext,
  caller: Caller,
  delivery: Delivery,
  place: Place,
): void {
  const { message } = delivery;
  context.memory(caller).know(message.id, {
    place,
    thread: message.thread,
    origin: message.origin,
    claimedUntil: delivery.claimedUntil,
  });
}
