import { agentToCheck, lookForMail } from "./look-for-mail.js";
import { printJson, printLine } from "./print.js";
import type { Switches } from "./switches.js";

/** Tells in one line what waits for an agent, and nothing at all when nothing does: made for the hooks of clients. */
export async function check(switches: Switches): Promise<void> {
  const agent = agentToCheck(switches);
  const found = await lookForMail(switches, agent);
  if (switches.json) {
    const { unread = 0, urgent = 0, open = 0, senders = [] } = found ?? {};
    printJson({ agent: found?.agent ?? agent, unread, urgent, open, from: senders });
  } else if (found && found.unread > 0) printLine(found.line);
}
