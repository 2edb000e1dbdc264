/** How often whoever waits is told how much is left. */
const tellEveryMs = 10_000;

interface WakeOptions {
  /** When the time of the call is over, by `performance.now()`: nobody sets that. */
  readonly until: number;
  /** What else ends its sleep. */
  readonly signals?: readonly (AbortSignal | undefined)[];
  /** Called every 10 s while it sleeps. */
  readonly tell?: ((secondsLeft: number) => void) | undefined;
}

/**
 * Something a call sleeps on until a hint comes, or an abort. What wakes it while it is awake is not forgotten: rest
 * first, then look, then sleep, and nothing that happened since the look is missed.
 */
export class Wake {
  readonly until: number;
  readonly #signals: readonly (AbortSignal | undefined)[];
  readonly #tell: ((secondsLeft: number) => void) | undefined;
  readonly #onAbort = (): void => this.now();
  #told = performance.now();
  #isAwake = false;
  #rise: (() => void) | undefined;

  constructor({ until, signals = [], tell }: WakeOptions) {
    this.until = until;
    this.#signals = signals;
    this.#tell = tell;
    for (const signal of signals) signal?.addEventListener("abort", this.#onAbort);
  }

  now(): void {
    this.#isAwake = true;
    this.#rise?.();
  }

  /** What woke it until now will be seen by the look that follows. */
  rest(): void {
    this.#isAwake = false;
  }

  /** Until it is woken, or `soonest` or the end has come. */
  async sleep(soonest = this.until): Promise<void> {
    const end = Math.min(soonest, this.until);
    while (!this.#isAwake && performance.now() < end) {
      if (this.#tell && performance.now() - this.#told >= tellEveryMs) {
        this.#told = performance.now();
        this.#tell(Math.ceil((this.until - this.#told) / 1000));
      }
      const next = this.#tell ? Math.min(end, this.#told + tellEveryMs) : end;
      await this.#pause(Math.max(next - performance.now(), 1));
    }
  }

  /** Hears no abort any more. */
  end(): void {
    for (const signal of this.#signals) signal?.removeEventListener("abort", this.#onAbort);
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#rise = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#rise = undefined;
  }
}
