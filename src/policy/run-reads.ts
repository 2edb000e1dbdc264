import type { AgentFacts, Caller } from "../identity/index.js";
import { loadScript, policyKeys, type Store } from "../redis/index.js";
import type { Reads } from "./question.js";

const noteReads = loadScript(import.meta.url, "note-reads.lua");

/** Far longer than runs last; those that end are forgotten at once. */
const keepMs = 30 * 24 * 3_600_000;

/**
 * Most senders of each kind that are told of one run. Whether there is any, which is what most rules ask, stays true
 * beyond, and those of one kind take no room from the other.
 */
const notesMost = 1_000;

/** The system itself writes in this name. */
const ourselves = "postmaster";

export interface RunReadsDependencies {
  readonly store: Store;
  /** What the namespace knows of an agent. */
  readonly factsOf: (namespace: string, agent: string) => Promise<AgentFacts>;
  /** Whether a run began in this process, so that all it reads is noted here first. */
  readonly isOurs: (caller: Caller) => boolean;
  /** The runs of an agent that are alive, wherever they are. */
  readonly livingRuns: (namespace: string, agent: string) => Promise<readonly string[]>;
}

/** What a message tells of its sender. */
interface Shown {
  readonly from: string;
  readonly verified: boolean;
}

class Notes {
  readonly unverified = new Set<string>();
  readonly foreign = new Set<string>();
  /** Words of these that the store has not been told of. */
  readonly untold = new Set<string>();

  get reads(): Reads {
    return { unverified: [...this.unverified], foreign: [...this.foreign] };
  }

  add(word: string): void {
    const set = word.startsWith("u:") ? this.unverified : this.foreign;
    const name = word.slice(2);
    if (set.has(name) || set.size >= notesMost) return;
    set.add(name);
    this.untold.add(word);
  }
}

/**
 * Whose messages runs have read: those whose sender nobody proved, and those of senders who share no team with the
 * reader. A run of this process is answered from memory. The store is told when a run reads such a sender for the first
 * time, and asked for runs of other processes; reading anything else costs neither.
 */
export class RunReads {
  readonly #deps: RunReadsDependencies;
  readonly #runs = new Map<string, Notes>();

  constructor(deps: RunReadsDependencies) {
    this.#deps = deps;
  }

  /** Notes what a caller is about to be shown. @throws {MailboxError} `store.*`; it is noted here all the same */
  async note(caller: Caller, shown: readonly Shown[]): Promise<void> {
    if (shown.length === 0) return;
    const { principal, run } = caller;
    const { namespace } = principal;
    let notes = this.#runs.get(run.id);
    for (const { from, verified } of shown) {
      if (from === ourselves) continue;
      const isNews = !verified && !notes?.unverified.has(from);
      const isForeign =
        !notes?.foreign.has(from) && (await this.#isForeign(namespace, principal.agent, from));
      if (!isNews && !isForeign) continue;
      if (!notes) {
        // Another call of the run may have come here first while this one asked.
        notes = this.#runs.get(run.id) ?? new Notes();
        this.#runs.set(run.id, notes);
      }
      if (isNews) notes.add(`u:${from}`);
      if (isForeign) notes.add(`f:${from}`);
    }
    if (!notes || notes.untold.size === 0) return;
    const words = [...notes.untold];
    const keys = policyKeys(namespace);
    await this.#deps.store.run(noteReads, [keys.reads, keys.readAt], [run.id, keepMs, notesMost, ...words]);
    for (const word of words) notes.untold.delete(word);
  }

  /**
   * Whose messages have been read since they began: by the caller's run, or where that began in no process of ours, as
   * that of a hook, by all living runs of its agent.
   */
  async of(caller: Caller): Promise<Reads> {
    const own = this.#runs.get(caller.run.id);
    if (own) return own.reads;
    if (this.#deps.isOurs(caller)) return { unverified: [], foreign: [] };
    const { namespace, agent } = caller.principal;
    const runs = await this.#deps.livingRuns(namespace, agent);
    if (runs.length === 0) return { unverified: [], foreign: [] };
    const noted = (await this.#deps.store.command("HMGET", policyKeys(namespace).reads, ...runs)) as (
      | string
      | null
    )[];
    const all = new Notes();
    for (const words of noted) for (const word of (words ?? "").split(",").filter(Boolean)) all.add(word);
    return all.reads;
  }

  /** A run is over. */
  async forget(namespace: string, run: string): Promise<void> {
    const { reads, readAt } = policyKeys(namespace);
    this.#runs.delete(run);
    await this.#deps.store.command("HDEL", reads, run);
    await this.#deps.store.command("ZREM", readAt, run);
  }

  /** Whether a run of this process has read anything that is noted. */
  knows(run: string): boolean {
    return this.#runs.has(run);
  }

  async #isForeign(namespace: string, reader: string, sender: string): Promise<boolean> {
    if (sender === reader) return false;
    const { team } = await this.#deps.factsOf(namespace, reader);
    return team === "" || team !== (await this.#deps.factsOf(namespace, sender)).team;
  }
}
