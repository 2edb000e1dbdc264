import { randomBytes } from "node:crypto";
import type { Caller, Principal, Run, RunId } from "../identity/index.js";
import { directoryKeys, loadScript, type Store } from "../redis/index.js";
import { isRunning, type ProcessPlace, processId, thisPlace } from "./process-place.js";

const beginRun = loadScript(import.meta.url, "begin-run.lua");
const endRun = loadScript(import.meta.url, "end-run.lua");
const beat = loadScript(import.meta.url, "beat.lua");

const beatEveryMs = 5_000;
const sweepEveryMs = 2_000;
const sweepLeaseMs = 6_000;
const goneAfterMs = 30_000;
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
 * beaten for 30 s; what was open at it is given back then.
 */
export class Runs {
  readonly #deps: RunsDependencies;
  readonly #mine = new Map<string, Caller>();
  readonly #active = new Set<string>();
  /** agent → in how many ways it is seen to be here just now */
  readonly #here = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #sweeping = false;
  #lastBeat = 0;
  #turn: Promise<void> = Promise.resolve();

  constructor(deps: RunsDependencies) {
    this.#deps = deps;
  }

  /** @param isGuest whether its client may be gone without anybody noticing, as over HTTP */
  async begin(principal: Principal, isGuest = false): Promise<Caller> {
    const run: Run = { id: `${principal.agent}/${randomBytes(9).toString("base64url")}` as RunId };
    const caller: Caller = { principal, run };
    const keys = directoryKeys(principal.namespace);
    await this.#deps.store.run(
      beginRun,
      [keys.agents, keys.runs, keys.unclaimedBy, keys.heartbeats, keys.processes, keys.channel],
      [
        principal.agent,
        run.id,
        processId,
        JSON.stringify(thisPlace()),
        JSON.stringify({ capabilities: [] }),
        isGuest ? "guest" : "",
      ],
    );
    this.#mine.set(run.id, caller);
    this.attend();
    return caller;
  }

  /** Whether the run began in this process and is not over. */
  has(caller: Caller): boolean {
    return this.#mine.has(caller.run.id);
  }

  /** Looks after the namespace from now on, also while no run of this process is there: what waits for a sweep gets one. */
  attend(): void {
    this.#timer ??= setInterval(() => this.#tick(), 500).unref();
  }

  /** Notes that the agent of this run did something: presence without a store command per call. */
  active(caller: Caller): void {
    this.#active.add(caller.principal.agent);
  }

  /** The client of this run is seen to be here until the answer is called, although it may call nothing. */
  seen({ principal: { agent } }: Caller): () => void {
    this.#here.set(agent, (this.#here.get(agent) ?? 0) + 1);
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

  async end(caller: Caller, how: RunEnd = "left"): Promise<void> {
    if (!this.#mine.delete(caller.run.id)) return;
    const keys = directoryKeys(caller.principal.namespace);
    await this.#deps.release(caller.principal.agent, caller.run.id, how);
    await this.#deps.store.run(endRun, [keys.runs, keys.heartbeats, keys.processes], ["", caller.run.id]);
  }

  /** Ends all runs of this process; what cannot be done now, a neighbour's sweep does. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    const ending = [...this.#mine.values()].map((caller) => this.end(caller, "cut short"));
    await Promise.allSettled(ending);
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
    const living = new Set(await this.#living(runs));
    const gone = runs.filter((run) => !living.has(run));
    for (const run of gone) await this.#bury(run);
    return gone.length > 0;
  }

  async #living(runs: readonly string[]): Promise<readonly string[]> {
    if (runs.length === 0) return [];
    const keys = directoryKeys(this.#deps.namespace);
    const { store } = this.#deps;
    const homes = (await store.command("HMGET", keys.runs, ...runs)) as (string | null)[];
    const ids = [...new Set(homes.flatMap((home) => (home ? [home.split("|")[0]!] : [])))];
    if (ids.length === 0) return [];
    const [beats, places] = (await Promise.all([
      store.command("ZMSCORE", keys.heartbeats, ...ids),
      store.command("HMGET", keys.processes, ...ids),
    ])) as [(string | null)[], (string | null)[]];
    const alive = new Set(ids.filter((id, n) => this.#isAlive(id, Number(beats[n] ?? 0), places[n] ?? null)));
    return runs.filter((run, n) => {
      const home = homes[n];
      return home ? alive.has(home.split("|")[0]!) : this.#mine.has(run);
    });
  }

  #isAlive(id: string, beatAt: number, place: string | null): boolean {
    if (id === processId) return true;
    if (this.#deps.store.now() - beatAt > goneAfterMs) return false;
    return place === null || isRunning(JSON.parse(place) as ProcessPlace) !== false;
  }

  #tick(): void {
    const now = Date.now();
    const every = this.#sweeping ? sweepEveryMs : beatEveryMs;
    if (now - this.#lastBeat < every) return;
    this.#lastBeat = now;
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
    const [, sweeps, silent] = await this.#deps.store.run(
      beat,
      [keys.heartbeats, keys.agents, keys.sweeper],
      [processId, sweepLeaseMs, goneAfterMs, ...agents],
    );
    this.#sweeping = sweeps === "1";
    if (!this.#sweeping) return;
    await this.#attempt("processes that are gone", () => this.#buryProcesses(silent as string[]));
    for (const [sweep, work] of Object.entries(this.#deps.sweeps)) await this.#attempt(sweep, work);
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

  async #buryProcesses(silent: readonly string[]): Promise<void> {
    const keys = directoryKeys(this.#deps.namespace);
    const { store } = this.#deps;
    const gone = new Set(silent);
    for (const [id, place] of await store.hash(keys.processes))
      if (id !== processId && isRunning(JSON.parse(place) as ProcessPlace) === false) gone.add(id);
    if (gone.size === 0) return;
    const kept = new Set<string>();
    for (const [run, home] of await store.hash(keys.runs)) {
      const id = home.split("|")[0]!;
      // Of a process with a run that could not be buried the next sweep has to know.
      if (gone.has(id) && !(await this.#attempt("runs that are gone", () => this.#bury(run)))) kept.add(id);
    }
    for (const id of gone)
      if (!kept.has(id)) await store.run(endRun, [keys.runs, keys.heartbeats, keys.processes], [id]);
  }

  async #bury(run: string): Promise<void> {
    const keys = directoryKeys(this.#deps.namespace);
    await this.#deps.release(run.slice(0, run.indexOf("/")), run, "gone");
    await this.#deps.store.run(endRun, [keys.runs, keys.heartbeats, keys.processes], ["", run]);
  }
}
