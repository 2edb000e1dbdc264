import { z } from "zod";
import { type FoundMessage, Priority, SearchMessages, type SearchResult } from "../../mailbox/index.js";
import { defineTool, type Telling } from "../define-tool.js";
import { onOneLine } from "../message-parts.js";
import { type Part, shown } from "../reply.js";
import { underLock } from "../under-lock.js";
import { messageLockOutput } from "./read-inbox.js";

/** A page of text has room for this many with their envelopes; a program that gets the whole answer may ask for more. */
const mostShown = 20;

export const searchMessages = defineTool({
  name: "search_messages",
  title: "Search messages",
  description: "Find messages you received, sent or may read in topics. Takes nothing from the inbox.",
  input: SearchMessages,
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
        lock: messageLockOutput.exactOptional(),
        excerpt: z.string(),
        states: z.array(
          z.object({
            to: z.string(),
            state: z.enum([
              "stored",
              "read",
              "settled",
              "unconfirmed",
              "expired",
              "dead",
              "recalled",
              "pending",
              "refused",
            ]),
            overdue: z.boolean().exactOptional(),
          }),
        ),
      }),
    ),
    cursor: z.string().exactOptional(),
  }),
  needs: ["mailbox.read", "topic.read"],
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  handle: (input, { caller, mail, structured }) =>
    mail.searchMessages(
      caller,
      structured || (input.limit ?? 0) <= mostShown ? input : { ...input, limit: mostShown },
    ),
  say: tell,
});

/** One call looks in one place: who looked in the wrong one learns of the others. */
function nothing({ sent, topic }: SearchMessages): string {
  if (topic !== undefined) return "nothing found in topics";
  return sent
    ? "nothing found in what you sent"
    : "nothing found in what you received; sent: true searches what you sent, topic: what was published there";
}

function tell(found: SearchResult, { input, room }: Telling<SearchMessages>): Part[] {
  const next = found.cursor ? `more: search_messages with cursor: ${found.cursor}` : "";
  if (found.messages.length === 0) return [next ? `nothing on this page\n${next}` : nothing(input)];
  const all = found.messages.map((message, i) => `${i + 1}. ${envelope(message)}`);
  const lines = all.slice(0, fittingCount(all, found.messages, room - next.length - 500));
  const left = found.messages.slice(lines.length).map(({ id }) => id);
  const texts = found.messages
    .slice(0, lines.length)
    .map((message, i) => [`${i + 1}. `, message] as const)
    .filter(([, message]) => hasText(message));
  // The cursor is behind all of them: those without a line are named.
  if (left.length > 0)
    lines.push(`[no room here for ${left.join(", ")}: read each with read_inbox message_id]`);
  const fixed = lines.join("\n").length + next.length + 400;
  const each = Math.max(Math.floor((room - fixed) / Math.max(texts.length, 1)) - 8, 20);
  const quoted = texts.map(([label, message]) => label + excerpt(message, each)).join("\n");
  return [
    `${found.messages.length === 1 ? "1 message" : `${found.messages.length} messages`}; whole texts: read_inbox message_id${next ? `; ${next}` : ""}\n${lines.join("\n")}`,
    ...(quoted ? [{ by: "their senders", text: quoted }] : []),
  ];
}

function hasText({ subject, excerpt }: FoundMessage): boolean {
  return Boolean(subject) || excerpt !== "";
}

/** How many have room for their line and a piece of their text, so that there is room to name the others. */
function fittingCount(lines: readonly string[], messages: readonly FoundMessage[], room: number): number {
  const cost = (n: number): number => lines[n]!.length + 40;
  let count = lines.length;
  let used = lines.reduce((sum, _, n) => sum + cost(n), 0);
  while (count > 1 && used > room) {
    if (count === lines.length) used += 80; // the words around the names
    count -= 1;
    used += messages[count]!.id.length + 2 - cost(count);
  }
  return count;
}

function excerpt(message: FoundMessage, most: number): string {
  const text = `${message.subject ? `${message.subject}: ` : ""}${message.excerpt}`;
  return onOneLine(shown(onOneLine(text, most)), most);
}

function envelope(message: FoundMessage): string {
  const states = message.states.map((one) => `${one.to} ${one.state}${one.overdue ? " (overdue)" : ""}`);
  const listed = states.length > 4 ? [...states.slice(0, 3), `${states.length - 3} others`] : states;
  return [
    `${message.id} from ${message.from}${message.verified ? "" : " (unverified)"} to ${onOneLine(message.to, 100)}`,
    message.sent_at,
    message.priority === "normal" ? "" : message.priority,
    message.thread === message.id ? "" : `thread ${message.thread}`,
    underLock(message),
    hasText(message) ? "" : "no text",
    listed.join(", "),
  ]
    .filter(Boolean)
    .join(" · ");
}
