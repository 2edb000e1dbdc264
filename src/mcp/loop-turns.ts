/** How long work is begun before whatever else the process has to do comes in between. */
const turnMs = 10;

/**
 * Work of which very much may come at once, such as requests, or updates for each of a thousand clients: it is begun as long
 * as there is time in this turn of the event loop, and what is left in the turns after it, in the order in which it came. So
 * what comes at once holds up a turn for so long, and for the one piece of it that was begun last.
 */
export class LoopTurns {
  readonly #waiting: (() => void)[] = [];
  #begunAt: number | undefined;
  #isGoing = false;

  /**
   * Resolves when it is the caller's turn. Nothing where that is now: who awaits it all the same lets others ask whether there
   * is time before it has used any.
   */
  mine(): Promise<void> | undefined {
    if (!this.#isGoing && this.#hasTime()) return undefined;
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#isGoing) return;
      this.#isGoing = true;
      setImmediate(() => this.#next());
    });
  }

  /** Does it when it is its turn. */
  do(work: () => void): void {
    const turn = this.mine();
    if (turn) void turn.then(work);
    else work();
  }

  #hasTime(): boolean {
    if (this.#begunAt !== undefined) return performance.now() - this.#begunAt < turnMs;
    this.#begunAt = performance.now();
    setImmediate(() => {
      this.#begunAt = undefined;
    });
    return true;
  }

  #next(): void {
    if (this.#waiting.length === 0) {
      this.#isGoing = false;
      return;
    }
    if (!this.#hasTime()) {
      setImmediate(() => this.#next());
      return;
    }
    this.#waiting.shift()!();
    // After all that it does at once, in microtasks too.
    queueMicrotask(() => process.nextTick(() => this.#next()));
  }
}

/** Of all that this process is asked for over HTTP, and of all that wait in it and are woken or told of something. */
export const loopTurns = new LoopTurns();
