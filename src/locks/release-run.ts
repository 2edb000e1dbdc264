import { loadScript } from "../redis/index.js";
import { agentOf } from "./agent-of.js";
import type { LockContext } from "./context.js";

const releaseRunLocks = loadScript(import.meta.url, "release-run-locks.lua");

const atOnce = 200;

/**
 * Gives back at once what a run that is over held, and takes it out of every queue; nobody else's is touched.
 *
 * @param isToldOf whether the next run of its agent is told what was lost: for a run that ended without its client's doing
 */
export async function releaseRun(
  context: LockContext,
  namespace: string,
  run: string,
  inGoodOrder: boolean,
  isToldOf = false,
): Promise<void> {
  context.forget(run);
  for (let left = 1; left > 0; ) {
    const [, , more] = await context.runForAgent(namespace, agentOf(run), releaseRunLocks, [
      run,
      inGoodOrder ? "1" : "0",
      isToldOf ? "1" : "0",
      atOnce,
    ]);
    left = Number(more);
  }
}
