import { type Connection, type Endpoint, openConnection } from "./connection.js";
import type { Redis } from "./driver.js";

const pingEveryMs = 2_000;

/**
 * Wake-ups. A hint only says "look again": state decides, so a lost hint costs time and nothing else.
 *
 * One connection per process listens for all its waiters. It is pinged every two seconds; when it was away, every
 * listener is called, because anything may have happened meanwhile.
 */
export class Hints {
  readonly #connection: Connection;
  readonly #listeners = new Map<string, Set<(message: string) => void>>();
  readonly #pulse: NodeJS.Timeout;
  #missed = false;

  constructor(endpoint: Endpoint, log?: (event: string, facts: Record<string, unknown>) => void) {
    this.#connection = openConnection(endpoint, `llm-mailbox-hints:${process.pid}`, {
      enableOfflineQueue: true,
      maxRetriesPerRequest: null,
    });
    this.#connection.on("error", (error: Error) => log?.("hint connection error", { error: error.message }));
    this.#connection.on("close", () => {
      this.#missed = true;
    });
    this.#connection.on("ready", () => void this.#catchUp());
    this.#connection.on("message", (channel: string, message: string) => {
      for (const listener of this.#listeners.get(channel) ?? []) listener(message);
    });
    this.#connection.connect().catch(() => {});
    this.#pulse = setInterval(() => void this.#ping(), pingEveryMs);
    this.#pulse.unref();
  }

  /** Resolves when the channel is being listened to, so that a state read afterwards misses nothing. */
  async listen(channel: string, listener: (message: string) => void): Promise<() => void> {
    const known = this.#listeners.get(channel);
    if (known) known.add(listener);
    else {
      this.#listeners.set(channel, new Set([listener]));
      await this.#connection.subscribe(channel).catch(() => {
        // Away: the channel is subscribed to when the connection is back, and everybody is woken then.
      });
    }
    return () => {
      const listeners = this.#listeners.get(channel);
      if (!listeners?.delete(listener) || listeners.size > 0) return;
      this.#listeners.delete(channel);
      this.#connection.unsubscribe(channel).catch(() => {});
    };
  }

  close(): void {
    clearInterval(this.#pulse);
    this.#connection.disconnect();
  }

  /** After the connection was away: hears what is said from now on, and then has everybody look for what was said before. */
  async #catchUp(): Promise<void> {
    if (!this.#missed) return;
    this.#missed = false;
    if (this.#listeners.size > 0) await this.#connection.subscribe(...this.#listeners.keys()).catch(() => {});
    // Away once more: the next time that it is ready all of this is done again.
    if (this.#missed) return;
    for (const listeners of this.#listeners.values()) for (const listener of listeners) listener("");
  }

  async #ping(): Promise<void> {
    if (this.#connection.status !== "ready") return;
    let answered = false;
    const timer = setTimeout(() => {
      if (!answered) (this.#connection as Redis).disconnect(true);
    }, pingEveryMs);
    timer.unref();
    try {
      await (this.#connection as Redis).ping();
    } catch {
      // The close event tells the rest.
    } finally {
      answered = true;
      clearTimeout(timer);
    }
  }
}
