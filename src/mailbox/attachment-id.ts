import { newMessageId } from "./message-id.js";

/** A new attachment id. Nobody can guess another's: it has the 64 random bits of a message id. */
export function newAttachmentId(nowMs: number): string {
  return `at-${newMessageId(nowMs)}`;
}

export function isAttachmentId(text: string): boolean {
  return /^at-[0-9a-z]{8,13}-[0-9a-z]{13}$/.test(text);
}
