import { randomBytes } from "node:crypto";
import type { RunEnd } from "../agents/index.js";
import { type Caller, localPrincipal, type Principal } from "../identity/index.js";
import type { CallMeters } from "./call-meters.js";
import type { Exchange } from "./exchange.js";
import type { Log } from "./log.js";
import { type Patience, Presence } from "./presence.js";
import type { Rooms } from "./rooms.js";

/** What all connections of a process have in common. */
export interface FaceOptions {
  readonly namespace: string;
  /** Version of the package, shown to clients. */
  readonly version: string;
  readonly log: Log;
  /** What is told to whoever watches over the process. */
  readonly meters?: CallMeters;
  readonly patience?: Patience;
}

export interface ConnectionOptions {
  /** The name the client was started with; without one it gets its own name, made unique. */
  readonly agent?: string;
  /** What a credential proved; nothing else is asked for a name then. */
  readonly principal?: Principal;
  /** False where each request stands alone, so that the client must name the batch it saw. */
  readonly session: boolean;
  /** Where the client can go away unnoticed, over HTTP between its calls: ends the connection of one that is taken for dead. */
  readonly onGone?: () => void;
  /** Whether it stays when what its client is believed by ends, so that only its run ends then. Over HTTP a session ends whole. */
  readonly outlivesCredential?: boolean;
  /** Aborts when the process is about to end: waits of this client end as if their time were over. */
  readonly draining?: AbortSignal;
}

/** So many questions to the user of a client are remembered. */
const mostAsked = 1_000;

/** Longest time that the end of a run may hold up the end of a connection; a dead run is noticed by its heartbeat. */
const endRunMs = 2_500;

/**
 * One client and its run. The run begins at the first call that needs one and ends with the connection, or before with
 * what its client is believed by: its calls are then refused, and one that is believed again begins another run.
 */
export class Connection {
  readonly rooms: Rooms;
  readonly log: Log;
  readonly version: string;
  readonly session: boolean;
  readonly draining: AbortSignal | undefined;
  readonly meters: FaceOptions["meters"];
  readonly #namespace: string;
  readonly #agent: string | undefined;
  /** Of a client that can go away unnoticed. */
  readonly #presence: Presence | undefined;
  readonly #outlivesCredential: boolean;
  #principal: Principal | undefined;
  #begun: Promise<Caller> | undefined;
  /** The end of the run before, while it is not over. */
  #ending: Promise<void> | undefined;
  #ended = false;
  #tellFirst: (caller: Caller) => void = () => undefined;
  /** The caller, once there is one. */
  readonly #first = new Promise<Caller>((resolve) => {
    this.#tellFirst = resolve;
  });
  readonly #asked = new Set<string>();
  readonly #shown = new Set<string>();
  readonly #stops = new Set<() => void>();
  readonly #stopsOfRun = new Set<() => void>();

  constructor(rooms: Rooms, face: FaceOptions, options: ConnectionOptions) {
    this.rooms = rooms;
    this.log = face.log;
    this.version = face.version;
    this.session = options.session;
    this.draining = options.draining;
    this.meters = face.meters;
    this.#namespace = face.namespace;
    this.#agent = options.agent;
    const { onGone } = options;
    if (onGone)
      this.#presence = new Presence({
        ...face.patience,
        onGone,
        ...(!options.session && { seenAgoMs: () => this.#seenAgoMs() }),
        onAbsence: async (isAbsent) => {
          const caller = await this.begun();
          if (caller) await this.rooms.locks.noteAbsence(caller, isAbsent);
        },
      });
    this.#outlivesCredential = options.outlivesCredential ?? false;
    this.#principal = options.principal;
  }

  /** Who calls on this connection. Whoever has no name gets one here, and keeps it. */
  principal(clientName: string | undefined): Principal {
    this.#principal ??= localPrincipal(
      this.#namespace,
      this.#agent ?? `${slug(clientName)}-${randomBytes(3).toString("hex")}`,
    );
    return this.#principal;
  }

  /** The caller of this connection, with its run. A start that failed is tried again with the next call. */
  caller(clientName: string | undefined): Promise<Caller> {
    if (this.#ended) return Promise.reject(new Error("the connection is closed"));
    if (!this.#begun) {
      const begun = this.rooms.runs.begin(this.principal(clientName), this.#presence !== undefined);
      this.#begun = begun;
      begun.then(
        (caller) => {
          this.#tellFirst(caller);
          if (this.#outlivesCredential) this.#whileBelieved(caller, begun);
        },
        () => {
          if (this.#begun === begun) this.#begun = undefined;
        },
      );
    }
    return this.#begun;
  }

  /** The caller where its run has begun already; none where that failed. */
  async begun(): Promise<Caller | undefined> {
    return this.#begun?.catch(() => undefined);
  }

  /**
   * Knows that the client is there until this exchange is over, and takes it for absent when nothing follows one that was
   * cut off.
   *
   * @param saysLifeline see `Presence`
   */
  reachedBy(exchange: Exchange, saysLifeline: boolean): void {
    this.#presence?.seenUntil(exchange, saysLifeline);
  }

  async #seenAgoMs(): Promise<number> {
    const caller = await this.begun();
    return caller ? this.rooms.runs.seenAgoMs(caller) : Number.POSITIVE_INFINITY;
  }

  /** See `Presence`. */
  lifeline(isOpen: boolean): void {
    this.#presence?.lifeline(isOpen);
  }

  /** Shows the agent as here until this exchange is over, from the beginning of its run on. */
  seenUntil(exchange: Exchange): void {
    this.#shownUntil(exchange, this.#first);
  }

  /** The same also before its run begins: it may have another one at another process, which learns so that its client lives. */
  keptUntil(exchange: Exchange): void {
    const principal = this.principal(undefined);
    this.#shownUntil(
      exchange,
      this.rooms.identity.check(principal).then(() => ({ principal })),
    );
  }

  #shownUntil(exchange: Exchange, whom: Promise<Pick<Caller, "principal">>): void {
    let over = false;
    let leave: (() => void) | undefined;
    exchange.onSettled(() => {
      over = true;
      leave?.();
    });
    whom.then(
      (caller) => {
        if (!over && !this.#ended) leave = this.whileOpen(this.rooms.runs.seen(caller));
      },
      // Whoever is not believed is not shown.
      () => undefined,
    );
  }

  /** Whether the user of this client has not been asked yet about what has this id; from now on they have. */
  asksFirst(id: string): boolean {
    if (this.#asked.has(id)) return false;
    if (this.#asked.size >= mostAsked) this.#asked.clear();
    this.#asked.add(id);
    return true;
  }

  /** That the user of this client is shown what has this id; from now on their answer about it can be one. */
  nowAsks(id: string): void {
    if (this.#shown.size >= mostAsked) this.#shown.clear();
    this.#shown.add(id);
  }

  /** Whether this client was told to show its user what has this id. */
  hasAsked(id: string): boolean {
    return this.#shown.has(id);
  }

  /** Something to stop when the connection ends. The answer stops it earlier. */
  whileOpen(stop: () => void): () => void {
    if (this.#ended) {
      stop();
      return () => undefined;
    }
    const once = (): void => {
      if (this.#stops.delete(once)) stop();
    };
    this.#stops.add(once);
    return once;
  }

  /** Something to stop whenever a run ends, and when the connection does. */
  whileRunning(stop: () => void): void {
    if (this.#ended) stop();
    else this.#stopsOfRun.add(stop);
  }

  /** Whoever is stopped keeps the run, so that it can go on when it is resumed. */
  #whileBelieved(caller: Caller, begun: Promise<Caller>): void {
    if (this.#ended || this.#begun !== begun) return;
    const unwatch = this.whileOpen(
      this.rooms.identity.whileHolds(caller.principal, (code) => {
        unwatch();
        if (code === "access.stopped") this.#whileBelieved(caller, begun);
        else if (!this.#ended && this.#begun === begun) this.#ending = this.#endRun(begun, "cut short");
      }),
    );
  }

  async #endRun(begun: Promise<Caller>, how: RunEnd): Promise<void> {
    this.#begun = undefined;
    for (const stop of this.#stopsOfRun) stop();
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.log.warn({}, "the run could not be ended in time; a later heartbeat does that");
        resolve();
      }, endRunMs);
    });
    const ending = begun
      .then((caller) => this.rooms.runs.end(caller, how))
      .catch((err: unknown) =>
        this.log.warn({ err }, "the run could not be ended; a later heartbeat does that"),
      );
    await Promise.race([ending, patience]);
    clearTimeout(timer);
  }

  /** Ends what was watched and the run. Resolves within 2.5 seconds, whatever the store does. */
  async end(how: RunEnd): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#presence?.end();
    for (const stop of [...this.#stops]) stop();
    if (this.#begun) return this.#endRun(this.#begun, how);
    for (const stop of this.#stopsOfRun) stop();
    await this.#ending;
  }
}

/** A client's name as the beginning of an agent's name. */
export function slug(clientName: string | undefined): string {
  const plain = (clientName ?? "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 40)
    .replace(/-+$/, "");
  return plain || "agent";
}
