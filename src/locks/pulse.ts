import { type Hints, LastTime, lockKeys, type Wake } from "../redis/index.js";
import type { LeaseMemory } from "./lease-memory.js";
import type { LockLimits } from "./limits.js";

/** Soonest that a process looks again at what is due; what many wait for is done by the first that looks. */
const soonestMs = 50;

/** By then whoever waits has heard that its agent was stopped. */
const stoppedMs = 2_000;

/** What the heartbeat needs of the room. */
export interface PulseNeeds {
  readonly namespace: string;
  readonly hints: Hints;
  readonly limits: LockLimits;
  /** What is remembered of runs that hold or wait here. */
  memories(): readonly LeaseMemory[];
  /** Words of a hint; undefined where some may have been lost. */
  heard(words: ReadonlySet<string> | undefined): void;
  /** Tells the store that this process lives. */
  beat(): Promise<{
    /** When something is due next, ms or -1. */
    readonly dueInMs: number;
    /** The store does not know of this process: it was emptied, or the process was silent for very long. */
    readonly isForgotten: boolean;
    /** What is offered to this process. */
    readonly offered: readonly string[];
  }>;
  readonly log: (event: string, facts: Record<string, unknown>) => void;
}

/** A call that waits: woken by a hint that names its ticket, or by anything that may have swallowed one. */
export class LockWait {
  readonly #wake: Wake;
  readonly #heard = new Set<string>();
  #ticket: string | undefined;

  constructor(wake: Wake) {
    this.#wake = wake;
  }

  /** From here on hints are listened for; those that came since are of no use. */
  rest(): void {
    this.#wake.rest();
    this.#heard.clear();
  }

  /** Which ticket it waits with; a hint may have come before the answer that told it. */
  waitsWith(ticket: string): void {
    this.#ticket = ticket;
    this.#hears(this.#heard);
  }

  hear(ids: ReadonlySet<string> | undefined): void {
    if (!ids) this.#wake.now();
    else if (this.#ticket === undefined) for (const id of ids) this.#heard.add(id);
    else this.#hears(ids);
  }

  /** `!ID`: its agent was stopped, which ends the call by itself; but not where it was let go on before that was noticed. */
  #hears(ids: ReadonlySet<string>): void {
    if (ids.has(this.#ticket!)) this.#wake.now();
    else if (ids.has(`!${this.#ticket}`)) setTimeout(() => this.#wake.now(), stoppedMs).unref();
  }
}

/**
 * The heartbeat of this process in the locks of a namespace, and its ear. It beats while somebody here holds or waits,
 * every five seconds and when something is due that a call here waits for; it costs nothing when nobody does.
 */
export class Pulse {
  readonly #needs: PulseNeeds;
  readonly #waits = new Set<LockWait>();
  #timer: NodeJS.Timeout | undefined;
  /** By `performance.now()`. */
  #dueAt = Number.POSITIVE_INFINITY;
  readonly #beatenAt = new LastTime();
  #wasSeen = false;
  readonly #triedAt = new LastTime();
  #isBeating = false;
  #isStopped = false;
  #listening: Promise<() => void> | undefined;
  #isHearing = false;

  constructor(needs: PulseNeeds) {
    this.#needs = needs;
  }

  /** Whether hints are heard already. */
  get isListening(): boolean {
    return this.#isHearing;
  }

  /** Resolves when hints are heard, so that what is looked at afterwards misses nothing. */
  async listen(): Promise<void> {
    const { hints, namespace } = this.#needs;
    this.#listening ??= hints.listen(lockKeys(namespace).channel, (message) => this.#hear(message));
    await this.#listening;
    this.#isHearing = true;
  }

  add(wait: LockWait): void {
    this.#waits.add(wait);
  }

  remove(wait: LockWait): void {
    this.#waits.delete(wait);
  }

  /** Whether the store has seen this process at all. */
  get wasSeen(): boolean {
    return this.#wasSeen;
  }

  /** The store has seen this process, whatever came of it: it has to say when it leaves. */
  seen(): void {
    this.#wasSeen = true;
  }

  /** Beats where nothing here needs it: so that lock time goes on for those who have no process of their own. */
  async sweep(): Promise<void> {
    if (this.#nextBeatInMs() <= 0 && !this.#isStopped) await this.#beat();
  }

  /** Goes on beating as long as it is needed. The process has just been seen by the store. */
  goOn(dueInMs = -1): void {
    this.#wasSeen = true;
    this.#beatenAt.isNow();
    this.#isDueIn(dueInMs);
    this.#plan();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    void this.#listening?.then((stop) => stop());
  }

  #plan(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isStopped || (this.#waits.size === 0 && !this.#isNeeded())) return;
    const dueInMs = this.#waits.size > 0 ? this.#dueAt - performance.now() : Number.POSITIVE_INFINITY;
    const inMs = Math.min(this.#nextBeatInMs(), dueInMs);
    this.#timer = setTimeout(() => void this.#beat(), Math.max(inMs, 1));
    this.#timer.unref();
  }

  #nextBeatInMs(): number {
    return this.#needs.limits.beatMs - Math.min(this.#beatenAt.agoMs(), this.#triedAt.agoMs());
  }

  #isDueIn(ms: number): void {
    if (ms >= 0) this.#dueAt = performance.now() + Math.max(ms + 1, soonestMs);
  }

  #isNeeded(): boolean {
    return this.#needs.memories().length > 0;
  }

  async #beat(): Promise<void> {
    if (this.#isBeating) return;
    this.#isBeating = true;
    this.#wasSeen = true;
    this.#triedAt.isNow();
    this.#dueAt = Number.POSITIVE_INFINITY;
    let dueInMs = -1;
    try {
      const { dueInMs: due, isForgotten, offered } = await this.#needs.beat();
      dueInMs = due;
      // Whoever was silent for long may have been passed over, and its hints lost; what the store forgot hints at nothing.
      const wasSilent = this.#beatenAt.agoMs() > this.#needs.limits.aliveMs;
      this.#beatenAt.isNow();
      this.#tell(wasSilent || isForgotten ? undefined : new Set(offered));
    } catch (error) {
      this.#needs.log("lock heartbeat failed", { error: (error as Error).message });
    } finally {
      this.#isBeating = false;
      this.#isDueIn(dueInMs);
      this.#plan();
    }
  }

  /** An empty message means that some may have been lost. */
  #hear(message: string): void {
    this.#tell(message === "" ? undefined : new Set(message.split(" ")));
  }

  #tell(ids: ReadonlySet<string> | undefined): void {
    for (const wait of this.#waits) wait.hear(ids);
    for (const memory of this.#needs.memories()) memory.heard(ids);
    this.#needs.heard(ids);
  }
}
