import type { DeliveredMessage, Inbox } from "./contract.js";
import type { Delivery, StoredMessage, TopicFeed } from "./feed.js";

type Writable<T> = { -readonly [Name in keyof T]: T[Name] };

export type Envelope = Pick<
  DeliveredMessage,
  "id" | "from" | "verified" | "to" | "sent_at" | "priority" | "thread" | "subject" | "lock"
>;

/** Room for the envelope beside each body, in characters. */
export const envelopeChars = 400;

/** What every form in which a message is given away begins with. */
export function envelope(message: StoredMessage): Envelope {
  const envelope: Writable<Envelope> = {
    id: message.id,
    from: message.from,
    verified: message.verified,
    to: message.to,
    sent_at: new Date(message.sentAt).toISOString(),
    priority: message.priority,
    thread: message.thread,
  };
  if (message.subject) envelope.subject = message.subject;
  if (message.lock) envelope.lock = message.lock;
  return envelope;
}

/** A delivery as its reader gets it. */
export function shown(delivery: Delivery): DeliveredMessage {
  const { message } = delivery;
  // Field by field, because this is done for every message that is read: a field added to a copy made by spreading takes as
  // long as 20 of these.
  const shown = envelope(message) as Writable<DeliveredMessage>;
  shown.content_type = message.contentType;
  shown.body = message.body;
  shown.ack_required = delivery.ackRequired;
  shown.delivery_count = delivery.count;
  shown.expires_at = new Date(delivery.expiresAt).toISOString();
  if (message.data) shown.data = message.data;
  if (message.inReplyTo) shown.in_reply_to = message.inReplyTo;
  if (message.attachments) shown.attachments = message.attachments;
  if (delivery.cut) shown.cut = true;
  if (delivery.claimedUntil) shown.claimed_until = new Date(delivery.claimedUntil).toISOString();
  return shown;
}

/** Those that fit one reply, and always the first. */
export function fitting(deliveries: readonly Delivery[], maxChars: number): Delivery[] {
  let left = maxChars - 1_000;
  return deliveries.filter((delivery, n) => {
    left -= Math.min(delivery.message.body.length, maxChars) + envelopeChars;
    return n === 0 || left > 0;
  });
}

/** What was missed, as it is told. */
export function gapsOf(gaps: Awaited<ReturnType<TopicFeed["heads"]>>["gaps"] = []): Inbox["gaps"] {
  return gaps.map(({ topic, missed, until }) => ({ topic, missed, until: new Date(until).toISOString() }));
}

export function emptyInbox(timedOut: boolean): Inbox {
  return {
    messages: [],
    unread: 0,
    urgent: 0,
    open: 0,
    reminders: [],
    gaps: [],
    collapsed: [],
    timed_out: timedOut,
  };
}
