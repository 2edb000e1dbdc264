import { randomBytes } from "node:crypto";

/**
 * A namespace that nothing else in the store has. Models make 10,000 of them on one store: of 32 random bits two
 * would be equal in one of 86 runs.
 */
export function newNamespace(): string {
  return `t${randomBytes(8).toString("hex")}`;
}
