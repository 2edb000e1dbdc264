import { randomLetters } from "../addresses/index.js";

/** The id of a lease, which is its ticket while it waits: 60 random bits. Who owns it is checked, so it is no secret. */
export function newLockId(): string {
  return `lk-${randomLetters(12)}`;
}
