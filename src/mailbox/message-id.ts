import { randomUUID } from "node:crypto";

let last = 0;

/**
 * A new message id: microseconds of the store's clock (only growing within this process) and 64 random bits. It names a
 * message and lets nobody guess another; the order within a mailbox is the sequence its own slot assigns.
 */
export function newMessageId(nowMs: number): string {
  last = Math.max(last + 1, Math.floor(nowMs * 1000));
  return `${last.toString(36)}-${random64().toString(36).padStart(13, "0")}`;
}

/** From the random parts of a UUID: Node draws many of those at a time, where each `randomBytes` asks the system. */
/** When a message was written, ms of the store's clock; 0 for what is not an id of ours. */
export function messageIdAt(id: string): number {
  const micros = Number.parseInt(id.split("-", 1)[0]!, 36);
  return Number.isSafeInteger(micros) ? micros / 1000 : 0;
}

function random64(): bigint {
  const uuid = randomUUID();
  return BigInt(`0x${uuid.slice(0, 4)}${uuid.slice(24)}`);
}

export function isMessageId(text: string): boolean {
  return /^[0-9a-z]{8,13}-[0-9a-z]{13}$/.test(text);
}
