import { loadScript } from "../redis/index.js";
import type { LockContext } from "./context.js";

const releaseRunLocks = loadScript(import.meta.url, "release-run-locks.lua");

const atOnce = 200;

/** Gives back at once what a run that is over held, and takes it out of every queue; nobody else's is touched. */
export async function releaseRun(
  context: LockContext,
  namespace: string,
  run: string,
  inGoodOrder: boolean,
): Promise<void> {
  context.forget(run);
  for (let left = 1; left > 0; ) {
    const [, , more] = await context.run(namespace, releaseRunLocks, [run, inGoodOrder ? "1" : "0", atOnce]);
    left = Number(more);
  }
}
