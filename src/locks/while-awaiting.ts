import type { Caller } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import { circleFor } from "./circle-in-words.js";
import type { LockContext } from "./context.js";
import { isGuardRun } from "./guard-run.js";
import type { KnownCircle } from "./lease-memory.js";

const noteAwaiting = loadScript(import.meta.url, "note-awaiting.lua");

/** How long a wait that was not waited stays noted, ms. */
const shownMs = 2_000;

/**
 * While a run waits for a message or a decision of one agent and holds something, or edit hooks of its agent do, that agent
 * is warned when it waits for that, itself or by others: neither would go on. A run that closes such a circle is warned
 * too, with the news of its locks, and does not wait the first time. One look at the store where nothing is held, because
 * no process knows what hooks reserve.
 *
 * @param work told whether it may wait
 */
export async function whileAwaiting<T>(
  context: LockContext,
  caller: Caller,
  awaited: string | undefined,
  work: (mayWait: boolean) => Promise<T>,
): Promise<T> {
  if (!awaited) return work(true);
  clearTimeout(context.known(caller)?.noteEnds);
  const noted = await note(context, caller, awaited);
  if (noted === "free") {
    context.known(caller)?.isNewsOfAwaited(undefined);
    return work(true);
  }
  const memory = context.memory(caller);
  const isNews = memory.isNewsOfAwaited(noted);
  const end = (): void => void note(context, caller, "");
  try {
    return await work(!isNews);
  } finally {
    // Who was hinted at this wait looks in a moment, and must still find it.
    if (isNews) memory.noteEnds = setTimeout(end, shownMs).unref();
    else end();
  }
}

/** The circle that it closes; free where nobody could wait for anything of it. */
async function note(
  context: LockContext,
  caller: Caller,
  awaited: string,
): Promise<KnownCircle | "free" | undefined> {
  try {
    const args = [caller.run.id, awaited];
    const [word, circle = []] = await context.run(caller.principal.namespace, noteAwaiting, args);
    if (word === "FREE") return "free";
    const steps = circle as readonly string[];
    if (steps.length === 0) return undefined;
    return {
      inWords: await circleFor(context, caller, steps),
      byOwnHook: isGuardRun(steps.at(-1)!),
    };
  } catch (error) {
    // It is a warning to others and must not fail the call that it is about.
    context.deps.log("a wait for another agent was not noted", { error: (error as Error).message });
    return undefined;
  }
}
