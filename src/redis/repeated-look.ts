import { setTimeout as delay } from "node:timers/promises";
import { isRefusal } from "../errors/index.js";

/** How long until it is looked again where the store could not be asked. */
const pauseMs = 1_000;

/**
 * A look that a hint asks for. Hints that come while one goes on are one look after it. The hint is not said again: so where
 * the store cannot be asked, which may be while hints still come, it is looked again every second until it can be.
 */
export class RepeatedLook {
  readonly #look: (isMore: boolean) => Promise<unknown>;
  #isWanted = false;
  #isMore = false;
  #isGoing = false;
  #isOver = false;

  /**
   * @param look told whether one of the hints since the last look that did not fail said more than others; it fails with
   *   `store.*` where it is to be done again, and any other failure is as good as having looked
   */
  constructor(look: (isMore: boolean) => Promise<unknown>) {
    this.#look = look;
  }

  again(isMore = false): void {
    this.#isMore ||= isMore;
    this.#isWanted = true;
    if (!this.#isGoing && !this.#isOver) void this.#go();
  }

  stop(): void {
    this.#isOver = true;
  }

  async #go(): Promise<void> {
    this.#isGoing = true;
    while (this.#isWanted && !this.#isOver) {
      this.#isWanted = false;
      const isMore = this.#isMore;
      this.#isMore = false;
      try {
        await this.#look(isMore);
      } catch (error) {
        this.#isMore ||= isMore;
        if (!isRefusal(error) || (error.kind !== "UNAVAILABLE" && error.kind !== "UNKNOWN")) continue;
        this.#isWanted = true;
        await delay(pauseMs, undefined, { ref: false });
      }
    }
    this.#isGoing = false;
  }
}
