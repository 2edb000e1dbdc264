/** How much is done before something else gets its turn. */
const perTurn = 50;

/**
 * Small pieces of work of which very many may come at once, such as an update for each of a thousand clients. The first
 * are done at once, the others a few at a time in the order in which they came, so that what else the process has to do
 * comes in between.
 */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  #left = perTurn;
  #scheduled = false;

  do(work: () => void): void {
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => this.#next());
    }
    if (this.#left > 0 && this.#waiting.length === 0) {
      this.#left -= 1;
      work();
    } else this.#waiting.push(work);
  }

  #next(): void {
    this.#left = perTurn;
    this.#scheduled = this.#waiting.length > 0;
    if (!this.#scheduled) return;
    setImmediate(() => this.#next());
    const now = this.#waiting.splice(0, perTurn);
    this.#left -= now.length;
    for (const work of now) work();
  }
}
