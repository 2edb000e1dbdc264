import type { Caller } from "../../identity/index.js";
import type { DeliveredMessage } from "../../mailbox/index.js";
import { entryLine } from "../entry-line.js";
import { envelopeLine } from "../message-parts.js";
import { frame, newBoundary, shown } from "../reply.js";
import type { Rooms, WholeMessage } from "../rooms.js";
import { underLock, wholeResource } from "../under-lock.js";
import type { ResourceName } from "./resource-uri.js";

export interface ResourceText {
  readonly mimeType: "application/json" | "text/plain";
  readonly text: string;
}

/** Most envelopes of the inbox, and of messages on a page of history. */
const pageLength = 50;

/** The text of a resource. Reading takes and settles nothing. */
export async function readResource(rooms: Rooms, caller: Caller, name: ResourceName): Promise<ResourceText> {
  switch (name.kind) {
    case "inbox":
      return json(await inbox(rooms, caller));
    case "topics":
      return json({ topics: await rooms.topics.listTopics(caller) });
    case "locks":
      return json(await rooms.locks.listLocks(caller, {}));
    case "agents":
      return json(await rooms.agents.findRecipients(caller, {}));
    case "topic":
      return text(await history(rooms, caller, name));
    case "thread": {
      const { messages, earlier } = await rooms.mail.thread(caller, name.id);
      const head = earlier
        ? `${earlier} earlier messages are left out; search_messages thread: ${name.id}`
        : "";
      return text(
        [head, whole(messages)].filter(Boolean).join("\n\n") || "no messages of this thread that you may see",
      );
    }
    case "state": {
      const [entry] = (await rooms.state.getState(caller, { key: name.key })).entries;
      return text(
        entry
          ? `${entryLine(entry)}\n${frame(entry.by, shown(entry.value), newBoundary())}`
          : `no entry under ${name.key}`,
      );
    }
    case "message":
      return text(whole([await rooms.mail.messageById(caller, name.id)]));
  }
}

async function inbox(rooms: Rooms, caller: Caller): Promise<object> {
  const { messages, unread, urgent, open } = await rooms.mail.readInbox(
    caller,
    { peek: true, limit: pageLength },
    { maxChars: Number.MAX_SAFE_INTEGER },
  );
  const envelopes = messages.map(({ body, data, attachments, ...envelope }) => ({
    ...envelope,
    ...(envelope.subject && { subject: shown(envelope.subject) }),
    content_type: shown(envelope.content_type),
    body_characters: body.length,
    attachments: attachments?.length ?? 0,
  }));
  return { unread, urgent, open, note: "subjects were written by the senders", envelopes };
}

async function history(
  rooms: Rooms,
  caller: Caller,
  { name, before, limit }: Extract<ResourceName, { kind: "topic" }>,
): Promise<string> {
  const page = await rooms.topics.history(caller, name, {
    ...(before && { before }),
    limit: limit ?? pageLength,
  });
  const older = page.before ? `older messages: mailbox://topics/${name}?before=${page.before}` : "";
  const boundary = newBoundary();
  const messages = page.messages.map((message) => `${envelopeLine(message)}\n${quote(message, boundary)}`);
  return [older, ...messages].filter(Boolean).join("\n\n") || `no messages in topic:${name}`;
}

function whole(messages: readonly WholeMessage[]): string {
  const boundary = newBoundary();
  return messages.map((message) => `${foundEnvelope(message)}\n${quote(message, boundary)}`).join("\n\n");
}

function foundEnvelope(message: WholeMessage): string {
  const states = message.states.map((one) => `${one.to}: ${one.state}${one.overdue ? " (overdue)" : ""}`);
  return [
    `${message.id} from ${message.from}${message.verified ? "" : " (unverified)"} to ${message.to}`,
    message.sent_at,
    message.priority === "normal" ? "" : message.priority,
    `thread ${message.thread}`,
    message.in_reply_to ? `in reply to ${message.in_reply_to}` : "",
    underLock(message),
    states.join(", "),
  ]
    .filter(Boolean)
    .join(" · ");
}

function quote(message: DeliveredMessage | WholeMessage, boundary: string): string {
  const lines = [
    wholeResource(message),
    message.subject ? `subject: ${message.subject.replace(/\s+/g, " ")}` : "",
    message.content_type === "text/plain" ? "" : `content type: ${message.content_type.replace(/\s+/g, " ")}`,
    ...(message.attachments ?? []).map((one) => `attachment ${one.id}: ${one.name}, ${one.bytes} bytes`),
    message.body,
    message.data ? `data: ${JSON.stringify(message.data)}` : "",
  ];
  return frame(message.from, shown(lines.filter(Boolean).join("\n")), boundary);
}

function json(value: unknown): ResourceText {
  return { mimeType: "application/json", text: escapeHidden(JSON.stringify(value)) };
}

/** JSON stays JSON: what a reader would not see is written as the escape that JSON has for it. */
function escapeHidden(text: string): string {
  return text.replace(/[\p{Cf}\p{Cc}\p{Zl}\p{Zp}\p{Co}\p{Default_Ignorable_Code_Point}]/gu, (character) =>
    [...Array(character.length).keys()]
      .map((i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}

function text(value: string): ResourceText {
  return { mimeType: "text/plain", text: value };
}
