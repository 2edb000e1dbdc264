import type { Caller } from "../identity/index.js";
import type { Log } from "./log.js";
import { type Reminded, remind } from "./reminder.js";
import type { Rooms } from "./rooms.js";
import { unreadLine } from "./unread-line.js";

/** An opt-in preview of Claude Code: a server that declares it may push, and its method is named alike. */
export const channelCapability = "claude/channel";
export const channelMethod = `notifications/${channelCapability}`;

/** What is gathered into one hint: how long mail may have waited before it is told. */
const gatherMs = 1_000;

interface ChannelHint {
  readonly content: string;
  readonly meta: Readonly<Record<string, string>>;
}

/**
 * Tells of unread mail in an agent's inbox, at most one hint a second and none twice: counts and names that we have
 * checked, never a word of others. A hint settles nothing; the mail comes with `read_inbox`.
 *
 * @returns stops it
 */
export async function openChannel(
  rooms: Rooms,
  caller: Caller,
  tell: (hint: ChannelHint) => Promise<void>,
  log: Log,
): Promise<() => void> {
  let reminded: Reminded | undefined;
  let timer: NodeJS.Timeout | undefined;
  let over = false;
  const look = async (): Promise<void> => {
    const found = await rooms.mail.unread(caller);
    const { isNews, reminded: next } = remind(reminded, found);
    reminded = next;
    if (!isNews || over) return;
    const { unread, urgent } = found;
    await tell({
      content: unreadLine(caller.principal.agent, found),
      meta: { unread: String(unread), urgent: String(urgent) },
    });
  };
  const onChange = (): void => {
    if (over) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      look().catch((err: unknown) => log.warn({ err }, "no hint of new mail"));
    }, gatherMs);
  };
  const stop = await rooms.watch(caller, { kind: "inbox" }, onChange);
  onChange();
  return () => {
    over = true;
    clearTimeout(timer);
    stop();
  };
}
