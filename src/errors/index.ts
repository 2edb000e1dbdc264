/** The refusals a caller can meet: their kinds, codes and texts. */
export { catalogue, type ErrorCode } from "./catalogue.js";
export { type ErrorKind, httpStatus, isRetryable } from "./kinds.js";
export { isRefusal, MailboxError, refuse } from "./mailbox-error.js";
