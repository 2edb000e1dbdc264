import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import { circleFor } from "./circle-in-words.js";
import type { LockContext } from "./context.js";
import type { Mode } from "./contract.js";
import { modeInWords } from "./state-in-words.js";

const renewLocks = loadScript(import.meta.url, "renew-locks.lua");

/** How a lease, an offer or a place in the queue stands now. */
export interface Standing {
  /** untold: lost as well, and not told with this call. */
  readonly word: "HELD" | "OFFERED" | "WAITING" | "SKIPPED" | "LOST" | "UNTOLD" | "ELSEWHERE";
  /** Of what is lost the last one that was given out by then, 0 where that is not known. */
  readonly token: number;
  /** By the store's clock, ms; and how long that is from now. */
  readonly endsAt: number;
  readonly leftMs: number;
  /** Of what is there. */
  readonly mode: Mode;
}

/** Remembers what passed to a run from another one together with what it named: {id, token or 0, ends at ms, left ms, mode, resources, …}. */
export function rememberPassed(context: LockContext, caller: Caller, words: readonly string[]): void {
  for (let n = 0; n + 5 < words.length; n += 6) {
    const [id, token, leftMs] = [words[n]!, Number(words[n + 1]), Number(words[n + 3])];
    const [mode, resources] = [modeInWords(words[n + 4]!), words[n + 5]!.split("\n")];
    const memory = context.memory(caller);
    if (token === 0) memory.waitsFor(id, resources, "");
    else memory.holds({ id, resources, token, mode }, leftMs);
  }
}

/**
 * Prolongs leases because their run called, to at most an hour beyond the grant or the last renewal, but for those that it may
 * not lock any more; asks how tickets stand.
 *
 * @param denied those that are not prolonged
 * @param mostLost how many of those that are lost the call tells of, which then counts as told
 */
export function touchLeases(
  context: LockContext,
  caller: Caller,
  ids: readonly string[],
  denied: ReadonlySet<string>,
  mostLost: number,
): Promise<ReadonlyMap<string, Standing>> {
  const question = { how: "touch", leaseMs: "", rows: "", mostLost } as const;
  return askStandings(
    context,
    caller,
    question,
    ids.map((id) => (denied.has(id) ? `!${id}` : id)),
  );
}

interface Question {
  readonly how: "renew" | "touch";
  readonly leaseMs: number | "";
  readonly rows: string;
  readonly mostLost: number;
}

export async function askStandings(
  context: LockContext,
  caller: Caller,
  { how, leaseMs, rows, mostLost }: Question,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Standing>> {
  const [word, flat, along] = await context.runFor(caller, renewLocks, [
    how,
    leaseMs,
    context.limits.longestTouchedMs,
    rows,
    context.process,
    mostLost,
    ...ids,
  ]);
  if (word === "DEADLOCK")
    refuse("lock.deadlock", { circle: await circleFor(context, caller, flat as readonly string[]) });
  if (word === "FULL") refuse("lock.full", { who: "this run", limit: context.limits.requestsOfRun });
  rememberPassed(context, caller, along as readonly string[]);
  const words = flat as readonly string[];
  const standings = new Map<string, Standing>();
  for (let n = 0; n + 5 < words.length; n += 6)
    standings.set(words[n]!, {
      word: words[n + 1] as Standing["word"],
      token: Number(words[n + 2]),
      endsAt: Number(words[n + 3]),
      leftMs: Number(words[n + 4]),
      mode: modeInWords(words[n + 5]!),
    });
  return standings;
}
