import { printLine } from "./print.js";
import { asOperator, type Switches, withHouse } from "./with-house.js";

/** Shows or sets what becomes of mail to names nobody has. */
export async function unknownNames(rule: "open" | "refuse" | undefined, switches: Switches): Promise<void> {
  const holds = await withHouse(switches, async (house, { namespace }) => {
    if (rule)
      await asOperator(house, "admin.mailboxes", "*", (_, admission) =>
        house.directory.setUnknownRecipients(namespace, rule, admission),
      );
    return house.directory.unknownRecipients(namespace);
  });
  printLine(
    holds === "open"
      ? "Mail to a name nobody has opens a mailbox for it (a near miss of a known name is refused)."
      : "Mail to a name nobody has is refused.",
  );
}
