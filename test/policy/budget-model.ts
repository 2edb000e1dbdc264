/** What limits and reservations promise, in the memory of one process and simple enough to be read. */

export interface ModelLimit {
  readonly id: string;
  /** Whose use is added up. */
  readonly per: "agent" | "namespace";
  readonly most: number;
  readonly windowMs: number;
  readonly unsettled: "release" | "charge";
}

interface Window {
  readonly limit: ModelLimit;
  readonly begin: number;
  used: number;
  held: number;
}

interface Reservation {
  readonly agent: string;
  readonly amount: number;
  readonly expiresAt: number;
  readonly windows: readonly Window[];
  state: "open" | "expired" | "settled";
  cost: number;
}

/** Amounts are millionths. */
export class BudgetModel {
  readonly #limits: readonly ModelLimit[];
  readonly #reservationMs: number;
  readonly #windows = new Map<string, Window>();
  readonly #reservations = new Map<string, Reservation>();

  constructor(limits: readonly ModelLimit[], reservationMs: number) {
    this.#limits = limits;
    this.#reservationMs = reservationMs;
  }

  /** Whether somebody may reserve so much now. */
  mayReserve(agent: string, amount: number, now: number): boolean {
    this.#pass(now);
    return this.#running(agent, now).every(({ limit, used, held }) => used + held + amount <= limit.most);
  }

  reserved(id: string, agent: string, amount: number, now: number): void {
    const windows = this.#running(agent, now);
    for (const window of windows) window.held += amount;
    const expiresAt = now + this.#reservationMs;
    this.#reservations.set(id, { agent, amount, expiresAt, windows, state: "open", cost: 0 });
  }

  /** What settling answers: `once` where it was settled with this cost before. */
  settle(id: string, agent: string, cost: number, now: number): "settled" | "once" | "otherwise" | "unknown" {
    this.#pass(now);
    const one = this.#reservations.get(id);
    if (!one || one.agent !== agent) return "unknown";
    if (one.state === "settled") return one.cost === cost ? "once" : "otherwise";
    for (const window of this.#live(one, now)) {
      if (one.state === "open") window.held -= one.amount;
      window.used += cost;
      if (one.state === "expired" && window.limit.unsettled === "charge")
        window.used = Math.max(window.used - one.amount, 0);
    }
    one.state = "settled";
    one.cost = cost;
    return "settled";
  }

  /** Used and held of each limit of an agent. */
  stand(
    agent: string,
    now: number,
  ): readonly { readonly id: string; readonly used: number; readonly held: number }[] {
    this.#pass(now);
    return this.#running(agent, now).map(({ limit, used, held }) => ({ id: limit.id, used, held }));
  }

  #pass(now: number): void {
    for (const one of this.#reservations.values()) {
      if (one.state !== "open" || one.expiresAt > now) continue;
      one.state = "expired";
      for (const window of this.#live(one, now)) {
        window.held -= one.amount;
        if (window.limit.unsettled === "charge") window.used += one.amount;
      }
    }
  }

  #live({ windows }: Reservation, now: number): readonly Window[] {
    return windows.filter(({ limit, begin }) => begin + limit.windowMs > now);
  }

  #running(agent: string, now: number): readonly Window[] {
    return this.#limits.map((limit) => {
      const begin = now - (now % limit.windowMs);
      const key = `${limit.id} ${limit.per === "agent" ? agent : ""} ${begin}`;
      const known = this.#windows.get(key);
      if (known) return known;
      const window = { limit, begin, used: 0, held: 0 };
      this.#windows.set(key, window);
      return window;
    });
  }
}
