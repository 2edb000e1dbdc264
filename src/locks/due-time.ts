/**
 * An instant by two clocks, as `LastTime` has it: the one of the machine may be set back, and the other, which nobody sets,
 * stands still while the machine sleeps. What either has seen come has come.
 */
export interface DueTime {
  readonly wallMs: number;
  readonly steadyMs: number;
}

export function inMs(ms: number): DueTime {
  return { wallMs: Date.now() + ms, steadyMs: performance.now() + ms };
}

export function hasCome({ wallMs, steadyMs }: DueTime, now: DueTime = inMs(0)): boolean {
  return wallMs <= now.wallMs || steadyMs <= now.steadyMs;
}
