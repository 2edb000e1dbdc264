import type { Exchange } from "./exchange.js";

/** How long a client is waited for, where it differs from the defaults. */
export interface Patience {
  /** How long one of which nothing is open may be away before it is taken for absent (3 s): it may just connect anew. */
  readonly absentAfterMs?: number;
  /** How long one that keeps a lifeline may be without it before it is taken for dead (30 s, as long as a silent process). */
  readonly goneAfterMs?: number;
}

const usual: Required<Patience> = { absentAfterMs: 3_000, goneAfterMs: 30_000 };

export interface PresenceOptions extends Patience {
  /** Told when the client is not seen any more, and when it is there again. What it rejects with is tried again. */
  readonly onAbsence: (isAbsent: boolean) => Promise<void>;
  /** Told once, when a client that keeps a lifeline is taken for dead. */
  readonly onGone: () => void;
}

/**
 * Whether the client of a connection over HTTP is there, as far as its requests tell. One whose last request was cut off,
 * and that makes no other, is absent after three seconds. One whose last request was answered may think for as long as it
 * likes: nothing tells that from its death, unless it keeps a lifeline, whose end says it.
 */
export class Presence {
  readonly #options: PresenceOptions;
  #open = 0;
  #keepsLifeline = false;
  /** As it was told last. */
  #isAbsent = false;
  #absent: NodeJS.Timeout | undefined;
  #gone: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  /** @param isLifeline whether the client keeps this request open for as long as it lives, and makes it anew when it is cut */
  seenUntil(exchange: Exchange, isLifeline: boolean): void {
    if (this.#isOver) return;
    this.#open += 1;
    if (isLifeline) this.#keepsLifeline = true;
    clearTimeout(this.#absent);
    clearTimeout(this.#gone);
    if (this.#isAbsent) this.#tell(false);
    exchange.onSettled((reached) => {
      this.#open -= 1;
      if (this.#open > 0 || this.#isOver || (reached && !this.#keepsLifeline)) return;
      this.#tellAbsentLater();
      if (this.#keepsLifeline)
        this.#gone = setTimeout(this.#options.onGone, this.#options.goneAfterMs ?? usual.goneAfterMs).unref();
    });
  }

  end(): void {
    this.#isOver = true;
    clearTimeout(this.#absent);
    clearTimeout(this.#gone);
  }

  #tellAbsentLater(): void {
    const afterMs = this.#options.absentAfterMs ?? usual.absentAfterMs;
    this.#absent = setTimeout(() => this.#tell(true), afterMs).unref();
  }

  #tell(isAbsent: boolean): void {
    this.#isAbsent = isAbsent;
    this.#options.onAbsence(isAbsent).catch(() => {
      if (this.#isOver || this.#isAbsent !== isAbsent) return;
      if (isAbsent) this.#tellAbsentLater();
      // The next request of the client tries again.
      else this.#isAbsent = true;
    });
  }
}
