import { loadScript } from "../redis/index.js";
import type { LockContext } from "./context.js";

const listRuns = loadScript(import.meta.url, "list-runs.lua");

/** So many looks in a row find a run of which nobody knows, until it counts as gone. */
const looksMost = 4;

/** What is known of runs where they are noted. */
export interface RunDirectory {
  /** Those of these runs that are noted nowhere. */
  unknownOf(runs: readonly string[]): Promise<readonly string[]>;
  /** Gives back what is open at those of these runs that are gone. */
  releaseGone(runs: readonly string[]): Promise<unknown>;
}

/**
 * Finds the runs that have locks, and of which nobody knows: a process that others took for gone went on, took something,
 * and died before it was noted again; or a call reached the store after its run had ended, and its process died then. One
 * that lives is noted again with the next beat of its process, so it is found so in several looks in a row only where nobody
 * can tell it from one that is gone. Looks are counted, not time: while everybody sleeps there are none.
 */
export class StrayRuns {
  readonly #context: LockContext;
  readonly #namespace: string;
  readonly #directory: RunDirectory;
  /** run → in how many looks in a row it was found */
  #found: ReadonlyMap<string, number> = new Map();

  constructor(context: LockContext, namespace: string, directory: RunDirectory) {
    this.#context = context;
    this.#namespace = namespace;
    this.#directory = directory;
  }

  /** Looks once. To be called by one process of a namespace, every ten seconds. */
  async sweep(): Promise<void> {
    const [, all] = await this.#context.run(this.#namespace, listRuns, []);
    const runs = all as readonly string[];
    const strays = runs.length > 0 ? await this.#directory.unknownOf(runs) : [];
    this.#found = new Map(strays.map((run) => [run, (this.#found.get(run) ?? 0) + 1]));
    const gone = strays.filter((run) => this.#found.get(run)! >= looksMost);
    if (gone.length > 0) await this.#directory.releaseGone(gone);
  }
}
