import { checkPut } from "./check-put.js";
import type { PutState } from "./contract.js";
import type { StateLimits } from "./limits.js";
import { valueText } from "./value-text.js";

type AskedToPut = Omit<PutState, "idempotency_key" | "fencing_token">;

/** What rules and people are asked about. The token of a lease is no part of it: a write that waited for a person has another. */
export function askedToPut({ idempotency_key: _, fencing_token: __, ...asked }: PutState): AskedToPut {
  return asked;
}

/**
 * The same of a write that is not made now, and has a token of its lease when it is.
 *
 * @throws {MailboxError} `input.invalid`, `state.value_invalid` for one that could not be made
 */
export function putAsAsked(input: PutState, limits: StateLimits): AskedToPut {
  const { resource: _, fencing_token: __, ...plain } = input;
  checkPut(plain);
  if (plain.value !== undefined) valueText(plain.value, limits);
  return askedToPut(input);
}
