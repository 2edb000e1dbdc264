const minuteMs = 60_000;

/** How often each agent has called in the running minute, whichever of its runs it was. */
export class CallRate {
  readonly #counts = new Map<string, number>();
  #minute = 0;

  /** Counts a call. @returns how many the agent has made in this minute, and the seconds until the next begins */
  count(agent: string, now: number): { readonly calls: number; readonly secondsLeft: number } {
    const minute = Math.floor(now / minuteMs);
    if (minute !== this.#minute) this.#counts.clear();
    this.#minute = minute;
    const calls = (this.#counts.get(agent) ?? 0) + 1;
    this.#counts.set(agent, calls);
    return { calls, secondsLeft: Math.ceil(((minute + 1) * minuteMs - now) / 1000) };
  }
}
