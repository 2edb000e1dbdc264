import { randomUUID } from "node:crypto";

/** The id of a reservation: 80 random bits. Whose it is is checked, so it is no secret. */
export function newReservationId(): string {
  // Node keeps random bytes for these in store; asking for others takes longer than most of a check.
  const id = randomUUID();
  return `rs-${id.slice(0, 8)}${id.slice(24)}`;
}

export function isReservationId(id: string): boolean {
  return /^rs-[0-9a-f]{20}$/.test(id);
}
