import { lockKeys } from "../redis/index.js";
import type { LockContext } from "./context.js";
import { releaseStopped } from "./release-run.js";

/**
 * Takes every lease, offer and place in a queue from an agent, whichever of its runs has it. A lease counts as lost:
 * its token is stale from then on, and what it protected rests where so configured. Runs that go on are told of all of it, a
 * session of edit hooks when it edits that again.
 */
export async function releaseAgent(context: LockContext, namespace: string, agent: string): Promise<void> {
  const { runs } = lockKeys(namespace);
  const all = (await context.deps.store.command("HKEYS", runs)) as string[];
  for (const run of all) if (run.startsWith(`${agent}/`)) await releaseStopped(context, namespace, run);
}
