import { randomUUID } from "node:crypto";

const half = 36 ** 6;

/**
 * The id of a lease, which is its ticket while it waits: 62 random bits. Who owns it is checked, so it is no secret. From
 * the random parts of a UUID, because Node draws many of those at a time, where each `randomBytes` asks the system.
 */
export function newLockId(): string {
  const uuid = randomUUID();
  return `lk-${sixLetters(uuid.slice(0, 8))}${sixLetters(uuid.slice(28))}`;
}

function sixLetters(hex: string): string {
  return (Number.parseInt(hex, 16) % half).toString(36).padStart(6, "0");
}
