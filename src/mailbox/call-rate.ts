const minuteMs = 60_000;

/** Adds calls to what all processes have counted of an agent. @returns the minute they count in, and all calls in it */
type AddCalls = (calls: number) => Promise<{ readonly minute: number; readonly calls: number }>;

interface Count {
  /** Counted here, those of which the store has not been told among them. */
  here: number;
  untold: number;
  /** Counted by other processes, as of the last time that the store was told. */
  elsewhere: number;
}

/**
 * How often each agent has called in the running minute, whichever of its runs it was and at whatever process.
 *
 * A process counts for itself, and after each sixteenth of the limit tells the store and learns what the others have
 * counted: an agent that uses n processes may come to n sixteenths more than the limit, and most calls cost no command.
 */
export class CallRate {
  readonly #counts = new Map<string, Count>();
  #minute = 0;

  /**
   * Counts a call. Where the store cannot be told, the count of this process stands alone.
   *
   * @returns how many the agent has made in this minute as far as is known, and the seconds until the next begins
   */
  async count(
    agent: string,
    limit: number,
    now: number,
    add: AddCalls,
  ): Promise<{ readonly calls: number; readonly secondsLeft: number }> {
    const minute = Math.floor(now / minuteMs);
    if (minute !== this.#minute) this.#counts.clear();
    this.#minute = minute;
    const count = this.#counts.get(agent) ?? { here: 0, untold: 0, elsewhere: 0 };
    this.#counts.set(agent, count);
    count.here++;
    count.untold++;
    // Past the limit nothing that others have counted makes a difference, and a flood reaches no store.
    if (count.untold >= limit / 16 && count.here + count.elsewhere <= limit + 1) {
      const { here, untold } = count;
      count.untold = 0;
      const all = await add(untold).catch(() => undefined);
      if (all?.minute === minute) count.elsewhere = Math.max(all.calls - here, count.elsewhere);
    }
    return {
      calls: count.here + count.elsewhere,
      secondsLeft: Math.ceil(((minute + 1) * minuteMs - now) / 1000),
    };
  }
}
