/** Asked for anew when older than this: with the way there and back a change holds within a second. */
const freshMs = 750;

/**
 * What a process keeps of something in the store: asked for less than 750 ms ago whenever it is used, and after the last
 * change that the process heard of. It is asked for only when it is used, and once for all who ask at the same time.
 */
export class FreshCopy<Value> {
  readonly #ask: (known: Value | undefined) => Promise<Value>;
  #value: Value | undefined;
  /** By this process's own clock, which nobody sets back. */
  #askedAt = Number.NEGATIVE_INFINITY;
  /** Changes heard of, and how many of them were heard of before the value was asked for. */
  #changes = 0;
  #seen = 0;
  #asking: Promise<void> | undefined;

  /** @param ask the value as the store has it now, given the one that is known; the same one where nothing changed */
  constructor(ask: (known: Value | undefined) => Promise<Value>) {
    this.#ask = ask;
  }

  /** Something changed: what is known is not used any more. */
  changed(): void {
    this.#changes++;
  }

  get(): Promise<Value> | Value {
    const isFresh = this.#seen === this.#changes && performance.now() - this.#askedAt < freshMs;
    return isFresh ? this.#value! : this.#refresh();
  }

  /** As it is now, not up to a second ago: for whoever is about to change it. */
  now(): Promise<Value> {
    this.changed();
    return this.#refresh();
  }

  async #refresh(): Promise<Value> {
    // Calls at once ask once; an answer that was under way when a change was heard of may be older than the change.
    do {
      this.#asking ??= this.#renew().finally(() => {
        this.#asking = undefined;
      });
      await this.#asking;
    } while (this.#seen !== this.#changes);
    return this.#value!;
  }

  async #renew(): Promise<void> {
    const askedAt = performance.now();
    const changes = this.#changes;
    this.#value = await this.#ask(this.#value);
    this.#askedAt = askedAt;
    this.#seen = changes;
  }
}
