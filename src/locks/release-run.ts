import { loadScript } from "../redis/index.js";
import { agentOf } from "./agent-of.js";
import type { LockContext } from "./context.js";
import type { LockNews } from "./contract.js";

const releaseRunLocks = loadScript(import.meta.url, "release-run-locks.lua");

/** How many resources one script gives back: others are served in between. */
const atOnce = 400;

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
  const kept = context.knownOf(run)?.kept ?? [];
  context.forget(run);
  await release(context, namespace, run, { inGoodOrder, isToldOf, kept, goesOn: false });
}

/** Takes from a run that goes on, because its agent was stopped, what it holds and waits for. It is told so itself. */
export function releaseStopped(context: LockContext, namespace: string, run: string): Promise<void> {
  return release(context, namespace, run, { inGoodOrder: false, isToldOf: false, kept: [], goesOn: true });
}

interface Release {
  readonly inGoodOrder: boolean;
  readonly isToldOf: boolean;
  /** What a reply told that did not reach its client. */
  readonly kept: readonly LockNews[];
  readonly goesOn: boolean;
}

async function release(
  context: LockContext,
  namespace: string,
  run: string,
  { inGoodOrder, isToldOf, kept, goesOn }: Release,
): Promise<void> {
  let untold = kept;
  try {
    for (let left = 1; left > 0; ) {
      const [, , more] = await context.runForAgent(namespace, agentOf(run), releaseRunLocks, [
        run,
        inGoodOrder ? "1" : "0",
        isToldOf ? "1" : "0",
        atOnce,
        keptLines(untold, isToldOf),
        goesOn ? "1" : "",
      ]);
      left = Number(more);
      untold = [];
    }
  } catch (error) {
    // Whoever tries again tells of it.
    if (untold.length > 0) context.memoryOf(namespace, run).kept.push(...untold);
    throw error;
  }
}

/**
 * What a reply told that did not reach its client, as lua/losses.lua notes it.
 *
 * @param isToldOf whether also what the run lost itself, and not only what it should have told of earlier runs
 */
function keptLines(kept: readonly LockNews[], isToldOf: boolean): string {
  const lines: string[] = [];
  for (const one of kept) {
    if (!isToldOf && one.what !== "lost with its run" && one.what !== "place lost with its run") continue;
    const what = whatWasLost[one.what];
    if (what && "resources" in one) lines.push(`${what}|${one.id}\t${one.resources.join("\t")}\n`);
  }
  return lines.join("");
}

const whatWasLost: Partial<Record<LockNews["what"], "held" | "waiting">> = {
  lost: "held",
  "lost with its run": "held",
  "place lost": "waiting",
  "place lost with its run": "waiting",
};
