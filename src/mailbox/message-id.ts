import { randomLetters } from "../addresses/index.js";

let last = 0;
/** The leading digits, which stay the same for a minute: writing out such a number takes longer than all else here. */
let leading = { of: -1, text: "" };
const trailing = 36 ** 5;

/**
 * A new message id: microseconds of the store's clock (only growing within this process) and 65 random bits. It names a
 * message and lets nobody guess another; the order within a mailbox is the sequence its own slot assigns.
 */
export function newMessageId(nowMs: number): string {
  last = Math.max(last + 1, Math.floor(nowMs * 1000));
  const of = Math.floor(last / trailing);
  if (of !== leading.of) leading = { of, text: of.toString(36) };
  const rest = (last - of * trailing).toString(36).padStart(5, "0");
  return `${leading.text}${rest}-${randomLetters(13)}`;
}

/** When a message was written, ms of the store's clock; 0 for what is not an id of ours. */
export function messageIdAt(id: string): number {
  const micros = Number.parseInt(id.split("-", 1)[0]!, 36);
  return Number.isSafeInteger(micros) ? micros / 1000 : 0;
}

export function isMessageId(text: string): boolean {
  return /^[0-9a-z]{8,13}-[0-9a-z]{13}$/.test(text);
}
