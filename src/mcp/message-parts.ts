import type { DeliveredMessage, Inbox } from "../mailbox/index.js";
import { fitting, frameChars, type Part, shown, wholeCharacters } from "./reply.js";
import { underLock, wholeResource } from "./under-lock.js";

/** What a reader can ask for when a text was cut. */
type ReadOn = (next: number, total: number) => string;

interface Drawn {
  readonly envelope: string;
  readonly head: string;
  readonly body: string;
  readonly bodyStart: number;
  readonly bodyTotal: number;
  readonly moreBodyAt: number | undefined;
  readonly data: string;
  readonly dataStart: number;
  readonly by: string;
  readonly id: string;
}

/**
 * Envelope and text of each message, the envelope in our words and the text as a quote, in at most `maxChars`
 * characters. Long texts share what short ones leave; a text that was cut says how to get the rest.
 *
 * @param offset what the reader asked for with `message_id`; past the end of the text it goes on in the data
 */
export function messageParts(
  messages: readonly DeliveredMessage[],
  maxChars: number,
  part?: Inbox["part"],
  offset = 0,
): Part[] {
  const all = messages.map((message, i) => draw(message, place(i, messages.length), part, offset));
  const drawn = all.slice(0, fittingCount(all, maxChars));
  const left = all.slice(drawn.length).map((one) => one.id);
  const needed = drawn.map((one) => shown(one.head + one.body + one.data).length);
  const naming = left.length ? left.join(", ").length + 80 : 0;
  const fixed = drawn.reduce(
    (sum, one) => sum + one.envelope.length + one.by.length + frameChars + 160,
    naming,
  );
  const rooms = share(needed, Math.max(maxChars - fixed, 0));
  // What the capability holds open as cut must be seen to be cut, or its reader would never ask for the end.
  const most = (i: number): number =>
    messages[i]!.cut && !part ? Math.floor(needed[i]! * 0.9) : needed[i]! + 20;
  const shownParts = drawn.flatMap((one, i) => parts(one, Math.min(rooms[i]!, most(i))));
  if (left.length === 0) return shownParts;
  return [...shownParts, `[no room here for ${left.join(", ")}: read each with read_inbox message_id]`];
}

/** How many messages can be shown with a piece of their text, so that there is room to name the others. */
function fittingCount(all: readonly Drawn[], maxChars: number): number {
  const cost = (one: Drawn): number => one.envelope.length + one.by.length + frameChars + 200;
  let count = all.length;
  let used = all.reduce((sum, one) => sum + cost(one), 0);
  while (count > 1 && used > maxChars) {
    if (count === all.length) used += 80; // the words around the names
    count -= 1;
    used += all[count]!.id.length + 2 - cost(all[count]!);
  }
  return count;
}

/** Who vouches for what: everything in this line is ours, nothing in it was written by the sender. */
export function envelopeLine(message: DeliveredMessage): string {
  let line = `${message.id} from ${message.from}${message.verified ? "" : " (unverified)"} to ${message.to}`;
  line += ` · ${message.sent_at}`;
  if (message.priority !== "normal") line += ` · ${message.priority}`;
  if (message.thread !== message.id) line += ` · thread ${message.thread}`;
  if (message.in_reply_to) line += ` · in reply to ${message.in_reply_to}`;
  if (message.lock) line += ` · ${underLock(message)}`;
  if (message.delivery_count > 1) line += ` · delivery ${message.delivery_count}`;
  if (message.claimed_until)
    line += ` · a job, yours until ${message.claimed_until}: reply or call ack_messages`;
  else if (message.ack_required) line += " · asks you to reply or call ack_messages";
  if (expiresSoon(message)) line += ` · expires ${message.expires_at}`;
  return line;
}

function place(i: number, of: number): string {
  return of === 1 ? "" : `[${i + 1} of ${of}] `;
}

function expiresSoon(message: DeliveredMessage): boolean {
  return Date.parse(message.expires_at) - Date.parse(message.sent_at) < 86_400_000;
}

function draw(message: DeliveredMessage, label: string, part: Inbox["part"], offset: number): Drawn {
  let head = "";
  if (message.lock) head += wholeResource(message) && `${wholeResource(message)}\n`;
  if (message.subject) head += `subject: ${message.subject.replace(/\s+/g, " ")}\n`;
  if (message.content_type !== "text/plain")
    head += `content type: ${message.content_type.replace(/\s+/g, " ")}\n`;
  for (const one of message.attachments ?? [])
    head += `attachment ${one.id}: ${one.name}, ${one.bytes} bytes\n`;
  const data = message.data ? JSON.stringify(message.data) : "";
  const bodyTotal = part?.total ?? message.body.length;
  const dataStart = part && data && offset > 0 && offset >= bodyTotal ? offset - bodyTotal : 0;
  // A part may end in the middle of a character, which then belongs to the next.
  const body =
    part?.next_offset === undefined ? message.body : wholeCharacters(message.body, message.body.length);
  return {
    envelope: label + envelopeLine(message),
    head: head && `${head}\n`,
    body: dataStart > 0 ? "" : body,
    bodyStart: part?.offset ?? 0,
    bodyTotal,
    moreBodyAt: part?.next_offset === undefined ? undefined : part.offset + body.length,
    data: data.slice(dataStart),
    dataStart,
    by: message.from,
    id: message.id,
  };
}

function parts(one: Drawn, room: number): Part[] {
  const readOn: ReadOn = (next, total) =>
    `[cut: ${next} of ${total} characters shown so far; the rest: read_inbox message_id: ${one.id} offset: ${next}]`;
  const forBody = room - shown(one.head).length;
  const taken = fitting(one.body, forBody);
  const text = one.head + one.body.slice(0, taken);
  const total = one.bodyTotal + (one.data ? one.dataStart + one.data.length : 0);
  const bodyEnd = taken < one.body.length ? one.bodyStart + taken : one.moreBodyAt;
  if (bodyEnd !== undefined) return [one.envelope, { by: one.by, text }, readOn(bodyEnd, total)];
  if (!one.data) return [one.envelope, { by: one.by, text }];
  const label = one.dataStart > 0 ? "data (continued): " : `${one.body ? "\n\n" : ""}data: `;
  const forData = forBody - shown(one.body).length - label.length;
  const dataTaken = fitting(one.data, Math.max(forData, 0));
  // Half a JSON object helps nobody as long as another call can bring it whole.
  const whole = dataTaken === one.data.length;
  const started = whole || one.body === "" ? dataTaken : 0;
  const quote = { by: one.by, text: started > 0 ? `${text}${label}${one.data.slice(0, started)}` : text };
  if (whole) return [one.envelope, quote];
  return [one.envelope, quote, readOn(one.bodyTotal + one.dataStart + started, total)];
}

/** Gives each what it needs, and those who need too much equal shares of what is left. */
function share(needed: readonly number[], total: number): number[] {
  const rooms = needed.map(() => 0);
  const order = needed.map((_, i) => i).sort((a, b) => needed[a]! - needed[b]!);
  let left = total;
  order.forEach((index, rank) => {
    const fair = Math.floor(left / (order.length - rank));
    rooms[index] = Math.min(needed[index]! + 20, fair);
    left -= rooms[index]!;
  });
  return rooms;
}

/** A beginning of a text, on one line. */
export function onOneLine(text: string, most: number): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length <= most ? line : `${wholeCharacters(line, most - 1)}…`;
}
