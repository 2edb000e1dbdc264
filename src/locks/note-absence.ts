import type { Caller } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import type { LockContext } from "./context.js";

const script = loadScript(import.meta.url, "note-absence.lua");

/**
 * Notes that the client of a run is not seen any more although its process lives, or that it is there again. What such a
 * run is offered lasts for some seconds and not for minutes, and when its turn comes it is passed over; its leases and its
 * places stay. Costs nothing for a run that neither holds nor waits.
 *
 * @throws {MailboxError} `store.*`
 */
export async function noteAbsence(context: LockContext, caller: Caller, isAbsent: boolean): Promise<void> {
  if (isAbsent && (context.known(caller)?.isEmpty ?? true)) return;
  await context.run(caller.principal.namespace, script, [caller.run.id, isAbsent ? "1" : ""]);
}
