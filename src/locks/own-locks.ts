import type { Caller } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import type { LockContext } from "./context.js";
import type { OwnLocks } from "./contract.js";
import { modeInWords } from "./state-in-words.js";
import { whoseRun } from "./whose-run.js";

const ownLocksScript = loadScript(import.meta.url, "own-locks.lua");

const mostListed = 50;

/** Whether an agent holds, is offered or waits for anything, in any of its runs. */
export async function hasLocks(
  context: LockContext,
  { namespace, agent }: Caller["principal"],
): Promise<boolean> {
  const [, total] = await context.run(namespace, ownLocksScript, [agent, 0]);
  return Number(total) > 0;
}

/** What the caller's agent holds, is offered and waits for, in this run and its others. */
export async function ownLocks(context: LockContext, caller: Caller): Promise<OwnLocks> {
  const { namespace, agent } = caller.principal;
  const [, total, flat] = await context.run(namespace, ownLocksScript, [agent, mostListed]);
  const words = flat as readonly string[];
  const held: OwnLocks["held"][number][] = [];
  const waiting: OwnLocks["waiting"][number][] = [];
  for (let n = 0; n + 8 < words.length; n += 9) {
    const [id, run, mode, state, token, endsAt, place, skipped, resources] = words.slice(n, n + 9) as [
      ...[string, string, string, string, string, string, string, string, string],
    ];
    const one = {
      mode: modeInWords(mode),
      own: whoseRun(run, caller),
      resources: resources.split("\n"),
    };
    const until = new Date(Number(endsAt)).toISOString();
    if (state === "held") held.push({ ...one, lock_id: id, token: Number(token), until });
    else if (state === "offered") waiting.push({ ...one, ticket: id, state: "your turn", until });
    else
      waiting.push({
        ...{ ...one, ticket: id, place: Number(place) },
        state: skipped === "1" ? "passed over" : "waiting",
      });
  }
  return { held, waiting, more: Number(total) - held.length - waiting.length };
}
