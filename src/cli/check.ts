import { lookForMail, settingsForLook } from "./look-for-mail.js";
import { printJson, printLine } from "./print.js";
import type { ServerSwitches, Switches } from "./switches.js";

/** Tells in one line what waits for an agent, and nothing at all when nothing does: made for the hooks of clients. */
export async function check(switches: Switches & ServerSwitches): Promise<void> {
  const config = settingsForLook(switches);
  const found = await lookForMail(config);
  if (switches.json) {
    const { unread = 0, urgent = 0, open = 0, senders = [] } = found ?? {};
    printJson({ agent: config.agent, unread, urgent, open, from: senders });
  } else if (found && found.unread > 0) printLine(found.line);
}
