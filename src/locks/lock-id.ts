import { randomBytes } from "node:crypto";

const letters = "0123456789abcdefghijklmnopqrstuvwxyz";

/** The id of a lease, which is its ticket while it waits: 62 random bits. Who owns it is checked, so it is no secret. */
export function newLockId(): string {
  const bytes = randomBytes(12);
  return `lk-${Array.from(bytes, (byte) => letters[byte % 36]!).join("")}`;
}
