import { randomBytes } from "node:crypto";
import type { Caller, Principal, Run, RunId } from "../identity/index.js";
import { directoryKeys, LastTime, loadScript, type Reply, type Store } from "../redis/index.js";
import { isRunning, type ProcessPlace, processId, thisPlace } from "./process-place.js";

const beginRun = loadScript(import.meta.url, "begin-run.lua");
const endRun = loadScript(import.meta.url, "end-run.lua");
const beat = loadScript(import.meta.url, "beat.lua");
const lookAtProcesses = loadScript(import.meta.url, "look-at-processes.lua");
const buryRun = loadScript(import.meta.url, "bury-run.lua");
const returnRuns = loadScript(import.meta.url, "return-runs.lua");

const beatEveryMs = 5_000;
const sweepEveryMs = 2_000;
const sweepLeaseMs = 6_000;
const goneAfterMs = 30_000;
/** A process that has not beaten for so long may have been given up: a call of its runs has it beat first. */
const silentAfterMs = 15_000;
/** How long such a call waits for that at most. */
const returnWithinMs = 1_000;
/** A guest that has not been seen for so long is not said to be here. */
const seenWithinMs = 60_000;

/**
 * How a run ended: `left`: its client closed it in good order · `cut short`: its session or process was ended under it, and
 * its client may go on in another run · `gone`: its process was found to be no more.
 */
export type RunEnd = "left" | "cut short" | "gone";

export interface RunsDependencies {
  readonly store: Store;
  readonly namespace: string;
  /** Gives back whatever is open at a run that is over. */
  readonly release: (agent: string, run: string, how: RunEnd) => Promise<void>;
  /** Told of a run that others took for gone, and that goes on: what was open at it is given back. */
  readonly returned?: (caller: Caller) => void;
  /**
   * What else one process does for all now and then, such as reaching the recipients that are still due, by what it is for:
   * one after the other, and what cannot be done now keeps none of the others from being done.
   */
  readonly sweeps: Readonly<Record<string, () => Promise<unknown>>>;
  readonly log: (event: string, facts: Record<string, unknown>) => void;
}

/**
 * The runs of this process, its one heartbeat, and the sweeping that one process of a namespace does for all.
 *
 * A run is gone when it ended, when its process is seen to be gone from the same machine, or when that process has not
 * beaten for 30 s of witnessed time; what was open at it is given back then. One that was only silent is there again with
 * the next beat of its process, or before its next call.
 */
export class Runs {
  readonly #deps: RunsDependencies;
  readonly #mine = new Map<string, { readonly caller: Caller; readonly isGuest: boolean }>();
  /** How runs of this process ended, for what they still do. */
  readonly #over = new WeakMap<Run, RunEnd>();
  /** Those whose end failed, since the store was away: what is open at them is given back by a later beat. */
  readonly #unended = new Map<Caller, RunEnd>();
  readonly #active = new Set<string>();
  /** agent → in how many ways it is seen to be here just now */
  readonly #here = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #sweeping = false;
  readonly #triedAt = new LastTime();
  readonly #beatenAt = new LastTime();
  /** Since when this process would see that others are silent, by `performance.now()`. */
  #attendsSince: number | undefined;
  /** Whether the runs of this process may be missing in the directory. */
  #isGivenUp = false;
  #turn: Promise<void> = Promise.resolve();

  constructor(deps: RunsDependencies) {
    this.#deps = deps;
  }

  /** @param isGuest whether its client may be gone without anybody noticing, as over HTTP */
  async begin(principal: Principal, isGuest = false): Promise<Caller> {
    const run: Run = { id: `${principal.agent}/${randomBytes(9).toString("base64url")}` as RunId };
    const caller: Caller = { principal, run };
    const keys = directoryKeys(principal.namespace);
    this.#attendsSince ??= performance.now();
    const [, isNew] = await this.#runBeating(
      beginRun,
      [keys.agents, keys.runs, keys.unclaimedBy, keys.heartbeats, keys.processes, keys.channel, keys.clock],
      [
        principal.agent,
        run.id,
        processId,
        JSON.stringify(thisPlace()),
        JSON.stringify({ capabilities: [] }),
        isGuest ? "guest" : "",
      ],
    );
    if (isNew === "1" && this.#mine.size > 0) this.#isGivenUp = true;
    else this.#beatenAt.isNow();
    this.#mine.set(run.id, { caller, isGuest });
    this.attend();
    return caller;
  }

  /** Whether the run began in this process and is not over. */
  has(caller: Caller): boolean {
    return this.#mine.has(caller.run.id);
  }

  /** How a run of this process ended; undefined for one that is not over. */
  howEnded({ run }: Caller): RunEnd | undefined {
    return this.#over.get(run);
  }

  /** Looks after the namespace from now on, also while no run of this process is there: what waits for a sweep gets one. */
  attend(): void {
    this.#attendsSince ??= performance.now();
    this.#timer ??= setInterval(() => this.#tick(), 500).unref();
  }

  /**
   * Notes that the agent of this run did something: presence without a store command per call. After a long silence of this
   * process it beats first, since others may have taken its runs for gone.
   */
  active(caller: Caller): Promise<void> | undefined {
    this.#active.add(caller.principal.agent);
    if (!this.#mine.has(caller.run.id) || this.#beatenAt.agoMs() < silentAfterMs) return undefined;
    this.#tick(silentAfterMs);
    return Promise.race([this.#turn, pause(returnWithinMs)]);
  }

  /** The client of this run is seen to be here until the answer is called, although it may call nothing. */
  seen({ principal: { agent } }: Pick<Caller, "principal">): () => void {
    this.#here.set(agent, (this.#here.get(agent) ?? 0) + 1);
    // It is a beat that says so, and no run may have begun in this process.
    this.attend();
    let over = false;
    return () => {
      if (over) return;
      over = true;
      const others = this.#here.get(agent)! - 1;
      if (others === 0) this.#here.delete(agent);
      else this.#here.set(agent, others);
      this.#active.add(agent);
    };
  }

  /** When the agent of this run was last seen to be here, or did something, in any process: so many ms ago, some seconds late. */
  async seenAgoMs({ principal: { agent, namespace } }: Caller): Promise<number> {
    const { store } = this.#deps;
    const noted = (await store.command("HGET", directoryKeys(namespace).agents, agent)) as string | null;
    return store.now() - Number(noted?.split("|")[1] ?? 0);
  }

  async end(caller: Caller, how: RunEnd = "left"): Promise<void> {
    if (!this.#mine.delete(caller.run.id)) return;
    this.#over.set(caller.run, how);
    await this.#giveBack(caller, how);
  }

  /** What is open at a run that is over is given back, once more, by a later beat. */
  endAgain(caller: Caller): void {
    const how = this.#over.get(caller.run);
    if (how) this.#unended.set(caller, how);
  }

  async #giveBack(caller: Caller, how: RunEnd): Promise<void> {
    const keys = directoryKeys(caller.principal.namespace);
    try {
      await this.#deps.release(caller.principal.agent, caller.run.id, how);
      await this.#deps.store.run(endRun, [keys.runs, keys.heartbeats, keys.processes], ["", caller.run.id]);
      this.#unended.delete(caller);
    } catch (error) {
      // This process lives, so that nobody else would take it for gone. The next time it comes after the others.
      this.#unended.delete(caller);
      this.#unended.set(caller, how);
      throw error;
    }
  }

  /** Ends all runs of this process; what cannot be done now, a neighbour's sweep does. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    const again = [...this.#unended].map(([caller, how]) => this.#giveBack(caller, how));
    const ending = [...this.#mine.values()].map(({ caller }) => this.end(caller, "cut short"));
    await Promise.allSettled([...again, ...ending]);
    // Whoever sweeps finds them by this process.
    if (this.#unended.size > 0) return;
    const keys = directoryKeys(this.#deps.namespace);
    await this.#deps.store
      .run(endRun, [keys.runs, keys.heartbeats, keys.processes], [processId])
      .catch(() => {});
  }

  /** Runs of this agent that are alive, from the directory. */
  async ofAgent(agent: string): Promise<readonly string[]> {
    const { runs } = directoryKeys(this.#deps.namespace);
    const all = (await this.#deps.store.command("HKEYS", runs)) as string[];
    return this.#living(all.filter((run) => run.startsWith(`${agent}/`)));
  }

  /** The agents that have a living run; one whose client may have gone unseen, only if it was seen within the last minute. */
  async online(): Promise<ReadonlySet<string>> {
    const { living, guests } = await this.census();
    const agentOf = (run: string): string => run.slice(0, run.indexOf("/"));
    const here = new Set(living.filter((run) => !guests.has(run)).map(agentOf));
    const unsure = [...new Set([...guests].map(agentOf))].filter((agent) => !here.has(agent));
    if (unsure.length === 0) return here;
    const { agents } = directoryKeys(this.#deps.namespace);
    const { store } = this.#deps;
    const noted = (await store.command("HMGET", agents, ...unsure)) as (string | null)[];
    for (const [n, agent] of unsure.entries())
      if (store.now() - Number(noted[n]?.split("|")[1] ?? 0) < seenWithinMs) here.add(agent);
    return here;
  }

  /** The runs of the directory, as agent/id: the living with the number of their processes, and those not yet noted as gone. */
  async census(): Promise<{
    readonly living: readonly string[];
    /** Of the living, those whose client may have gone unseen. */
    readonly guests: ReadonlySet<string>;
    readonly gone: readonly string[];
    readonly processes: number;
  }> {
    const { runs } = directoryKeys(this.#deps.namespace);
    const noted = await this.#deps.store.hash(runs);
    const homes = new Map([...noted].map(([run, home]) => [run, home.split("|")[0]!]));
    const living = await this.#living([...homes.keys()]);
    const alive = new Set(living);
    return {
      living,
      guests: new Set(living.filter((run) => noted.get(run)!.endsWith("|guest"))),
      gone: [...homes.keys()].filter((run) => !alive.has(run)),
      processes: new Set(living.map((run) => homes.get(run))).size,
    };
  }

  /** Gives back what is open at those of these runs that are gone. Answers whether there was one. */
  async releaseGone(runs: readonly string[]): Promise<boolean> {
    const { living, homes } = await this.#lookAt(runs);
    const gone = runs.filter((run) => !living.has(run));
    for (const run of gone) await this.#bury(run, homes.get(run));
    return gone.length > 0;
  }

  async #living(runs: readonly string[]): Promise<readonly string[]> {
    const { living } = await this.#lookAt(runs);
    return runs.filter((run) => living.has(run));
  }

  async #lookAt(runs: readonly string[]): Promise<{
    readonly living: ReadonlySet<string>;
    /** run → its process; nothing for one that is not in the directory */
    readonly homes: ReadonlyMap<string, SeenProcess>;
  }> {
    if (runs.length === 0) return { living: new Set(), homes: new Map() };
    const { runs: key } = directoryKeys(this.#deps.namespace);
    const noted = (await this.#deps.store.command("HMGET", key, ...runs)) as (string | null)[];
    const ids = noted.map((home) => home?.split("|")[0]);
    const processes = await this.#lookAtProcesses([
      ...new Set(ids.filter((id): id is string => id !== undefined)),
    ]);
    const homes = new Map<string, SeenProcess>();
    for (const [n, run] of runs.entries()) if (ids[n]) homes.set(run, processes.get(ids[n])!);
    const isLiving = (run: string): boolean => homes.get(run)?.isAlive ?? this.#mine.has(run);
    return { living: new Set(runs.filter(isLiving)), homes };
  }

  async #lookAtProcesses(ids: readonly string[]): Promise<ReadonlyMap<string, SeenProcess>> {
    const seen = new Map<string, SeenProcess>();
    if (ids.length === 0) return seen;
    const keys = directoryKeys(this.#deps.namespace);
    const [, flat] = await this.#deps.store.run(
      lookAtProcesses,
      [keys.heartbeats, keys.processes, keys.clock],
      [processId, ...ids],
    );
    const words = flat as readonly string[];
    for (const [n, id] of ids.entries()) {
      const [silentMs, beat, place] = [Number(words[3 * n]), words[3 * n + 1]!, words[3 * n + 2]!];
      seen.set(id, { id, beat, isAlive: id === processId || this.#isAlive(silentMs, place) });
    }
    return seen;
  }

  #isAlive(silentMs: number, place: string): boolean {
    const isRunningHere = place === "" ? undefined : isRunning(JSON.parse(place) as ProcessPlace);
    if (isRunningHere === false) return false;
    if (silentMs <= goneAfterMs) return true;
    // It is on this machine, and this process has only come: perhaps both slept until now.
    return isRunningHere === true && performance.now() - (this.#attendsSince ?? 0) < goneAfterMs;
  }

  #tick(everyMs = this.#sweeping ? sweepEveryMs : beatEveryMs): void {
    if (this.#triedAt.agoMs() < everyMs) return;
    this.#triedAt.isNow();
    this.#turn = this.#turn
      .then(() => this.#beat())
      .catch((error: Error) => {
        this.#deps.log("heartbeat failed", { error: error.message });
      });
  }

  async #beat(): Promise<void> {
    const keys = directoryKeys(this.#deps.namespace);
    const agents = [...new Set([...this.#active, ...this.#here.keys()])];
    this.#active.clear();
    const [, sweeps, silent, isNew] = await this.#runBeating(
      beat,
      [keys.heartbeats, keys.agents, keys.sweeper, keys.clock],
      [processId, sweepLeaseMs, goneAfterMs, ...agents],
    );
    if (isNew === "1") this.#isGivenUp = true;
    await this.#return();
    this.#beatenAt.isNow();
    this.#sweeping = sweeps === "1";
    await this.#endTheUnended();
    if (!this.#sweeping) return;
    await this.#attempt("processes that are gone", () => this.#buryProcesses(silent as string[]));
    for (const [sweep, work] of Object.entries(this.#deps.sweeps)) await this.#attempt(sweep, work);
  }

  /** Runs a script by which this process beats. The first such answer alone says that it was given up: it may be that which is lost. */
  async #runBeating(...call: Parameters<Store["run"]>): Promise<Reply> {
    try {
      return await this.#deps.store.run(...call);
    } catch (error) {
      this.#isGivenUp = true;
      throw error;
    }
  }

  /** Where one fails, the others wait for the next beat: beats must not be late for it. */
  async #endTheUnended(): Promise<void> {
    for (const [caller, how] of [...this.#unended])
      if (!(await this.#attempt("runs that are over", () => this.#giveBack(caller, how)))) return;
  }

  /** What could not be done is logged, and tried again by the next sweep. Answers whether it was done. */
  async #attempt(sweep: string, work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      this.#deps.log("heartbeat failed", { sweep, error: (error as Error).message });
      return false;
    }
  }

  /** Has the runs of this process in the directory again, where others took them for gone. */
  async #return(): Promise<void> {
    if (!this.#isGivenUp) return;
    this.#isGivenUp = false;
    const mine = [...this.#mine.values()];
    if (mine.length > 0) {
      const keys = directoryKeys(this.#deps.namespace);
      await this.#runBeating(
        returnRuns,
        [keys.runs, keys.heartbeats, keys.processes, keys.clock],
        [
          processId,
          JSON.stringify(thisPlace()),
          ...mine.flatMap(({ caller, isGuest }) => [caller.run.id, isGuest ? "guest" : ""]),
        ],
      );
      for (const { caller } of mine) this.#deps.returned?.(caller);
    }
  }

  async #buryProcesses(silent: readonly string[]): Promise<void> {
    const keys = directoryKeys(this.#deps.namespace);
    const { store } = this.#deps;
    const suspects = new Set(silent);
    for (const [id, place] of await store.hash(keys.processes))
      if (isRunning(JSON.parse(place) as ProcessPlace) === false) suspects.add(id);
    const gone = new Map(
      [...(await this.#lookAtProcesses([...suspects]))].filter(([, { isAlive }]) => !isAlive),
    );
    if (gone.size === 0) return;
    const kept = new Set<string>();
    for (const [run, home] of await store.hash(keys.runs)) {
      const process = gone.get(home.split("|")[0]!);
      // Of a process with a run that could not be buried the next sweep has to know.
      if (process && !(await this.#attempt("runs that are gone", () => this.#bury(run, process))))
        kept.add(process.id);
    }
    for (const process of gone.values()) if (!kept.has(process.id)) await this.#giveUp(process, "", true);
  }

  /** Gives back what is open at a run, unless its process has beaten since it was looked at. */
  async #bury(run: string, process: SeenProcess | undefined): Promise<void> {
    const home = process ?? { id: "", beat: "0" };
    if (!(await this.#giveUp(home))) return;
    await this.#deps.release(run.slice(0, run.indexOf("/")), run, "gone");
    await this.#giveUp(home, run);
  }

  /** Answers whether the process has not beaten since it was looked at. */
  async #giveUp({ id, beat }: Pick<SeenProcess, "id" | "beat">, run = "", isAll = false): Promise<boolean> {
    const keys = directoryKeys(this.#deps.namespace);
    const [word] = await this.#deps.store.run(
      buryRun,
      [keys.runs, keys.heartbeats, keys.processes],
      [id, beat, run, isAll ? "1" : ""],
    );
    return word === "BURIED";
  }
}

/** A process as it was looked at. */
interface SeenProcess {
  readonly id: string;
  /** Its last heartbeat, by which one that came since is told. */
  readonly beat: string;
  readonly isAlive: boolean;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
