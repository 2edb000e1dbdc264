/**
 * How long ago something was, by two clocks: the one of the machine may be set back, and the other, which nobody sets, stands
 * still while the machine sleeps. What either has seen pass has passed.
 */
export class LastTime {
  #wallMs = 0;
  #steadyMs = Number.NEGATIVE_INFINITY;

  isNow(): void {
    this.#wallMs = Date.now();
    this.#steadyMs = performance.now();
  }

  agoMs(): number {
    return Math.max(Date.now() - this.#wallMs, performance.now() - this.#steadyMs);
  }
}
