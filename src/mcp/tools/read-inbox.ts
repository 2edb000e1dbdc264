import { z } from "zod";
import { type Inbox, Priority, ReadInbox } from "../../mailbox/index.js";
import { defineTool, type Telling } from "../define-tool.js";
import { messageParts } from "../message-parts.js";
import { type Part, replyChars } from "../reply.js";

export const messageLockOutput = z.object({ resource: z.string(), fencing_token: z.number() });

/** Kept free for the lines around the messages. */
const linesChars = 1_500;
const mostShown = 20;

export const readInbox = defineTool({
  name: "read_inbox",
  title: "Read your inbox",
  description:
    "Take new messages from your mailbox and followed topics, or a job from a queue. Jobs, and messages that ask for it, stay open until you reply or call ack_messages. Nothing new is a normal answer.",
  input: ReadInbox,
  output: z.object({
    messages: z.array(
      z.object({
        id: z.string(),
        from: z.string(),
        verified: z.boolean(),
        to: z.string(),
        sent_at: z.string(),
        priority: Priority,
        thread: z.string(),
        subject: z.string().exactOptional(),
        content_type: z.string(),
        body: z.string(),
        data: z.record(z.string(), z.unknown()).exactOptional(),
        in_reply_to: z.string().exactOptional(),
        lock: messageLockOutput.exactOptional(),
        attachments: z
          .array(z.object({ id: z.string(), name: z.string(), bytes: z.number() }))
          .exactOptional(),
        ack_required: z.boolean(),
        cut: z.literal(true).exactOptional(),
        delivery_count: z.number(),
        claimed_until: z.string().exactOptional(),
        expires_at: z.string(),
      }),
    ),
    batch: z.string().exactOptional(),
    unread: z.number(),
    urgent: z.number(),
    open: z.number(),
    reminders: z.array(z.object({ id: z.string(), from: z.string(), since: z.string() })),
    gaps: z.array(z.object({ topic: z.string(), missed: z.number(), until: z.string() })),
    collapsed: z.array(z.object({ topic: z.string(), count: z.number() })),
    timed_out: z.boolean(),
    waited_seconds: z.number().exactOptional(),
    next: z.string().exactOptional(),
    part: z
      .object({ offset: z.number(), total: z.number(), next_offset: z.number().exactOptional() })
      .exactOptional(),
  }),
  needs: ["mailbox.read"],
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  handle: (input, { caller, mail, signal, draining, session, structured, onWaiting }) =>
    mail.readInbox(caller, asTextAllows(input, structured), {
      signal: signal(),
      onWaiting,
      sessionless: !session,
      maxChars: replyChars - linesChars,
      ...(draining && { over: draining }),
    }),
  say: tell,
  batch: (inbox) => inbox.batch,
  tellsNews: true,
});

/** A page of text has room for 20 messages with their envelopes; a program that gets the whole answer may ask for more. */
function asTextAllows(input: ReadInbox, structured: boolean): ReadInbox {
  return structured || (input.limit ?? 0) <= mostShown ? input : { ...input, limit: mostShown };
}

function tell(inbox: Inbox, { input, session, room }: Telling<ReadInbox>): Part[] {
  const { lead, notes } = around(inbox, input, session);
  const own = lead.length + notes.join("\n").length;
  return [
    lead,
    ...messageParts(inbox.messages, room - own - 100, inbox.part, input.offset),
    ...(notes.length ? [notes.join("\n")] : []),
  ];
}

function waited(
  { timed_out, waited_seconds: seconds }: Inbox,
  { wait_seconds: asked = 0 }: ReadInbox,
): string {
  if (!timed_out) return "";
  return seconds === undefined || seconds >= asked
    ? ` in ${asked} s`
    : ` in ${seconds} s, then this server was told to end: call again`;
}

function around(inbox: Inbox, input: ReadInbox, session: boolean): { lead: string; notes: string[] } {
  const some = inbox.messages.length;
  // What this page delivered is open as well, and the reader has it in front of them.
  const open = input.peek ? inbox.open : Math.max(inbox.open - some, 0);
  let counts = "";
  if (inbox.unread) counts = `${inbox.unread} unread${inbox.urgent ? `, ${inbox.urgent} urgent` : ""}`;
  if (open) counts += `${counts && ", "}${open} open`;
  const lead = some
    ? `${messagesOf(some)}${input.peek ? ", not taken" : ""}${counts && ` (besides: ${counts})`}`
    : `nothing new${waited(inbox, input)}${counts && ` (${counts})`}`;
  const notes: string[] = [];
  for (const one of inbox.collapsed.slice(0, mostTopics))
    notes.push(
      `topic:${one.topic}: ${messagesOf(one.count, "older")} left out; search_messages topic: ${one.topic}`,
    );
  notes.push(
    ...moreTopics(
      inbox.collapsed.slice(mostTopics),
      ({ count }) => count,
      "older",
      () => "left out; search_messages topic",
    ),
  );
  for (const one of inbox.gaps.slice(0, mostTopics))
    notes.push(`topic:${one.topic}: ${messagesOf(one.missed)} up to ${one.until} ${trimmed(one.missed)}`);
  notes.push(...moreTopics(inbox.gaps.slice(mostTopics), ({ missed }) => missed, "", trimmed));
  for (const one of inbox.reminders.slice(0, 5))
    notes.push(
      `reminder: ${one.id} from ${one.from} has waited for your reply or ack_messages since ${one.since}`,
    );
  if (inbox.next) notes.push(`more is open: read_inbox with redeliver: true and after: ${inbox.next}`);
  if (!session && inbox.batch && some && !input.peek)
    notes.push(
      `batch ${inbox.batch}: pass it as after with your next read_inbox, or these messages come again`,
    );
  return { lead, notes };
}

/** Topics that are told each by a line of its own. What was missed in further ones is told as a sum. */
const mostTopics = 5;

function moreTopics<One>(
  topics: readonly One[],
  countOf: (one: One) => number,
  kind: string,
  words: (count: number) => string,
): string[] {
  const count = topics.reduce((sum, one) => sum + countOf(one), 0);
  return count > 0
    ? [
        `${topics.length} more ${topics.length === 1 ? "topic" : "topics"}: ${messagesOf(count, kind)} ${words(count)}`,
      ]
    : [];
}

function trimmed(count: number): string {
  return count === 1 ? "was trimmed before you read it" : "were trimmed before you read them";
}

function messagesOf(count: number, kind = ""): string {
  return `${count} ${kind && `${kind} `}${count === 1 ? "message" : "messages"}`;
}
