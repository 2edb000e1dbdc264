import type { Resource } from "../addresses/index.js";
import type { Caller } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import type { LockContext } from "./context.js";
import type { Mode } from "./contract.js";
import { isGuardRun } from "./guard-run.js";
import { modeInWords } from "./state-in-words.js";

const findLockScript = loadScript(import.meta.url, "find-lock.lua");

/** What a lease or a ticket is for, which never changes. */
export interface FoundLock {
  readonly resources: readonly Resource[];
  /** Missing where nobody asked for it. */
  readonly mode?: Mode;
  /** An edit hook of the agent has it. */
  readonly ofHook: boolean;
}

/** What a lease or a ticket of the caller's agent is for, whichever of its runs has it; undefined when there is none. */
export async function findLock(
  context: LockContext,
  caller: Caller,
  id: string,
): Promise<FoundLock | undefined> {
  const { namespace, agent } = caller.principal;
  const [word, run, mode, ...resources] = await context.run(namespace, findLockScript, [agent, id]);
  if (word === "UNKNOWN") return undefined;
  return {
    resources: resources as Resource[],
    mode: modeInWords(String(mode)),
    ofHook: isGuardRun(String(run)),
  };
}
