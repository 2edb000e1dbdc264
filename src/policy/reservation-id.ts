import { randomLetters } from "../addresses/index.js";

/** The id of a reservation: 80 random bits. Whose it is is checked, so it is no secret. */
export function newReservationId(): string {
  return `rs-${randomLetters(16)}`;
}

export function isReservationId(id: string): boolean {
  return /^rs-[0-9a-v]{16}$/.test(id);
}
