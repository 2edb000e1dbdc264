import { parseAddress } from "../addresses/index.js";
import { recallMessage } from "../mailbox/index.js";
import { printJson, printLine } from "./print.js";
import { UsageError } from "./usage-error.js";
import { asOperator, type Switches, withHouse } from "./with-house.js";

/** Takes a message back from every recipient who has not been given it yet. */
export async function recall(id: string, switches: Switches & { readonly sender: string }): Promise<void> {
  const sender = parseAddress(switches.sender);
  if (sender.kind !== "agent")
    throw new UsageError("--sender is the name of the agent that sent the message");
  const { recalled, delivered } = await withHouse(switches, (house) =>
    asOperator(house, "admin.mailboxes", sender.name, (caller) =>
      recallMessage(house.mail, caller, sender.name, id),
    ),
  );
  if (switches.json) return printJson({ message_id: id, recalled, delivered });
  printLine(`Recalled from ${recalled.join(", ")}.`);
  if (delivered.length > 0)
    printLine(`Too late for ${delivered.join(", ")}: delivered already, or published to a topic.`);
}
