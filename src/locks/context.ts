import { randomBytes } from "node:crypto";
import { refuse } from "../errors/index.js";
import type { Admit, Caller, RecordDecision, RightsOf } from "../identity/index.js";
import {
  type Hints,
  KeyLists,
  loadScript,
  lockKeyList,
  lockKeys,
  type Reply,
  type Script,
  type Store,
} from "../redis/index.js";
import { LeaseMemory } from "./lease-memory.js";
import { type LockLimits, scriptLimits } from "./limits.js";
import { LossWatch } from "./loss-watch.js";
import { Pulse } from "./pulse.js";

const beatLocks = loadScript(import.meta.url, "beat-locks.lua");
const leaveLocks = loadScript(import.meta.url, "leave-locks.lua");

/** How long a silent process is remembered. */
const rememberedMs = 3_600_000;

/** What the locks room is given: the store, and by compose what it needs of other rooms. */
export interface LockDependencies {
  readonly store: Store;
  readonly hints: Hints;
  readonly limits: LockLimits;
  readonly admit: Admit;
  readonly rightsOf: RightsOf;
  readonly record: RecordDecision;
  /** Whether a run of this process is over: what it holds was given back, or is just then. */
  readonly isOver: (caller: Caller) => boolean;
  readonly log: (event: string, facts: Record<string, unknown>) => void;
}

/** The locks room's own state in this process: its dependencies, its heartbeat, and what it remembers of runs. */
export class LockContext {
  readonly deps: LockDependencies;
  readonly limits: LockLimits;
  /** This process, as the queues know it: one heartbeat for all who hold or wait here. */
  readonly process = randomBytes(9).toString("base64url");
  readonly losses: LossWatch;
  readonly #scriptLimits: string;
  readonly #keyLists = new KeyLists(lockKeys, lockKeyList);
  readonly #memories = new Map<string, { readonly namespace: string; readonly memory: LeaseMemory }>();
  readonly #pulses = new Map<string, Pulse>();
  /** namespace → notice of a turn → when this process saw it first, by `performance.now()` */
  readonly #notices = new Map<string, ReadonlyMap<string, number>>();

  constructor(deps: LockDependencies) {
    this.deps = deps;
    this.limits = deps.limits;
    this.losses = new LossWatch(deps.limits.lossesAgainMs);
    this.#scriptLimits = scriptLimits(deps.limits);
  }

  /** Runs a script on all locks of a namespace. */
  run(
    namespace: string,
    script: Script,
    args: readonly (string | number)[],
    timeoutMs?: number,
  ): Promise<Reply> {
    return this.deps.store.run(
      script,
      this.#keyLists.of(namespace),
      [this.#scriptLimits, ...args],
      timeoutMs,
    );
  }

  /**
   * Runs a script by which a run takes or keeps something. Not for one that is over: the script that gives back what it has is
   * on its way, and would not find it.
   *
   * @throws {MailboxError} `lock.run_over`
   */
  runFor(caller: Caller, script: Script, args: readonly (string | number)[]): Promise<Reply> {
    if (this.deps.isOver(caller)) refuse("lock.run_over");
    return this.run(caller.principal.namespace, script, [caller.run.id, ...args]);
  }

  /** Runs a script on all locks of a namespace, and on what runs of an agent lost with their end. */
  runForAgent(
    namespace: string,
    agent: string,
    script: Script,
    args: readonly (string | number)[],
  ): Promise<Reply> {
    const keys = [...this.#keyLists.of(namespace), this.#keyLists.keys(namespace).lost(agent)];
    return this.deps.store.run(script, keys, [this.#scriptLimits, ...args]);
  }

  memory({ principal, run }: Caller): LeaseMemory {
    return this.memoryOf(principal.namespace, run.id);
  }

  memoryOf(namespace: string, run: string): LeaseMemory {
    const known = this.#memories.get(run);
    if (known) return known.memory;
    const memory = new LeaseMemory();
    this.#memories.set(run, { namespace, memory });
    return memory;
  }

  /** What is remembered of a run that has something to remember. */
  known(caller: Caller): LeaseMemory | undefined {
    return this.knownOf(caller.run.id);
  }

  knownOf(run: string): LeaseMemory | undefined {
    return this.#memories.get(run)?.memory;
  }

  forget(run: string): void {
    this.#memories.delete(run);
    this.losses.forget(run);
  }

  /** A run that others took for gone goes on: what became of its locks is asked before its next reply. */
  returned(caller: Caller): void {
    this.losses.forget(caller.run.id);
    this.known(caller)?.heard(undefined);
  }

  pulse(namespace: string): Pulse {
    let pulse = this.#pulses.get(namespace);
    if (!pulse) {
      const { hints, log } = this.deps;
      pulse = new Pulse({
        ...{ namespace, hints, limits: this.limits, log },
        memories: () => this.#memoriesOf(namespace),
        heard: (words) => this.losses.heard(namespace, words),
        beat: async () => {
          const [, dueInMs, isUnknown, offered] = await this.run(namespace, beatLocks, [
            this.process,
            rememberedMs,
          ]);
          return {
            dueInMs: Number(dueInMs),
            isForgotten: isUnknown === "1",
            offered: offered as readonly string[],
          };
        },
      });
      this.#pulses.set(namespace, pulse);
    }
    return pulse;
  }

  /**
   * Runs a script that only looks. Where nobody beats, whoever looks moves lock time on, in the name of nobody, and looks
   * again: what a dead session left ends also where everybody only looks.
   *
   * @param behindAt where in its reply the script says 1 when what it shows waits for lock time to be moved on
   */
  async look(
    namespace: string,
    script: Script,
    args: readonly (string | number)[],
    behindAt: number,
  ): Promise<Reply> {
    const reply = await this.run(namespace, script, args);
    if (reply[behindAt] !== "1") return reply;
    await this.run(namespace, beatLocks, ["", rememberedMs]);
    return this.run(namespace, script, args);
  }

  /** Of the notices that there are now, those that this process has seen before, so long ago or longer. */
  sinceLongerThan(
    ms: number,
    namespace: string,
    notices: ReadonlyMap<string, string>,
  ): readonly (readonly [field: string, text: string])[] {
    const now = performance.now();
    const before = this.#notices.get(namespace);
    const since = new Map([...notices.keys()].map((field) => [field, before?.get(field) ?? now]));
    if (since.size > 0) this.#notices.set(namespace, since);
    else this.#notices.delete(namespace);
    return [...notices].filter(([field]) => now - since.get(field)! >= ms);
  }

  /** This process beats no more. What cannot be said now is seen by its silence. */
  async close(): Promise<void> {
    await Promise.all(
      [...this.#pulses].map(async ([namespace, pulse]) => {
        pulse.stop();
        if (pulse.wasSeen)
          await this.run(namespace, leaveLocks, [this.process]).catch((error: Error) => {
            this.deps.log("the end of this process was not told to its locks", { error: error.message });
          });
      }),
    );
  }

  /** Memories of a namespace that hold something. */
  #memoriesOf(namespace: string): readonly LeaseMemory[] {
    return [...this.#memories.values()]
      .filter((one) => one.namespace === namespace && !one.memory.isEmpty)
      .map(({ memory }) => memory);
  }
}
