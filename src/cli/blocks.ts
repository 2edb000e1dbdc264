import { nearest, parseAddress } from "../addresses/index.js";
import type { House } from "../compose.js";
import { blockSender, listBlocked, unblockSender } from "../mailbox/index.js";
import { mailboxNamed } from "./mailbox-names.js";
import { NotThere } from "./not-there.js";
import { printJson, printLine, printTable } from "./print.js";
import { UsageError } from "./usage-error.js";
import { asOperator, lookInto, recordLook, type Switches, withHouse } from "./with-house.js";

interface BlockRow {
  readonly mailbox: string;
  readonly sender: string;
}

/** Lists which mailboxes refuse which senders. */
export async function listBlocks(switches: Switches): Promise<void> {
  const rows = await lookInto(switches, [], async (house, { namespace }): Promise<BlockRow[]> => {
    await recordLook(house, "admin.mailboxes", "*");
    const mailboxes = await house.directory.mailboxes(namespace);
    const blocked = await Promise.all(
      mailboxes.map((mailbox) => listBlocked(house.mail, namespace, mailbox)),
    );
    return mailboxes.flatMap((mailbox, n) => blocked[n]!.map((sender) => ({ mailbox, sender })));
  });
  if (switches.json) return printJson(rows);
  if (rows.length === 0) return printLine("No mailbox refuses anybody.");
  printTable(rows, [
    { head: "MAILBOX", cell: ({ mailbox }) => mailbox },
    { head: "REFUSES", cell: ({ sender }) => sender },
  ]);
}

type Named = Switches & { readonly mailbox: string };

/** Has a mailbox refuse a sender from now on; what it already has stays. */
export async function addBlock(given: string, switches: Named): Promise<void> {
  const { mailbox, sender } = await change(given, switches, async (house, block) => {
    await refuseUnknown(house, block.mailbox);
    await asOperator(house, "admin.mailboxes", block.mailbox, (caller) =>
      blockSender(house.mail, caller, block.mailbox, block.sender),
    );
    return block;
  });
  if (switches.json) printJson({ mailbox, sender, blocked: true });
  else printLine(`${mailbox} refuses what ${sender} sends; what it already has stays.`);
}

/** Has a mailbox accept a sender again. */
export async function removeBlock(given: string, switches: Named): Promise<void> {
  const { mailbox, sender, removed } = await change(given, switches, async (house, block) => ({
    ...block,
    removed: await asOperator(house, "admin.mailboxes", block.mailbox, (caller) =>
      unblockSender(house.mail, caller, block.mailbox, block.sender),
    ),
  }));
  if (!removed)
    throw new NotThere(`${mailbox} does not refuse ${sender}; llm-mailbox blocks lists who refuses whom`);
  if (switches.json) printJson({ mailbox, sender, blocked: false });
  else printLine(`${mailbox} accepts what ${sender} sends.`);
}

function change<T>(
  given: string,
  switches: Named,
  work: (house: House, block: BlockRow) => Promise<T>,
): Promise<T> {
  const sender = parseAddress(given);
  if (sender.kind !== "agent") throw new UsageError(`${given} is not the name of an agent`);
  const block = { mailbox: mailboxNamed(switches.mailbox), sender: sender.name };
  return withHouse(switches, (house) => work(house, block));
}

/** A block of a name that nobody has would be taken for one that works. */
async function refuseUnknown(house: House, mailbox: string): Promise<void> {
  const all = await house.directory.mailboxes(house.config.namespace);
  if (all.includes(mailbox)) return;
  const meant = nearest(mailbox, all);
  throw new NotThere(
    `there is no mailbox ${mailbox}${meant ? `; did you mean ${meant}?` : "; llm-mailbox agents and llm-mailbox queues list them"}`,
  );
}
