import type { Caller } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import { type MailContext, ownMailbox } from "./context.js";
import { parseEntries } from "./delivery-record.js";
import { messageIdAt } from "./message-id.js";

const peekScript = loadScript(import.meta.url, "peek-inbox.lua");

const sendersLookedAt = 30;

export interface UnreadMail {
  readonly unread: number;
  readonly urgent: number;
  readonly open: number;
  readonly dead: number;
  /** Who wrote what is first in the mailbox itself, most urgent first. */
  readonly senders: readonly string[];
  /** When the newest of these was written, ms; 0 when there is none. */
  readonly newestAt: number;
  /** The store's clock before it was looked, ms. */
  readonly lookedAt: number;
}

/**
 * What waits for an agent in its mailbox and the topics it follows. Only looked at: nothing is delivered or passed
 * over, no gap counts as told, and the caller needs no run.
 */
export async function unreadMail(context: MailContext, caller: Caller): Promise<UnreadMail> {
  const lookedAt = context.deps.store.now();
  const [reply, follows] = await Promise.all([
    context.run(caller.principal.namespace, ownMailbox(caller), peekScript, [
      "ready",
      sendersLookedAt,
      "",
      "",
      0,
      "",
      "0",
      "",
      "",
    ]),
    context.deps.feed.follows(caller),
  ]);
  const [, counted, heads] = reply;
  const [ready, urgent, open, dead] = (counted as readonly string[]).map(Number);
  const entries = parseEntries(heads);
  // What has expired unread is counted there until the mailbox is next used.
  const some = entries.length > 0;
  const feed = follows
    ? await context.deps.feed.heads(caller, { seen: [], unseen: [], filter: { minPriority: 0 }, limit: 0 })
    : { unread: 0, urgent: 0, open: 0 };
  return {
    unread: (some ? ready! : 0) + feed.unread,
    urgent: (some ? urgent! : 0) + feed.urgent,
    open: open! + feed.open,
    dead: dead!,
    senders: [...new Set(entries.map(({ record }) => record.sender))],
    newestAt: Math.max(0, ...entries.map(({ id }) => messageIdAt(id))),
    lookedAt,
  };
}
