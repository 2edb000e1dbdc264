import type { RedisTurnHandle, RedisTurnQueue } from "js-redis-server/core";

/**
 * One command, script or transaction at a time, first come first served; `onTurnEnd` runs before the next begins.
 *
 * What a turn did belongs together: the journal takes it whole or not at all.
 */
export class TurnQueue implements RedisTurnQueue {
  readonly #waiting: (() => void)[] = [];
  readonly #onTurnEnd: () => void;
  #busy = false;

  constructor(onTurnEnd: () => void) {
    this.#onTurnEnd = onTurnEnd;
  }

  waitTurn(): Promise<RedisTurnHandle> {
    return this.#enter((grant) => this.#waiting.push(grant));
  }

  #enter(enqueue: (grant: () => void) => void): Promise<RedisTurnHandle> {
    return new Promise((resolve) => {
      enqueue(() => resolve(this.#handle()));
      this.#next();
    });
  }

  #handle(): RedisTurnHandle {
    let held = true;
    const release = (): void => {
      if (!held) return;
      held = false;
      this.#onTurnEnd();
      this.#busy = false;
      this.#next();
    };
    return {
      release,
      suspend: async (waitFor) => {
        release();
        await waitFor;
        return this.#enter((grant) => this.#waiting.unshift(grant));
      },
    };
  }

  #next(): void {
    if (this.#busy) return;
    const grant = this.#waiting.shift();
    if (!grant) return;
    this.#busy = true;
    grant();
  }
}
