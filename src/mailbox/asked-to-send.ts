import { measureContent } from "./check-content.js";
import type { SendMessage } from "./contract.js";
import type { MailboxLimits } from "./limits.js";

type AskedToSend = Omit<SendMessage, "idempotency_key" | "again" | "fencing_token">;

/** What rules and people are asked about. The token of a lease is no part of it: a send that waited for a person has another. */
export function askedToSend({
  idempotency_key: _,
  again: __,
  fencing_token: ___,
  ...asked
}: SendMessage): AskedToSend {
  return asked;
}

/**
 * The same of a send that is not made now, and has a token of its lease when it is.
 *
 * @throws {MailboxError} `input.invalid`, `mailbox.body_too_large` for one that could not be made
 */
export function sendAsAsked(input: SendMessage, limits: MailboxLimits): AskedToSend {
  measureContent(limits, input);
  return askedToSend(input);
}
