import { setTimeout as delay } from "node:timers/promises";

/** How long others are served between two looks, ms at least, and how many times as long as the last one took. */
const restMs = 500;
const restTimes = 4;

interface Asked<Seen> {
  readonly use: (seen: Seen) => Promise<unknown>;
  readonly failed: (error: unknown) => void;
}

/**
 * Looks at what is there for all who want to: whoever comes while a look goes on, or rests, is served by the next one. So
 * their number does not keep others from the store and from this process.
 */
export class SharedLooks<Seen> {
  readonly #look: () => Promise<Seen>;
  #asked: Asked<Seen>[] = [];
  #isBusy = false;

  constructor(look: () => Promise<Seen>) {
    this.#look = look;
  }

  /** What a look finds that begins after this call, as it is used. */
  for<Used>(use: (seen: Seen) => Promise<Used>): Promise<Used> {
    return new Promise<Used>((resolve, failed) => {
      this.#asked.push({ use: (seen) => use(seen).then(resolve), failed });
      if (!this.#isBusy) void this.#serve();
    });
  }

  async #serve(): Promise<void> {
    this.#isBusy = true;
    while (this.#asked.length > 0) {
      const from = performance.now();
      await this.#serveOnce();
      const tookMs = performance.now() - from;
      await delay(Math.max(restMs, restTimes * tookMs), undefined, { ref: false });
    }
    this.#isBusy = false;
  }

  async #serveOnce(): Promise<void> {
    const asked = this.#asked.splice(0);
    try {
      const seen = await this.#look();
      for (const { use, failed } of asked) {
        await use(seen).catch(failed);
        await delay(0);
      }
    } catch (error) {
      for (const { failed } of asked) failed(error);
    }
  }
}
