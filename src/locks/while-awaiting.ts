import type { Caller } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import { circleInWords } from "./circle-in-words.js";
import type { LockContext } from "./context.js";

const noteAwaiting = loadScript(import.meta.url, "note-awaiting.lua");

/** How long a wait that was not waited stays noted, ms. */
const shownMs = 2_000;

/** Whether this run has a lease, as far as this process knows. */
export function holdsSomething(context: LockContext, caller: Caller): boolean {
  return (context.known(caller)?.leases.size ?? 0) > 0;
}

/**
 * While a run that holds something waits for a message or a decision of one agent, that agent is warned when it waits for
 * what the run holds, itself or by others: neither would go on. A run that closes such a circle is warned too, with the
 * news of its locks, and does not wait the first time. Costs nothing for a run that holds nothing.
 *
 * @param work told whether it may wait
 */
export async function whileAwaiting<T>(
  context: LockContext,
  caller: Caller,
  awaited: string | undefined,
  work: (mayWait: boolean) => Promise<T>,
): Promise<T> {
  if (!awaited || !holdsSomething(context, caller)) return work(true);
  const note = async (agent: string): Promise<string | undefined> => {
    try {
      const args = [caller.run.id, agent];
      const [, circle] = await context.run(caller.principal.namespace, noteAwaiting, args);
      const steps = circle as readonly string[];
      return steps.length > 0 ? circleInWords(steps, caller.principal.agent) : undefined;
    } catch (error) {
      // It is a warning to others and must not fail the call that it is about.
      context.deps.log("a wait for another agent was not noted", { error: (error as Error).message });
      return undefined;
    }
  };
  const memory = context.memory(caller);
  clearTimeout(memory.noteEnds);
  const isNews = memory.isNewsOfAwaited(await note(awaited));
  try {
    return await work(!isNews);
  } finally {
    // Who was hinted at this wait looks in a moment, and must still find it.
    if (isNews) memory.noteEnds = setTimeout(() => void note(""), shownMs).unref();
    else void note("");
  }
}
