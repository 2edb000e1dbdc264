import type { Exchange } from "./exchange.js";

interface Entry<V> {
  readonly value: V;
  busy: number;
  usedAt: number;
}

/** Things that are given up after they have not been used for a while. What serves a request is in use. */
export class IdleMap<V> {
  readonly #entries = new Map<string, Entry<V>>();
  readonly #idleMs: number;
  readonly #giveUp: (value: V) => void;
  readonly #timer: NodeJS.Timeout;

  constructor(idleMs: number, giveUp: (value: V) => void) {
    this.#idleMs = idleMs;
    this.#giveUp = giveUp;
    this.#timer = setInterval(() => this.#sweep(Date.now()), Math.max(Math.min(idleMs / 4, 30_000), 10));
    this.#timer.unref();
  }

  get size(): number {
    return this.#entries.size;
  }

  values(): V[] {
    return [...this.#entries.values()].map((entry) => entry.value);
  }

  get(key: string): V | undefined {
    return this.#entries.get(key)?.value;
  }

  set(key: string, value: V): void {
    this.#entries.set(key, { value, busy: 0, usedAt: Date.now() });
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  /** In use until the reply of this exchange is out. */
  use(key: string, exchange: Exchange): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    entry.busy += 1;
    entry.usedAt = Date.now();
    exchange.onSettled(() => {
      entry.busy -= 1;
      entry.usedAt = Date.now();
    });
  }

  /** Everything that is still here, which is no longer swept. */
  close(): V[] {
    clearInterval(this.#timer);
    const values = this.values();
    this.#entries.clear();
    return values;
  }

  #sweep(now: number): void {
    for (const [key, entry] of this.#entries) {
      if (entry.busy > 0 || now - entry.usedAt < this.#idleMs) continue;
      this.#entries.delete(key);
      this.#giveUp(entry.value);
    }
  }
}
