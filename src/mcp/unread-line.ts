import type { UnreadMail } from "../mailbox/index.js";

/** A client may put this line before a model: only counts and names that we have checked stand in it. */
export function unreadLine(
  agent: string,
  { unread, urgent, senders }: Pick<UnreadMail, "unread" | "urgent" | "senders">,
): string {
  const names = senders.slice(0, 3).join(", ") + (senders.length > 3 ? " and others" : "");
  const facts = [
    `${unread} unread ${unread === 1 ? "message" : "messages"} for ${agent}`,
    ...(urgent > 0 ? [`${urgent} urgent`] : []),
    ...(names === "" ? ["from topics"] : [`from ${names}`]),
  ];
  return `LLM Mailbox: ${facts.join(", ")}. Call read_inbox to read.`;
}
