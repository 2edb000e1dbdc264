import { loadScript, type MailboxName } from "../redis/index.js";
import type { MailContext } from "./context.js";

const inspectScript = loadScript(import.meta.url, "inspect-mailbox.lua");

export interface MailboxCounts {
  readonly ready: number;
  readonly urgent: number;
  /** Delivered and not settled. */
  readonly open: number;
  /** Given back, and due again later. */
  readonly delayed: number;
  readonly dead: number;
  /** Of what is unsettled. */
  readonly bytes: number;
  /** Dead letters that were dropped because there were too many or they were too old. */
  readonly deadTrimmed: number;
  /** run → how many messages are open at it */
  readonly openAt: ReadonlyMap<string, number>;
}

/** What a mailbox or queue holds at one instant; for the operator, so of any name, and zero throughout for an unknown one. */
export async function inspectMailbox(
  context: MailContext,
  namespace: string,
  mailbox: MailboxName,
): Promise<MailboxCounts> {
  const [, ready, urgent, open, delayed, dead, bytes, trimmed, runs] = await context.run(
    namespace,
    mailbox,
    inspectScript,
    [],
  );
  const flat = (runs ?? []) as readonly string[];
  const openAt = new Map<string, number>();
  for (let n = 0; n + 1 < flat.length; n += 2) openAt.set(flat[n]!, Number(flat[n + 1]));
  return {
    ready: Number(ready),
    urgent: Number(urgent),
    open: Number(open),
    delayed: Number(delayed),
    dead: Number(dead),
    bytes: Number(bytes),
    deadTrimmed: Number(trimmed),
    openAt,
  };
}
