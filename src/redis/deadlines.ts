interface Wait {
  /** By the clock of `performance.now()`, which nobody sets back. */
  readonly until: number;
  readonly tell: () => void;
}

/**
 * Tells what has waited for too long that its time is over. One timer serves all: to set one for each and clear it again
 * costs a call to the store as much as encoding it.
 */
export class Deadlines {
  readonly #waits = new Set<Wait>();
  #timer: NodeJS.Timeout | undefined;
  #wakesAt = Number.POSITIVE_INFINITY;

  /** How many wait now. */
  get size(): number {
    return this.#waits.size;
  }

  /** @param tell called once, in `ms` milliseconds, unless the answer was called before. It does not keep a process alive. */
  watch(ms: number, tell: () => void): () => void {
    const wait: Wait = { until: performance.now() + Math.max(ms, 1), tell };
    this.#waits.add(wait);
    if (wait.until < this.#wakesAt) this.#wakeAt(wait.until);
    return () => this.#waits.delete(wait);
  }

  #wakeAt(until: number): void {
    clearTimeout(this.#timer);
    this.#wakesAt = until;
    this.#timer = setTimeout(() => this.#look(), Math.max(until - performance.now(), 1)).unref();
  }

  /** The timer is left as it is when its wait ends, so that it mostly finds later ones, or none. */
  #look(): void {
    this.#wakesAt = Number.POSITIVE_INFINITY;
    const now = performance.now();
    let next = Number.POSITIVE_INFINITY;
    for (const wait of [...this.#waits])
      if (wait.until > now) next = Math.min(next, wait.until);
      else {
        this.#waits.delete(wait);
        wait.tell();
      }
    if (next < this.#wakesAt) this.#wakeAt(next);
  }
}
