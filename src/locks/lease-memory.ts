import type { LockNews, Mode, NewsOfLock } from "./contract.js";
import { type DueTime, inMs } from "./due-time.js";

/** A lease as this process last heard of it. */
export interface KnownLease {
  readonly id: string;
  readonly resources: readonly string[];
  readonly token: number;
  readonly mode: Mode;
  /** From the grant or the last renewal to the end, ms: how much is left is judged by it. */
  readonly lengthMs: number;
  toldNearEnd: boolean;
  /** When it is worth asking the store about it: not by the store's clock, which may be set meanwhile. */
  lookAt: DueTime;
  /** A hint spoke of it: it may be over. */
  isDoubtful: boolean;
}

/** What is told of a lease that is lost. */
export function lostLease({ id, resources, mode }: KnownLease): NewsOfLock {
  return { id, what: "lost", resources, ...(mode === "shared" && { shared: true }) };
}

/** As many as one run may hold and wait for. */
const droppedMost = 1_000;

/** A place in the queue as this process last heard of it. */
export interface KnownWait {
  readonly id: string;
  readonly resources: readonly string[];
  /** Where its turn is told besides; empty for nowhere. */
  readonly notify: string;
  /** A hint spoke of it: its turn may have come, or have passed. */
  isDoubtful: boolean;
  told: "" | "offered" | "passed over";
  /** The circle it was told to wait in. */
  circle?: string | undefined;
}

/** A circle that a run closes by waiting for a message or a decision. */
export interface KnownCircle {
  readonly inWords: string;
  /** Others wait for what edit hooks of its agent reserved, not the run. */
  readonly byOwnHook: boolean;
}

/**
 * What this process remembers of the locks of one run between its calls. Losing it loses no lock: it decides when to ask
 * the store, and the store decides the rest.
 */
export class LeaseMemory {
  /** What it does not have any more, the newest last: of that it was told, or it gave it back. */
  readonly #dropped = new Set<string>();
  readonly leases = new Map<string, KnownLease>();
  readonly waits = new Map<string, KnownWait>();
  /** The circle that the run closes by waiting for a message or a decision, and whether it was told of it. */
  circle: (KnownCircle & { isTold: boolean }) | undefined;
  /** News of what is over, told in a reply that did not reach its client. */
  readonly kept: LockNews[] = [];
  /** Ends the note of a wait for a message or a decision. */
  noteEnds: NodeJS.Timeout | undefined;

  get isEmpty(): boolean {
    return this.leases.size === 0 && this.waits.size === 0;
  }

  /** @param leftMs how long it lasts from now, as the store says */
  holds(
    { id, resources, token, mode }: Pick<KnownLease, "id" | "resources" | "token" | "mode">,
    leftMs: number,
  ): void {
    this.waits.delete(id);
    this.leases.set(id, {
      id,
      resources,
      token,
      mode,
      lengthMs: leftMs,
      lookAt: inMs(leftMs / 2),
      toldNearEnd: false,
      isDoubtful: false,
    });
  }

  /** What a lease or a place of this run is for; undefined for one that it does not remember. */
  resourcesOf(id: string): readonly string[] | undefined {
    return (this.leases.get(id) ?? this.waits.get(id))?.resources;
  }

  /** @param notify empty where it stays as it was */
  waitsFor(id: string, resources: readonly string[], notify: string): void {
    const where = notify || (this.waits.get(id)?.notify ?? "");
    const circle = this.waits.get(id)?.circle;
    this.waits.set(id, { id, resources, notify: where, isDoubtful: false, told: "", circle });
  }

  /** Whether a wait is in a circle of which it was not told yet; from then on it was. */
  isNewsOfWait(id: string, circle: string | undefined): boolean {
    const wait = this.waits.get(id);
    if (!wait || wait.circle === circle) return false;
    wait.circle = circle;
    return circle !== undefined;
  }

  /** Whether the run is in a circle, by what it waits for besides locks, of which it was not told yet. */
  isNewsOfAwaited(circle: KnownCircle | undefined): boolean {
    if (this.circle?.inWords === circle?.inWords) return false;
    this.circle = circle && { ...circle, isTold: false };
    return circle !== undefined;
  }

  /** Whether the run has, or had, this lease or place, and is told otherwise how it ended. */
  knows(id: string): boolean {
    return this.leases.has(id) || this.waits.has(id) || this.#dropped.has(id);
  }

  /** How many leases and places there are besides these. */
  besides(ids: ReadonlySet<string>): number {
    return [...this.leases.keys(), ...this.waits.keys()].filter((id) => !ids.has(id)).length;
  }

  /** That the run was not told after all that a lease ends soon, or how its turn stands. */
  untell(id: string): void {
    const [lease, wait] = [this.leases.get(id), this.waits.get(id)];
    if (lease) Object.assign(lease, { toldNearEnd: false, isDoubtful: true });
    if (wait) Object.assign(wait, { told: "", isDoubtful: true });
  }

  /** What is to be told of a lease or a place that turns out to be lost; undefined for one that it does not remember. */
  lossOf(id: string): LockNews | undefined {
    const [lease, wait] = [this.leases.get(id), this.waits.get(id)];
    if (lease) return lostLease(lease);
    return wait && { id, what: "place lost", resources: wait.resources };
  }

  untellCircle(): void {
    if (this.circle) this.circle.isTold = false;
  }

  drop(id: string): void {
    // Of what another run lost nobody was told by that.
    if (!this.leases.has(id) && !this.waits.has(id)) return;
    // Without it the circle is open, and one that is closed later is another.
    if (this.leases.has(id)) this.circle = undefined;
    this.leases.delete(id);
    this.waits.delete(id);
    this.#dropped.add(id);
    const [oldest] = this.#dropped;
    if (this.#dropped.size > droppedMost) this.#dropped.delete(oldest!);
  }

  /** A hint, `!ID` where it wakes no call that waits; or silence in which hints may have been lost, for undefined. */
  heard(ids: ReadonlySet<string> | undefined): void {
    for (const one of [...this.leases.values(), ...this.waits.values()])
      if (!ids || ids.has(one.id) || ids.has(`!${one.id}`)) one.isDoubtful = true;
  }
}
