import { randomBytes } from "node:crypto";

const letters = "0123456789abcdefghijklmnopqrstuvwxyz";

/** The id of a request: 62 random bits. Who may see and decide it is checked, so it is no secret. */
export function newApprovalId(): string {
  return `ap-${Array.from(randomBytes(12), (byte) => letters[byte % 36]!).join("")}`;
}

/** An id as given may be anything; only what looks like one of ours is shown again. */
export function plainId(id: string): string {
  return /^[0-9a-z-]{1,40}$/.test(id) ? id : "with that id";
}
