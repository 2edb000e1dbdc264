import type { Caller } from "../identity/index.js";
import { type MailContext, ownMailbox } from "./context.js";
import type { Inbox } from "./contract.js";
import { lookUp } from "./find-delivery.js";

/** Those of which nobody has to be reminded any more were settled by another run of the agent. */
export async function stillOpen(
  context: MailContext,
  caller: Caller,
  reminders: Inbox["reminders"],
): Promise<Inbox["reminders"]> {
  if (reminders.length === 0) return reminders;
  const ids = reminders.map(({ id }) => id);
  const entries = await lookUp(context, caller.principal.namespace, ownMailbox(caller), ids);
  const open = new Set(entries.filter(({ record }) => record.state === "open").map(({ id }) => id));
  return reminders.filter(({ id }) => open.has(id));
}
