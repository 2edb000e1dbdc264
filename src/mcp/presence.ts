import type { Exchange } from "./exchange.js";

/** How long a client is waited for, where it differs from the defaults. */
export interface Patience {
  /** How long one of which nothing is open may be away before it is taken for absent (3 s): it may just connect anew. */
  readonly absentAfterMs?: number;
  /** How long one that keeps a lifeline may be without it before it is taken for dead (30 s, as long as a silent process). */
  readonly goneAfterMs?: number;
}

/** What this process itself saw of an agent is noted at the latest so long after it. */
const notedWithinMs = 10_000;

const usual: Required<Patience> = { absentAfterMs: 3_000, goneAfterMs: 30_000 };

export interface PresenceOptions extends Patience {
  /** Told when the client is not seen any more, and when it is there again. What it rejects with is tried again. */
  readonly onAbsence: (isAbsent: boolean) => Promise<void>;
  /** Where a client may go on at another process: how long ago its agent was last seen at any. What it rejects with is asked again. */
  readonly seenAgoMs?: () => Promise<number>;
  /** Told once, when a client that keeps a lifeline is taken for dead. */
  readonly onGone: () => void;
}

/**
 * Whether the client of a connection over HTTP is there, as far as its requests tell. One whose last request was cut off,
 * and that makes no other, is absent after three seconds. One whose last request was answered may think for as long as it
 * likes: nothing tells that from its death, unless each client that calls here keeps a lifeline, whose end says it.
 */
export class Presence {
  readonly #options: PresenceOptions;
  #open = 0;
  /** Whether one was opened. */
  #hasLifeline = false;
  /** Whether one was refused: whoever asked for it has none. */
  #wasRefused = false;
  /** Whether somebody calls here who keeps none: in the 2026 era all clients of one agent share a connection. */
  #hasOthers = false;
  /** As it was told last. */
  #isAbsent = false;
  #absent: NodeJS.Timeout | undefined;
  /** Tells again what could not be noted. */
  #again: NodeJS.Timeout | undefined;
  #gone: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  /** @param saysLifeline whether it is a request of a client that keeps a lifeline, or wants to */
  seenUntil(exchange: Exchange, saysLifeline: boolean): void {
    if (this.#isOver) return;
    this.#open += 1;
    if (!saysLifeline) this.#hasOthers = true;
    clearTimeout(this.#absent);
    clearTimeout(this.#gone);
    this.#gone = undefined;
    if (this.#isAbsent) this.#tell(false);
    exchange.onSettled((reached) => {
      this.#open -= 1;
      if (this.#open > 0 || this.#isOver) return;
      const isKept = this.#hasLifeline && !this.#wasRefused && !this.#hasOthers;
      // One that keeps a lifeline, and dies, says nothing of others that think.
      if (!isKept && (reached || (saysLifeline && this.#hasOthers))) return;
      this.#tellAbsentLater();
      if (isKept) this.#takeForDeadLater();
    });
  }

  /** A client that wanted a lifeline has it, or was refused: then it may think for as long as it likes, as one that keeps none. */
  lifeline(isOpen: boolean): void {
    if (isOpen) this.#hasLifeline = true;
    else this.#wasRefused = true;
  }

  end(): void {
    this.#isOver = true;
    for (const timer of [this.#absent, this.#again, this.#gone]) clearTimeout(timer);
  }

  #tellAbsentLater(): void {
    this.#absent = setTimeout(() => this.#tell(true), this.#absentAfterMs).unref();
  }

  #takeForDeadLater(): void {
    const afterMs = this.#options.goneAfterMs ?? usual.goneAfterMs;
    const gone = setTimeout(async () => {
      const agoMs = await this.#options.seenAgoMs?.().catch(() => 0);
      // It may have come while that was looked up.
      if (this.#isOver || this.#gone !== gone) return;
      if (agoMs !== undefined && agoMs < afterMs - notedWithinMs) this.#takeForDeadLater();
      else this.#options.onGone();
    }, afterMs).unref();
    this.#gone = gone;
  }

  #tell(isAbsent: boolean): void {
    this.#isAbsent = isAbsent;
    clearTimeout(this.#again);
    this.#options.onAbsence(isAbsent).catch(() => {
      if (this.#isOver || this.#isAbsent !== isAbsent) return;
      this.#again = setTimeout(() => this.#tell(isAbsent), this.#absentAfterMs).unref();
    });
  }

  get #absentAfterMs(): number {
    return this.#options.absentAfterMs ?? usual.absentAfterMs;
  }
}
