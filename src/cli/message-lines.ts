import { visible } from "../addresses/index.js";
import { type Delivery, envelope, type MessageLock, type StoredMessage } from "../mailbox/index.js";
import { printLine } from "./print.js";

const linesShown = 20;

/** A message for a person: who vouches for what first, then the text of its sender, indented, nothing in it hidden. */
export function printMessage(message: StoredMessage): void {
  const facts = [
    ["id", message.id],
    ["from", message.from + (message.verified ? "" : " (unverified)")],
    ["to", message.to],
    ["sent", new Date(message.sentAt).toISOString()],
    ["priority", message.priority],
    ["thread", message.thread],
    ...(message.inReplyTo ? [["in reply to", message.inReplyTo]] : []),
    ...(message.lock ? [["under lock", lockOf(message.lock)]] : []),
    ...(message.subject ? [["subject", visible(message.subject)]] : []),
    ...(message.contentType === "text/plain" ? [] : [["content type", visible(message.contentType)]]),
  ] as const;
  for (const [name, value] of facts) printLine(`  ${`${name}:`.padEnd(14)}${value}`);
  printLine();
  for (const line of textLines(message)) printLine(`  │ ${line}`);
  printLine();
}

/** A message in passing: one line about it, and the beginning of its text. */
export function printPassing({ message, state }: Delivery, inTopic: boolean): void {
  const facts = [
    new Date(message.sentAt).toISOString(),
    `${message.from}${message.verified ? "" : " (unverified)"} → ${message.to}`,
    ...(message.priority === "normal" ? [] : [message.priority]),
    // In a topic each follower has a position of its own.
    ...(inTopic ? [] : [state]),
    ...(message.lock ? [`under lock ${lockOf(message.lock)}`] : []),
    message.id,
  ];
  printLine(facts.join("  "));
  if (message.subject) printLine(`  │ ${visible(message.subject)}`);
  const lines = textLines(message);
  for (const line of lines.slice(0, linesShown)) printLine(`  │ ${line}`);
  if (lines.length > linesShown) printLine(`  … ${lines.length - linesShown} more lines`);
}

export function messageAsJson({ message, state }: Delivery, inTopic: boolean): object {
  return {
    ...envelope(message),
    ...(message.inReplyTo ? { in_reply_to: message.inReplyTo } : {}),
    ...(inTopic ? {} : { state }),
    content_type: message.contentType,
    body: message.body,
    ...(message.data ? { data: message.data } : {}),
  };
}

function lockOf({ resource, fencing_token: token }: MessageLock): string {
  return `${JSON.stringify(resource)}, token ${token}`;
}

/** The bar before each line is ours: no text can pretend to be the envelope of another message. */
function textLines(message: StoredMessage): string[] {
  const lines = visible(message.body.replaceAll("\r\n", "\n"), "\n\t").split("\n");
  return message.data ? [...lines, `data: ${visible(JSON.stringify(message.data))}`] : lines;
}
