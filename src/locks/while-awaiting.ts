import type { Caller } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import type { LockContext } from "./context.js";

const noteAwaiting = loadScript(import.meta.url, "note-awaiting.lua");

/** Whether this run has a lease, as far as this process knows. */
export function holdsSomething(context: LockContext, caller: Caller): boolean {
  return (context.known(caller)?.leases.size ?? 0) > 0;
}

/**
 * While a run that holds something waits for a message or a decision of one agent, that agent is warned when it queues
 * for what the run holds: neither would go on. Costs nothing for a run that holds nothing.
 */
export async function whileAwaiting<T>(
  context: LockContext,
  caller: Caller,
  awaited: string | undefined,
  work: () => Promise<T>,
): Promise<T> {
  if (!awaited || !holdsSomething(context, caller)) return work();
  const note = async (agent: string): Promise<void> => {
    try {
      await context.run(caller.principal.namespace, noteAwaiting, [caller.run.id, agent]);
    } catch (error) {
      // It is a warning to others and must not fail the call that it is about.
      context.deps.log("a wait for another agent was not noted", { error: (error as Error).message });
    }
  };
  await note(awaited);
  try {
    return await work();
  } finally {
    void note("");
  }
}
