import { z } from "zod";
import { priorities } from "./priorities.js";

/**
 * What callers may ask of the mailbox room. Every face (tools, REST, SDK) takes its schemas from here, so they cannot
 * disagree. Schemas stay free of unions: several model APIs refuse them.
 */

const IdempotencyKey = z.string().min(1).max(200).describe("Repeats safely: same key, done once (24 h)");

export const Priority = z.enum(priorities);
export type Priority = z.infer<typeof Priority>;

/** A bare string, or a list written as a string, is accepted where a list is asked for: models write them so. */
function listOf<T extends z.ZodType>(item: T, most: number): z.ZodType<z.infer<T>[]> {
  return z.preprocess(
    (given) => (typeof given === "string" ? (listIn(given) ?? [given]) : given),
    z.array(item).min(1).max(most),
  ) as never;
}

/** No address and no id begins with a bracket. */
function listIn(text: string): unknown {
  if (!text.trimStart().startsWith("[")) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

export const SendMessage = z.object({
  to: listOf(z.string(), 200).describe("Agent names, queue:name, topic:name, or everyone"),
  body: z.string().describe("At most 64 KiB"),
  data: z.record(z.string(), z.unknown()).optional().describe("JSON object for programs"),
  subject: z.string().max(200).optional(),
  content_type: z
    .string()
    .max(100)
    .optional()
    .describe("text/plain (default), text/markdown, text/x-code;lang=ts"),
  in_reply_to: z.string().max(100).optional().describe("Message id you answer; settles it"),
  priority: Priority.optional(),
  ttl_seconds: z.number().int().min(1).max(2_592_000).optional().describe("Default 7 days"),
  ack_required: z.boolean().optional().describe("Open until a reply or acknowledgement"),
  attachments: z
    .array(z.string().max(260))
    .max(10)
    .optional()
    .describe("Uploaded ids, or file:NAME from the shared folder"),
  resource: z.string().max(600).optional().describe("Only while you hold this lock"),
  fencing_token: z.number().int().min(0).optional(),
  create: z.boolean().optional().describe("Open a mailbox for an unknown name"),
  again: z.boolean().optional().describe("Send although you just sent the same"),
  idempotency_key: IdempotencyKey.optional(),
});
export type SendMessage = z.infer<typeof SendMessage>;

/** What became of a send for one recipient. `duplicate`: equal to a send of the last minute, nothing inserted. */
export interface RecipientReceipt {
  readonly to: string;
  readonly state: "stored" | "refused" | "pending";
  /** Set when the send opened this mailbox because nobody of that name has been seen yet. */
  readonly opened?: boolean;
  /** Why it was refused: a code and text of our catalogue. */
  readonly refusal?: { readonly code: string; readonly message: string };
}

export interface SendReceipt {
  readonly message_id: string;
  readonly recipients: readonly RecipientReceipt[];
  /** The same call with the same key was answered before; this is that answer. */
  readonly replayed: boolean;
  /** Nothing was inserted: the caller sent the same within a minute, as this message. */
  readonly duplicate_of?: string;
  /** It answered the postmaster about a request for approval and went no further: what became of that request. */
  readonly decided?: {
    readonly approval_id: string;
    readonly state: string;
    /** Votes that say the same, and how many have to. */
    readonly agreeing: number;
    readonly quorum: number;
  };
}

export const ReadInbox = z.object({
  mailbox: z.string().max(100).optional().describe("queue:name for a job; default yours"),
  wait_seconds: z.number().int().min(0).max(50).optional().describe("Wait for something to arrive"),
  limit: z.number().int().min(1).max(20).optional().describe("Default 10; queues 1"),
  sender: z.string().max(100).optional(),
  topic: z.string().max(260).optional().describe("Name or pattern"),
  thread: z.string().max(100).optional(),
  min_priority: Priority.optional(),
  peek: z.boolean().optional().describe("Look without taking"),
  redeliver: z.boolean().optional().describe("Again what is open"),
  after: z.string().max(100).optional().describe("Batch or place, where a reply names one"),
  message_id: z.string().max(100).optional().describe("One message, or the rest of a cut one"),
  offset: z.number().int().min(0).max(99_999_999).optional().describe("Where to go on"),
});
export type ReadInbox = z.infer<typeof ReadInbox>;

/** Under which lock a message was sent. */
export interface MessageLock {
  readonly resource: string;
  readonly fencing_token: number;
}

/** A message as its reader gets it. Everything but `body`, `data`, `subject` is vouched for by us. */
export interface DeliveredMessage {
  readonly id: string;
  readonly from: string;
  readonly verified: boolean;
  /** `alice`, `queue:reviewers` or `topic:builds.ci`: where it was addressed. */
  readonly to: string;
  readonly sent_at: string;
  readonly priority: Priority;
  readonly thread: string;
  readonly subject?: string;
  readonly content_type: string;
  readonly body: string;
  readonly data?: Record<string, unknown>;
  readonly in_reply_to?: string;
  /** Its sender held this lock under this token when it was stored. */
  readonly lock?: MessageLock;
  readonly attachments?: readonly { readonly id: string; readonly name: string; readonly bytes: number }[];
  readonly ack_required: boolean;
  /** Longer than one reply: it stays open until it was read to its end by `message_id` and `offset`. */
  readonly cut?: true;
  /** 1 at the first delivery; more means it was delivered before and not settled. */
  readonly delivery_count: number;
  /** For a job: when its claim ends unless the run goes on calling (ISO time). */
  readonly claimed_until?: string;
  readonly expires_at: string;
}

export interface Inbox {
  readonly messages: readonly DeliveredMessage[];
  /** Name of this page; a client without a session passes it as `after` with its next read. */
  readonly batch?: string;
  /** Ready and not delivered, in the mailbox that was read (own mail and followed topics, or the queue). */
  readonly unread: number;
  readonly urgent: number;
  /** Delivered to this agent and not settled. */
  readonly open: number;
  /** Messages that wait for this agent's answer or acknowledgement, due for a one-line reminder now. */
  readonly reminders: readonly { readonly id: string; readonly from: string; readonly since: string }[];
  /** Topic history that was trimmed before this agent read it. */
  readonly gaps: readonly { readonly topic: string; readonly missed: number; readonly until: string }[];
  /** Older messages of a busy topic that were left out of the page (only their count is shown). */
  readonly collapsed: readonly { readonly topic: string; readonly count: number }[];
  /** True when the call waited and nothing came, its whole time or until this process was told to end. */
  readonly timed_out: boolean;
  /** How long it waited then. */
  readonly waited_seconds?: number;
  /** With redeliver: where to go on, as `after`, when more is open than this page has. */
  readonly next?: string;
  /** With message_id: characters of the whole body, and where the next part starts if there is more. */
  readonly part?: { readonly offset: number; readonly total: number; readonly next_offset?: number };
}

export const AckMessages = z.object({
  ids: listOf(z.string().max(100), 100),
  outcome: z
    .enum(["done", "retry", "reject", "extend"])
    .optional()
    .describe("done (default); retry: give back; reject: dead letter; extend: keep longer"),
  delay_seconds: z
    .number()
    .int()
    .min(0)
    .max(86_400)
    .optional()
    .describe("retry: not before; extend: for how long"),
  reason: z.string().max(500).optional(),
  idempotency_key: IdempotencyKey.optional(),
});
export type AckMessages = z.infer<typeof AckMessages>;

export interface AckResult {
  readonly results: readonly {
    readonly id: string;
    readonly state: "settled" | "retrying" | "dead" | "extended" | "refused";
    /** When the claim ends (extend) or when it will be ready again (retry), ISO time. */
    readonly at?: string;
    readonly refusal?: { readonly code: string; readonly message: string };
  }[];
  /** The same call with the same key was answered before; this is that answer. */
  readonly replayed: boolean;
}

export const SearchMessages = z.object({
  query: z.string().max(200).optional().describe("All must occur"),
  sender: z.string().max(100).optional(),
  recipient: z.string().max(100).optional(),
  topic: z.string().max(260).optional(),
  thread: z.string().max(100).optional(),
  since: z.string().max(40).optional().describe("ISO time"),
  until: z.string().max(40).optional().describe("ISO time"),
  sent: z.boolean().optional().describe("Your own, with each recipient's state"),
  cursor: z.string().max(500).optional(),
  limit: z.number().int().min(1).max(50).optional(),
});
export type SearchMessages = z.infer<typeof SearchMessages>;

/** stored: not yet delivered · read: delivered, open · settled · expired · dead · unconfirmed: delivered, never confirmed · recalled */
export type DeliveryState =
  | "stored"
  | "read"
  | "settled"
  | "unconfirmed"
  | "expired"
  | "dead"
  | "recalled"
  | "pending"
  | "refused";

export interface FoundMessage {
  readonly id: string;
  readonly from: string;
  readonly verified: boolean;
  readonly to: string;
  readonly sent_at: string;
  readonly priority: Priority;
  readonly thread: string;
  readonly subject?: string;
  readonly lock?: MessageLock;
  /** The first 300 characters. */
  readonly excerpt: string;
  /** For own mail: this agent's delivery. For sent mail: one per recipient. */
  readonly states: readonly {
    readonly to: string;
    readonly state: DeliveryState;
    readonly overdue?: boolean;
  }[];
}

export interface SearchResult {
  readonly messages: readonly FoundMessage[];
  readonly cursor?: string;
}

export const ManageDeadLetters = z.object({
  action: z.enum(["list", "requeue", "purge"]),
  mailbox: z.string().max(100).optional().describe("An agent or queue:name; default all"),
  ids: listOf(z.string().max(100), 100).optional(),
  all: z.boolean().optional().describe("Every one of mailbox, instead of ids"),
  limit: z.number().int().min(1).max(50).optional().describe("Default 20"),
  idempotency_key: IdempotencyKey.optional(),
});
export type ManageDeadLetters = z.infer<typeof ManageDeadLetters>;

export interface DeadLetters {
  /** For list: latest first. Everything but `said`, `subject` and `excerpt` is vouched for by us. */
  readonly letters: readonly {
    readonly id: string;
    readonly mailbox: string;
    readonly from: string;
    readonly verified: boolean;
    readonly sent_at: string;
    readonly buried_at: string;
    readonly reason: string;
    readonly failures: number;
    /** Why, in the words of who rejected it. */
    readonly said?: string;
    readonly subject?: string;
    readonly excerpt: string;
  }[];
  readonly more: boolean;
  /** How many were requeued or purged. */
  readonly done: number;
  /** Ids that are no dead letters there. */
  readonly missing: readonly string[];
}
