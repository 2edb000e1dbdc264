import { randomUUID } from "node:crypto";
import { MailboxError, refuse } from "../errors/index.js";
import { type Connection, type Endpoint, openConnection } from "./connection.js";
import { Deadlines } from "./deadlines.js";
import { Command, type Redis } from "./driver.js";
import type { Script } from "./script.js";
import { ScriptCall } from "./script-call.js";

/** What a script returns: a word, then values as text. Nested lists stay nested. */
export type Reply = readonly [word: string, ...rest: ReplyValue[]];
export type ReplyValue = string | number | null | readonly ReplyValue[];

/** How often the store's clock is compared with what is taken for it, at most. */
const clockEveryMs = 10_000;
/** How often one call is repeated because its deadline was not by the store's clock. */
const clockTries = 3;

/** How much survives, as promised in docs/guarantees.md. */
export type Tier = "D0" | "D1" | "D2" | "D3";

export interface StoreOptions {
  readonly endpoint: Endpoint;
  /** For people: which store this is. */
  readonly label: string;
  /** What the engine promises when it cannot be asked. */
  readonly tier?: Tier;
  /** Brings a local engine back; called when the connection is lost, before connecting again. */
  readonly revive?: () => Promise<void>;
  /** How long one call may take in all, retries included, in milliseconds. */
  readonly callTimeoutMs?: number;
  /** Told of each question to the store: how long it took, and whether it was answered. */
  readonly onRoundTrip?: (seconds: number, answered: boolean) => void;
  readonly log?: (event: string, facts: Record<string, unknown>) => void;
}

/**
 * The store, seen as one thing to run scripts on.
 *
 * `run` answers exactly as one execution of the script would, or throws: `store.unavailable` when nothing was sent,
 * `store.outcome_unknown` when it was sent and no answer came in time. A script gets a deadline of the store's clock as
 * its first argument and must do nothing past it, so what was given up here does not happen later.
 *
 * Where the store's clock is set, or that of a store that took its place is another one, the deadlines of this process are
 * wrong until it notices: at the next answer that says so, which is repeated, or within ten seconds of calls.
 */
export class Store {
  readonly label: string;
  readonly #connection: Connection;
  readonly #options: StoreOptions;
  readonly #callTimeoutMs: number;
  /** Of the commands that wait for their answers. */
  readonly #deadlines = new Deadlines();
  #tier: Tier;
  /** What the store's clock shows more than `performance.now()`, which nobody sets. */
  #clockOffsetMs = Date.now() - performance.now();
  #clockAskedAt = 0;
  /** Whether scripts may begin with `#!lua` flags; the embedded engine does not know them. */
  #knowsFlags = true;
  #greeted = false;
  #closed = false;
  #reviving: Promise<void> | undefined;
  readonly #onReconnect = new Set<() => void>();

  private constructor(options: StoreOptions) {
    this.label = options.label;
    this.#options = options;
    this.#callTimeoutMs = options.callTimeoutMs ?? 5_000;
    this.#tier = options.tier ?? "D0";
    this.#connection = openConnection(options.endpoint, `llm-mailbox:${process.pid}`);
    this.#connection.on("error", (error: Error) =>
      options.log?.("store connection error", { error: error.message }),
    );
    this.#connection.on("close", () => void this.#revive());
    this.#connection.on("ready", () => void this.#greet());
    // While the store is away each call waits for it, and there may be many.
    this.#connection.setMaxListeners(0);
  }

  /** Connects, and waits until the store answers or the call timeout is over. @throws {MailboxError} `store.unavailable` */
  static async open(options: StoreOptions): Promise<Store> {
    const store = new Store(options);
    store.#connection.connect().catch(() => {
      // The reason is logged by the error event; connecting goes on in the background.
    });
    try {
      await store.#ready(store.#callTimeoutMs);
      const until = performance.now() + store.#callTimeoutMs;
      for (;;) {
        await store.#greet();
        if (store.#greeted || performance.now() > until) break;
        await pause(20);
        await store.#ready(until - performance.now());
      }
    } catch (error) {
      store.close();
      throw error;
    }
    return store;
  }

  get tier(): Tier {
    return this.#tier;
  }

  get endpoint(): Endpoint {
    return this.#options.endpoint;
  }

  get connected(): boolean {
    return this.#connection.status === "ready";
  }

  /** The store's time in milliseconds, as far as this process can tell. */
  now(): number {
    return performance.now() + this.#clockOffsetMs;
  }

  /** A name for one call of a caller: our own repetition of it is told by this from the caller's. */
  attempt(): string {
    return randomUUID();
  }

  /** Called after each reconnect: hints may have been lost meanwhile. */
  onReconnect(listener: () => void): () => void {
    this.#onReconnect.add(listener);
    return () => this.#onReconnect.delete(listener);
  }

  async run(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
    timeoutMs = this.#callTimeoutMs,
  ): Promise<Reply> {
    const until = performance.now() + timeoutMs;
    let wasLost = false;
    for (let tries = 0; ; tries++) {
      const offsetMs = this.#clockOffsetMs;
      const words = [Math.ceil(this.now() + until - performance.now()), ...args];
      const { reply, lost } = await this.#repeat(
        (inFull, again) => {
          // The half says so to scripts, which would otherwise have to look for traces of themselves at every call.
          if (again && Number.isInteger(words[0])) words[0] = Number(words[0]) + 0.5;
          return inFull
            ? new ScriptCall("eval", this.#knowsFlags ? script.source : script.plainSource, keys, words)
            : new ScriptCall("evalsha", this.#knowsFlags ? script.sha : script.plainSha, keys, words);
        },
        until,
        true,
        wasLost,
      );
      if (!Array.isArray(reply) || typeof reply[0] !== "string")
        throw new Error(
          `the script ${script.name} returned no word: ${JSON.stringify(reply)?.slice(0, 100)}`,
        );
      if (reply[0] !== "LATE") return reply as unknown as Reply;
      wasLost = lost;
      // There was time left, so that the deadline was not by the store's clock: nothing was done, and it is done now.
      const isLate = tries === clockTries || performance.now() >= until;
      // Too late now, but an earlier attempt whose answer was lost may have been in time.
      if (isLate) refuse(lost ? "store.outcome_unknown" : "store.unavailable");
      // Perhaps another call has learned it meanwhile.
      if (this.#clockOffsetMs === offsetMs) await this.#askClock(keys, until, lost);
    }
  }

  /** A single command outside the scripts: reads only, or what is idempotent by itself. Repeated until it is answered. */
  async command(name: string, ...args: readonly (string | number)[]): Promise<unknown> {
    const until = performance.now() + this.#callTimeoutMs;
    const { reply } = await this.#repeat(() => commandOf(name, args), until, false);
    return reply;
  }

  /** A whole hash, field by field. */
  async hash(key: string): Promise<ReadonlyMap<string, string>> {
    const flat = (await this.command("HGETALL", key)) as string[];
    const fields = new Map<string, string>();
    for (let n = 0; n < flat.length; n += 2) fields.set(flat[n]!, flat[n + 1]!);
    return fields;
  }

  /**
   * @param make the command for one more attempt; a script `inFull` once the store has said that it does not know it;
   *   `again` when an attempt before may have been executed
   * @param until by `performance.now()`
   * @param counts whether it matters that a command without an answer may have been executed
   * @param lost whether an attempt before may have been executed already
   * @returns `lost` when an attempt before the answered one may have been executed too
   */
  async #repeat(
    make: (inFull: boolean, again: boolean) => Command,
    until: number,
    counts: boolean,
    lost = false,
  ): Promise<{ readonly reply: unknown; readonly lost: boolean }> {
    let inFull = false;
    for (;;) {
      try {
        if (!this.connected) await this.#ready(until - performance.now());
      } catch (error) {
        if (lost && counts) refuse("store.outcome_unknown", {}, { cause: error });
        throw error;
      }
      const command = make(inFull, lost);
      const alone = this.#deadlines.size === 0;
      // Taken before it is sent: a Cluster puts its own in its place, which would try again.
      const { reject } = command;
      const answered = this.#deadlines.watch(until - performance.now(), () => giveUp(reject));
      try {
        this.#compareClocks();
        return { reply: await this.#measured(send(this.#connection, command, alone)), lost };
      } catch (error) {
        const verdict = judge(error as Error);
        if (verdict === "load") inFull = true;
        else if (verdict === "full") {
          // An earlier attempt that got no answer may have been done before the store was full.
          refuse(lost && counts ? "store.outcome_unknown" : "store.full", {}, { cause: error });
        } else if (verdict === "ended") {
          refuse(lost && counts ? "store.outcome_unknown" : "store.too_much", {}, { cause: error });
        } else if (verdict === "lost") lost = true;
        else if (verdict !== "unsent") throw error;
        if (performance.now() >= until)
          refuse(lost && counts ? "store.outcome_unknown" : "store.unavailable", {}, { cause: error });
        if (verdict !== "load") await pause(20);
      } finally {
        answered();
      }
    }
  }

  #measured<T>(asked: Promise<T>): Promise<T> {
    const { onRoundTrip } = this.#options;
    if (!onRoundTrip) return asked;
    const from = performance.now();
    const tell = (answered: boolean): void => onRoundTrip((performance.now() - from) / 1000, answered);
    asked.then(
      () => tell(true),
      () => tell(false),
    );
    return asked;
  }

  close(): void {
    this.#closed = true;
    this.#connection.disconnect();
  }

  async #ready(timeoutMs: number): Promise<void> {
    const connection = this.#connection;
    if (connection.status === "ready") return;
    if (this.#closed || timeoutMs <= 0) refuse("store.unavailable");
    await new Promise<void>((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        connection.off("ready", onReady);
      };
      const onReady = (): void => {
        settle();
        resolve();
      };
      const timer = setTimeout(() => {
        settle();
        reject(new MailboxError("store.unavailable"));
      }, timeoutMs);
      connection.on("ready", onReady);
    });
  }

  /** Learns the store's clock and durability anew: both may differ after a failover. */
  async #greet(): Promise<void> {
    try {
      await this.#learnClock(() => call(this.#connection, "TIME"));
      this.#knowsFlags = await call(this.#connection, "EVAL", "#!lua flags=no-writes\nreturn 1", "0").then(
        () => true,
        (error: Error) => {
          // The connection may break here too, which tells nothing about the engine.
          if (judge(error) !== "bug") throw error;
          return false;
        },
      );
      this.#greeted = true;
      this.#tier = this.#options.tier ?? (await detectTier(this.#connection));
    } catch (error) {
      // Refused, not cut off: asking again would not tell more.
      if (judge(error as Error) === "bug") this.#greeted = true;
      this.#options.log?.("store did not answer the greeting", { error: (error as Error).message });
    }
    for (const listener of this.#onReconnect) listener();
  }

  /** Asks now and then, together with a call and without waiting for it, so that no wrong clock stays. */
  #compareClocks(): void {
    if (!this.connected || performance.now() - this.#clockAskedAt < clockEveryMs) return;
    this.#learnClock(() => call(this.#connection, "TIME")).catch(() => {
      // The call beside it meets the same, and the next one asks again.
    });
  }

  /** Asks the store that keeps these keys: in a Cluster each has a clock of its own. */
  async #askClock(keys: readonly string[], until: number, lost: boolean): Promise<void> {
    try {
      await this.#learnClock(async () => {
        const ask = (): Command => new ScriptCall("eval", readClock, keys.slice(0, 1), []);
        return (await this.#repeat(ask, until, false)).reply;
      });
    } catch (error) {
      if (lost) refuse("store.outcome_unknown", {}, { cause: error });
      throw error;
    }
  }

  /** The store read its clock between question and answer. What is taken for it stays where it agrees with that. */
  async #learnClock(ask: () => Promise<unknown>): Promise<void> {
    const before = performance.now();
    this.#clockAskedAt = before;
    const [seconds, micros] = (await ask()) as [string, string];
    const there = Number(seconds) * 1000 + Number(micros) / 1000;
    const [least, most] = [there - performance.now(), there - before];
    if (this.#clockOffsetMs < least || this.#clockOffsetMs > most) this.#clockOffsetMs = (least + most) / 2;
  }

  #revive(): Promise<void> {
    if (this.#closed || !this.#options.revive) return Promise.resolve();
    this.#reviving ??= this.#options
      .revive()
      .catch((error: Error) =>
        this.#options.log?.("the local engine could not be revived", { error: error.message }),
      )
      .finally(() => {
        this.#reviving = undefined;
      });
    return this.#reviving;
  }
}

const readClock = "return redis.call('TIME')";

function call(connection: Connection, name: string, ...args: string[]): Promise<unknown> {
  return send(connection, commandOf(name, args));
}

function commandOf(name: string, args: readonly (string | number)[]): Command {
  return new Command(name, args.map(String), { replyEncoding: "utf8" });
}

/** @param alone whether no other command waits for its answer */
function send(connection: Connection, command: Command, alone = true): Promise<unknown> {
  writeTogether((connection as Redis).stream, alone);
  return connection.sendCommand(command) as Promise<unknown>;
}

/**
 * What is asked in one turn of the event loop goes out as one write, also where several requests of HTTP began it: a write
 * costs our process more than the command in it. What is alone waits for no others but those of the same callback: one
 * more turn of the loop would cost it as much as it could save.
 */
function writeTogether(stream: Redis["stream"] | undefined, alone: boolean): void {
  if (!stream || stream.writableCorked > 0) return;
  stream.cork();
  const write = (): void => stream.uncork();
  if (alone) process.nextTick(write);
  else setImmediate(write);
}

/** What a failed command tells: was it executed (`lost`: nobody knows), or must it be loaded, or is it our mistake? */
function judge(error: Error): "load" | "full" | "ended" | "lost" | "unsent" | "bug" {
  const text = error.message;
  if (text.startsWith("NOSCRIPT")) return "load";
  if (text.startsWith("OOM") || text.startsWith("MISCONF")) return "full";
  // By the engine or an operator, and only where it had written nothing: nothing of it was done.
  if (text.includes("Script killed by")) return "ended";
  if (/^(LOADING|BUSY |CLUSTERDOWN|TRYAGAIN|MASTERDOWN|READONLY|NOREPLICAS)/.test(text)) return "unsent";
  if (text.includes("isn't writeable") || text.includes("enableOfflineQueue")) return "unsent";
  if (error.name === "MaxRetriesPerRequestError" || error.name === "TimeoutError") return "lost";
  if (
    /Connection is closed|ECONNRESET|EPIPE|Socket closed|Cluster isn't ready|None of startup nodes/i.test(
      text,
    )
  )
    return "lost";
  if (error.name === "ClusterAllFailedError" || error.name === "AbortError") return "lost";
  return "bug";
}

function giveUp(reject: (error: Error) => void): void {
  const error = new Error("no answer in time");
  error.name = "TimeoutError";
  reject(error);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** D0 without an append-only file, D1 with one synced each second, D2 with one synced before each reply. */
async function detectTier(connection: Connection): Promise<Tier> {
  try {
    const [, append] = (await call(connection, "CONFIG", "GET", "appendonly")) as string[];
    const [, sync] = (await call(connection, "CONFIG", "GET", "appendfsync")) as string[];
    if (append !== "yes") return "D0";
    return sync === "always" ? "D2" : sync === "everysec" ? "D1" : "D0";
  } catch {
    // A hosted store may forbid CONFIG: INFO tells whether there is an append-only file, not how it is synced.
    const info = String(await call(connection, "INFO", "persistence"));
    return /aof_enabled:1/.test(info) ? "D1" : "D0";
  }
}
