const minuteMs = 60_000;

/** How many refusals of one author have a row each in a minute. */
const singlyInMinute = 600;

/** What was refused so often that one row tells how often. */
interface Tally<T> {
  readonly first: T;
  readonly count: number;
}

/**
 * Refusals that cost their author nothing, and would fill the store with rows: so many a minute of each author have a row
 * of their own, of the rest one row tells how many they were.
 */
export class RefusalTally<T> {
  readonly #tell: (tally: Tally<T>) => Promise<void>;
  readonly #seen = new Map<string, { singly: number; first: T | undefined; more: number }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(tell: (tally: Tally<T>) => Promise<void>) {
    this.#tell = tell;
  }

  /** Whether this refusal gets a row of its own; if not, it is counted and told within a minute. */
  isSingle(author: string, refusal: T): boolean {
    const seen = this.#seen.get(author) ?? { singly: 0, first: undefined, more: 0 };
    this.#seen.set(author, seen);
    this.#timer ??= setTimeout(() => void this.flush(), minuteMs).unref();
    if (seen.singly < singlyInMinute) {
      seen.singly++;
      return true;
    }
    seen.first ??= refusal;
    seen.more++;
    return false;
  }

  /** Tells what was counted, and begins anew. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const over = [...this.#seen.values()];
    this.#seen.clear();
    for (const { first, more } of over) if (first !== undefined) await this.#tell({ first, count: more });
  }
}
