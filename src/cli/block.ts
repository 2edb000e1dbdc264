import { parseAddress } from "../addresses/index.js";
import { blockSender, unblockSender } from "../mailbox/index.js";
import { mailboxNamed } from "./mailbox-names.js";
import { printLine } from "./print.js";
import { UsageError } from "./usage-error.js";
import { type Switches, withHouse } from "./with-house.js";

/** Lets a mailbox refuse what a sender sends from now on. */
export async function block(mailbox: string, sender: string, switches: Switches): Promise<void> {
  const [at, from] = [mailboxNamed(mailbox), agentNamed(sender)];
  await withHouse(switches, (house, { namespace }) => blockSender(house.mail, namespace, at, from));
  printLine(
    `${at} refuses mail from ${from} now. What it already has stays; recall takes back what is unread.`,
  );
}

/** Takes a block back. */
export async function unblock(mailbox: string, sender: string, switches: Switches): Promise<void> {
  const [at, from] = [mailboxNamed(mailbox), agentNamed(sender)];
  const was = await withHouse(switches, (house, { namespace }) =>
    unblockSender(house.mail, namespace, at, from),
  );
  printLine(was ? `${at} takes mail from ${from} again.` : `${from} was not blocked at ${at}.`);
}

function agentNamed(given: string): string {
  const address = parseAddress(given);
  if (address.kind !== "agent") throw new UsageError(`${given} is not the name of an agent`);
  return address.name;
}
