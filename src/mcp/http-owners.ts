import type { Exchange } from "./exchange.js";
import { tooMany } from "./http-asking.js";
import type { EndpointLimits } from "./http-limits.js";

type Kind = "session" | "stream" | "lifeline" | "call" | "note";

const minuteMs = 60_000;

/** What one owner holds. */
class Holdings implements Record<Kind, number> {
  session = 0;
  stream = 0;
  /** Streams that tell nothing: they take nothing from those that do. */
  lifeline = 0;
  call = 0;
  /** Posts in which nothing is called, which have a number of their own: a call can always be cancelled. */
  note = 0;
  readonly connections = new Set<Cuttable>();
}

interface Cuttable extends Exchange {
  cut(): void;
}

const words = {
  session: "sessions",
  stream: "streams of updates",
  lifeline: "lifelines",
  call: "calls",
  note: "notifications",
} as const;

/**
 * What each principal holds open in this process. The count is by who asks, so that no second connection, session or
 * header gets around it.
 */
export class Owners {
  readonly #limits: EndpointLimits;
  readonly #holdings = new Map<string, Holdings>();
  #all = new Holdings();
  #onIdle: (() => void)[] = [];
  #requests = new Map<string, number>();
  #minute = 0;

  constructor(limits: EndpointLimits) {
    this.#limits = limits;
  }

  /** Counts a request of the owner, whatever its method: answers the refusal for the client where it was one too many in this minute. */
  requested(owner: string, now = Date.now()): Response | undefined {
    const minute = Math.floor(now / minuteMs);
    if (minute !== this.#minute) this.#requests = new Map();
    this.#minute = minute;
    const requests = (this.#requests.get(owner) ?? 0) + 1;
    this.#requests.set(owner, requests);
    const most = this.#limits.requestsPerMinute;
    if (requests <= most) return undefined;
    const seconds = Math.ceil(((minute + 1) * minuteMs - now) / 1000);
    return tooMany(429, `this agent has sent ${most} requests in this minute; wait for the next`, seconds);
  }

  /** How much all of them hold together. */
  count(kind: Kind): number {
    return this.#all[kind];
  }

  /** Takes `count` of a kind for the owner: answers what gives them back, or the refusal for the client. */
  hold(owner: string, kind: Kind, count = 1): (() => void) | Response {
    if (kind === "session" && this.#all.session + count > this.#limits.sessions)
      return tooMany(503, `${this.#limits.sessions} sessions are open; try again later`);
    const held = this.#of(owner);
    const most = this.#most(kind);
    if (held[kind] + count > most) {
      this.#tidy(owner, held);
      return tooMany(429, `${most} ${words[kind]} of this agent are open; wait for one to end`);
    }
    held[kind] += count;
    this.#all[kind] += count;
    let given = false;
    return () => {
      if (given) return;
      given = true;
      held[kind] -= count;
      this.#all[kind] -= count;
      this.#tidy(owner, held);
      if (this.#all.call === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
    };
  }

  /** Knows the connection as the owner's until its exchange is settled. */
  connected(owner: string, exchange: Cuttable): void {
    const held = this.#of(owner);
    held.connections.add(exchange);
    exchange.onSettled(() => {
      held.connections.delete(exchange);
      this.#tidy(owner, held);
    });
  }

  /** Cuts every connection on which this owner waits for something. */
  cut(owner: string): void {
    for (const connection of [...(this.#holdings.get(owner)?.connections ?? [])]) connection.cut();
  }

  /** Resolves when no call is in flight. */
  async idle(): Promise<void> {
    if (this.#all.call > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  #most(kind: Kind): number {
    if (kind === "session") return this.#limits.sessionsPerAgent;
    return kind === "call" || kind === "note" ? this.#limits.callsInFlight : this.#limits.streamsPerAgent;
  }

  #of(owner: string): Holdings {
    let held = this.#holdings.get(owner);
    if (!held) {
      held = new Holdings();
      this.#holdings.set(owner, held);
    }
    return held;
  }

  #tidy(owner: string, held: Holdings): void {
    if (held.session + held.stream + held.lifeline + held.call + held.note + held.connections.size > 0)
      return;
    if (this.#holdings.get(owner) === held) this.#holdings.delete(owner);
  }
}
