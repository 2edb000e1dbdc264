import { createHash } from "node:crypto";
import { createMcpHandler, InMemoryServerEventBus, type McpHttpHandler } from "@modelcontextprotocol/server";
import { httpStatus, isRefusal } from "../errors/index.js";
import { Connection, slug } from "./connection.js";
import { createServer, type Wiring } from "./create-server.js";
import { type Asking, jsonRpcError, keepAliveMs, type McpEndpointOptions } from "./http-asking.js";
import type { Owners } from "./http-owners.js";
import { IdleMap } from "./idle-map.js";
import { lifelineStream, saysLifeline } from "./lifeline.js";
import { listenParams, narrowed, watchEach } from "./listen-params.js";
import { loopTurns } from "./loop-turns.js";
import type { Rooms } from "./rooms.js";
import { Watches } from "./watches.js";

interface Guest {
  /** Who asks, under what name: another credential of the same agent is another guest. */
  readonly key: string;
  readonly agent: string;
  readonly owner: string;
  readonly account: string;
  readonly connection: Connection;
  /** Gives back its place among the sessions. */
  readonly give: () => void;
}

/**
 * Clients of the 2026 era over HTTP, where each request stands alone. All requests of one agent share one run, so that
 * a batch one request returned can be named by the next.
 */
export class HttpStateless {
  readonly #rooms: Rooms;
  readonly #options: McpEndpointOptions;
  readonly #owners: Owners;
  readonly #guests: IdleMap<Guest>;
  readonly #wirings = new WeakMap<Request, Wiring>();
  readonly #handler: McpHttpHandler;
  readonly #streams = new Set<McpHttpHandler>();
  readonly #ending = new Set<Promise<void>>();

  constructor(rooms: Rooms, options: McpEndpointOptions, owners: Owners) {
    this.#rooms = rooms;
    this.#options = options;
    this.#owners = owners;
    this.#guests = new IdleMap(options.idleMs ?? 30 * 60_000, (guest) => {
      options.log.info({ agent: guest.agent }, "no call for too long; run ended");
      void this.#end(guest);
    });
    this.#handler = this.#newHandler(new InMemoryServerEventBus());
  }

  get size(): number {
    return this.#guests.size;
  }

  async fetch(asking: Asking): Promise<Response> {
    const guest = this.#guest(asking);
    if (guest instanceof Response) return guest;
    this.#guests.use(guest.key, asking.exchange);
    guest.connection.reachedBy(asking.exchange, saysLifeline(asking.request));
    this.#wirings.set(asking.request, {
      connection: guest.connection,
      structured: asking.structured,
      exchangeOf: () => asking.exchange,
    });
    if (isListen(asking.body)) return this.#listen(guest, asking);
    return this.#handler.fetch(asking.request, {
      ...(asking.body !== undefined && { parsedBody: asking.body }),
    });
  }

  async close(): Promise<void> {
    const guests = this.#guests.close();
    await Promise.all([this.#handler, ...this.#streams].map((handler) => handler.close()));
    for (const guest of guests) void this.#end(guest);
    await Promise.all(this.#ending);
  }

  endOwner(owner: string): void {
    for (const guest of this.#guests.values()) {
      if (guest.owner !== owner) continue;
      this.#guests.delete(guest.key);
      void this.#end(guest);
    }
  }

  #guest(asking: Asking): Guest | Response {
    const agent = asking.agent ?? unnamed(asking);
    const { owner, account, draining } = asking;
    const key = `${owner}\n${agent}`;
    const known = this.#guests.get(key);
    if (known) return known;
    const give = this.#owners.hold(account, "session");
    if (give instanceof Response) return give;
    const connection = new Connection(this.#rooms, this.#options, {
      agent,
      ...(asking.principal && { principal: asking.principal }),
      session: false,
      onGone: () => {
        this.#options.log.info({ agent }, "the client is gone; run ended");
        end();
      },
      draining,
    });
    const guest: Guest = { key, agent, owner, account, connection, give };
    this.#guests.set(key, guest);
    const end = (): void => {
      this.#guests.delete(key);
      void this.#end(guest);
    };
    connection.whileOpen(asking.whileHolds(end));
    return guest;
  }

  #end(guest: Guest): Promise<void> {
    guest.give();
    const ended = guest.connection.end("cut short").finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
    return ended;
  }

  /**
   * A stream of updates. It has a handler and a bus of its own: all agents call their inbox by the same URI, and on one
   * bus each would be woken by the mail of the others.
   */
  async #listen(guest: Guest, asking: Asking): Promise<Response> {
    const { exchange } = asking;
    const { params } = asking.body as { readonly params?: unknown };
    const { uris, clientName } = listenParams(params);
    if (uris.length === 0 && saysLifeline(asking.request)) return this.#keepLifeline(guest, asking);
    const give = this.#owners.hold(guest.account, "stream");
    if (give instanceof Response) return give;
    const handler = this.#newHandler(new InMemoryServerEventBus());
    /** What changed while the client had not been told yet that it is watched. */
    let early: Set<string> | undefined = new Set();
    const watches = new Watches(
      this.#rooms,
      (uri) => void (early ? early.add(uri) : handler.notify.resourceUpdated(uri)),
      () => exchange.stalled(),
    );
    this.#streams.add(handler);
    guest.connection.seenUntil(exchange);
    const stop = guest.connection.whileOpen(() => {
      watches.clear();
      void handler.close();
    });
    exchange.onSettled(() => {
      give();
      this.#streams.delete(handler);
      // A thousand of them may be cut at once, and each may watch a hundred things.
      void Promise.resolve(loopTurns.mine()).then(stop);
    });
    let watched: readonly string[] = [];
    try {
      watched = await watchEach(watches, uris, () => guest.connection.caller(clientName));
    } catch (err) {
      this.#options.log.warn({ err }, "a subscription could not be watched");
      if (!isRefusal(err)) throw err;
      return jsonRpcError(httpStatus(err.kind), -32000, err.message);
    }
    const response = await handler.fetch(asking.request, {
      parsedBody: { ...(asking.body as object), params: narrowed(params, watched) },
    });
    const changed = early;
    early = undefined;
    for (const uri of changed) handler.notify.resourceUpdated(uri);
    return response;
  }

  /** A stream that tells nothing but that both sides are there. */
  #keepLifeline(guest: Guest, { body, exchange }: Asking): Response {
    const give = this.#owners.hold(guest.account, "lifeline");
    guest.connection.lifeline(!(give instanceof Response));
    if (give instanceof Response) return give;
    const { id } = body as { readonly id?: unknown };
    const { response, end } = lifelineStream(id, keepAliveMs);
    const stop = guest.connection.whileOpen(end);
    guest.connection.keptUntil(exchange);
    exchange.onSettled(() => {
      give();
      stop();
    });
    return response;
  }

  #newHandler(bus: InMemoryServerEventBus): McpHttpHandler {
    return createMcpHandler(
      ({ requestInfo }) => {
        const wiring = requestInfo && this.#wirings.get(requestInfo);
        if (!wiring) throw new Error("a request without its wiring");
        return createServer(wiring);
      },
      {
        legacy: "reject",
        bus,
        keepAliveMs,
        onerror: (error) => this.#options.log.debug({ err: error }, "http"),
      },
    );
  }
}

/**
 * A name for a client that gave none. It must be the same with every request, and nothing but what the client says of
 * itself comes with every request; two equal clients that want mailboxes of their own have to name themselves. What they
 * post is counted for all nameless ones together, so that another header brings nobody more.
 */
function unnamed({ request, body }: Asking): string {
  const { clientName } = listenParams((body as { params?: unknown } | undefined)?.params);
  const told = `${clientName ?? ""}\n${request.headers.get("user-agent") ?? ""}`;
  return `${slug(clientName)}-${createHash("sha256").update(told).digest("hex").slice(0, 6)}`;
}

function isListen(body: unknown): boolean {
  return (body as { method?: unknown } | undefined)?.method === "subscriptions/listen";
}
