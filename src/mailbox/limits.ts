/** What a mailbox holds and how long; counts, bytes and milliseconds. All of it is configurable (docs/operations.md). */
export interface MailboxLimits {
  readonly bodyBytes: number;
  readonly metadataBytes: number;
  /** How deep the objects and lists of `data` may be nested. */
  readonly dataLevels: number;
  readonly recipients: number;
  /** Attachments of one message, and bytes of one attachment. */
  readonly attachments: number;
  readonly attachmentBytes: number;
  /** Bytes one agent may upload within `unsentAttachmentMs`; a small file counts as 64 KiB. */
  readonly uploadBytes: number;
  /** How long an attachment waits for the message that carries it. */
  readonly unsentAttachmentMs: number;
  readonly mailboxMessages: number;
  readonly mailboxBytes: number;
  readonly senderMessages: number;
  readonly expiryMs: number;
  readonly historyMs: number;
  readonly deadLetterMs: number;
  readonly deadLetters: number;
  readonly failures: number;
  readonly claimMs: number;
  readonly longestClaimMs: number;
  readonly unconfirmedMs: number;
  readonly idempotencyMs: number;
  readonly duplicateMs: number;
  readonly conversationMessages: number;
  readonly sendsPerMinute: number;
  readonly callsPerMinute: number;
  readonly overdueMs: number;
}

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

export const defaultMailboxLimits: MailboxLimits = {
  bodyBytes: 64 * 1024,
  metadataBytes: 16 * 1024,
  dataLevels: 100,
  recipients: 200,
  attachments: 10,
  attachmentBytes: 16 * 1024 * 1024,
  uploadBytes: 256 * 1024 * 1024,
  unsentAttachmentMs: dayMs,
  mailboxMessages: 10_000,
  mailboxBytes: 64 * 1024 * 1024,
  senderMessages: 2_500,
  expiryMs: 7 * dayMs,
  historyMs: 7 * dayMs,
  deadLetterMs: 30 * dayMs,
  deadLetters: 1_000,
  failures: 3,
  claimMs: 15 * minuteMs,
  longestClaimMs: 60 * minuteMs,
  unconfirmedMs: dayMs,
  idempotencyMs: dayMs,
  duplicateMs: minuteMs,
  conversationMessages: 40,
  sendsPerMinute: 300,
  callsPerMinute: 600,
  overdueMs: 10 * minuteMs,
};

/** The limits every script of a mailbox takes, in the order of lua/mailbox.lua. */
export function scriptLimits(limits: MailboxLimits): string {
  return [
    limits.historyMs,
    limits.deadLetterMs,
    limits.deadLetters,
    limits.failures,
    limits.unconfirmedMs,
  ].join(",");
}
