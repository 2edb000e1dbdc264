import type { Caller } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import type { LockContext } from "./context.js";

const noteMailWait = loadScript(import.meta.url, "note-mail-wait.lua");

/**
 * While a run that holds something waits for a message of one agent, that agent is warned when it queues for what the
 * run holds: neither would go on. Costs nothing for a run that holds nothing.
 */
export async function duringMailWait<T>(
  context: LockContext,
  caller: Caller,
  sender: string | undefined,
  work: () => Promise<T>,
): Promise<T> {
  if (!sender || !context.known(caller)?.leases.size) return work();
  const note = async (agent: string): Promise<void> => {
    try {
      await context.run(caller.principal.namespace, noteMailWait, [caller.run.id, agent]);
    } catch (error) {
      // It is a warning to others and must not fail the call that it is about.
      context.deps.log("a wait for mail was not noted", { error: (error as Error).message });
    }
  };
  await note(sender);
  try {
    return await work();
  } finally {
    void note("");
  }
}
