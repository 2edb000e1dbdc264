import { randomBytes } from "node:crypto";
import { visible } from "../addresses/index.js";
import { catalogue, type ErrorCode, isRetryable, MailboxError } from "../errors/index.js";
import type { Log } from "./log.js";

/**
 * What a client may see of anything that was thrown: a refusal as it is; anything else is logged whole and becomes
 * `internal` with an id that leads to the log.
 */
export function asRefusal(error: unknown, log: Log, doing: string): MailboxError {
  if (error instanceof MailboxError) {
    log.debug({ code: error.code, doing, cause: error.cause }, "refused");
    return error;
  }
  const id = randomBytes(4).toString("hex");
  log.error({ err: error, id, doing: visible(doing) }, "internal error");
  return new MailboxError("internal", { id });
}

/** A refusal as programs get it that opted in to structured answers. */
export function structuredRefusal({ code, kind, message }: MailboxError): Record<string, unknown> {
  return { error: { code, kind, message, retryable: isRetryable(kind) } };
}

/** The same for a refusal that a capability told as a part of its answer. */
export function structuredCode({
  code,
  message,
}: {
  code: string;
  message: string;
}): Record<string, unknown> {
  const kind = catalogue[code as ErrorCode]?.kind ?? "INTERNAL";
  return { error: { code, kind, message, retryable: isRetryable(kind) } };
}
