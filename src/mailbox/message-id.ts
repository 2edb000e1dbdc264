import { randomUUID } from "node:crypto";

let last = 0;

/**
 * A new message id: microseconds of the store's clock (only growing within this process) and 64 random bits. It names a
 * message and lets nobody guess another; the order within a mailbox is the sequence its own slot assigns.
 */
export function newMessageId(nowMs: number): string {
  last = Math.max(last + 1, Math.floor(nowMs * 1000));
  return `${last.toString(36)}-${randomLetters()}`;
}

/** When a message was written, ms of the store's clock; 0 for what is not an id of ours. */
export function messageIdAt(id: string): number {
  const micros = Number.parseInt(id.split("-", 1)[0]!, 36);
  return Number.isSafeInteger(micros) ? micros / 1000 : 0;
}

/**
 * 64 random bits in 13 letters and digits: 36 in seven and 28 in six. From the random parts of a UUID, because Node draws
 * many of those at a time, where each `randomBytes` asks the system.
 */
function randomLetters(): string {
  const uuid = randomUUID();
  const first = Number.parseInt(uuid.slice(0, 8) + uuid.slice(24, 25), 16);
  const second = Number.parseInt(uuid.slice(29), 16);
  return first.toString(36).padStart(7, "0") + second.toString(36).padStart(6, "0");
}

export function isMessageId(text: string): boolean {
  return /^[0-9a-z]{8,13}-[0-9a-z]{13}$/.test(text);
}
