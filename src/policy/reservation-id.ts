import { randomBytes } from "node:crypto";

const letters = "0123456789abcdefghijklmnopqrstuvwxyz";

/** The id of a reservation: 62 random bits. Whose it is is checked, so it is no secret. */
export function newReservationId(): string {
  return `rs-${Array.from(randomBytes(12), (byte) => letters[byte % 36]!).join("")}`;
}
