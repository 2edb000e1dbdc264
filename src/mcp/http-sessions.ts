import { randomUUID } from "node:crypto";
import {
  isInitializeRequest,
  type ServerContext,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import type { RunEnd } from "../agents/index.js";
import { Connection } from "./connection.js";
import { createServer } from "./create-server.js";
import { type Exchange, newExchange } from "./exchange.js";
import {
  type Asking,
  type HttpExchange,
  jsonRpcError,
  keepAliveMs,
  type McpEndpointOptions,
  recordNoSession,
  requestIds,
} from "./http-asking.js";
import type { Owners } from "./http-owners.js";
import { IdleMap } from "./idle-map.js";
import { saysLifeline } from "./lifeline.js";
import type { Rooms } from "./rooms.js";
import { Watches } from "./watches.js";

interface Session {
  readonly id: string;
  /** Whoever opened the session. To anybody else it does not exist. */
  readonly owner: string;
  readonly connection: Connection;
  readonly transport: WebStandardStreamableHTTPServerTransport;
  /** The way of the stream on which the client listens for updates. */
  listening: HttpExchange | undefined;
  /** The ids of requests that are being answered. */
  readonly pending: Set<string | number>;
  /** Resolves when the run of the session has been ended. */
  end(how: RunEnd): Promise<void>;
}

/** How long a session stays after its credential has ended, so that calls in flight are told so. */
const lastWordsMs = 100;

/** Clients of the 2025 era over HTTP: one session, one server and one run each. */
export class HttpSessions {
  readonly #rooms: Rooms;
  readonly #options: McpEndpointOptions;
  readonly #owners: Owners;
  readonly #sessions: IdleMap<Session>;
  readonly #exchanges = new WeakMap<object, Exchange>();
  readonly #ending = new Set<Promise<void>>();

  constructor(rooms: Rooms, options: McpEndpointOptions, owners: Owners) {
    this.#rooms = rooms;
    this.#options = options;
    this.#owners = owners;
    this.#sessions = new IdleMap(options.idleMs ?? 30 * 60_000, (session) => {
      options.log.info({ session: session.id.slice(0, 8) }, "session idle for too long; ended");
      void session.end("cut short");
    });
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** How many clients hold their stream of updates open. */
  get listening(): number {
    return this.#sessions.values().filter((session) => session.listening).length;
  }

  async fetch(asking: Asking): Promise<Response> {
    const { request, body } = asking;
    const id = request.headers.get("mcp-session-id");
    if (id === null && isInitializeRequest(body)) return this.#open(asking);
    if (id === null)
      return jsonRpcError(400, -32000, "the Mcp-Session-Id header is missing; initialize first");
    const session = this.#sessions.get(id);
    if (!session || session.owner !== asking.owner) {
      await recordNoSession(this.#rooms, this.#options, asking);
      return sessionNotFound();
    }
    return this.#serve(session, asking);
  }

  endOwner(owner: string): void {
    for (const session of this.#sessions.values()) if (session.owner === owner) void session.end("cut short");
  }

  async close(): Promise<void> {
    for (const session of this.#sessions.close()) void session.end("cut short");
    await Promise.all(this.#ending);
  }

  async #open(asking: Asking): Promise<Response> {
    const give = this.#owners.hold(asking.account, "session");
    if (give instanceof Response) return give;
    const id = randomUUID();
    const connection = new Connection(this.#rooms, this.#options, {
      ...(asking.agent !== undefined && { agent: asking.agent }),
      ...(asking.principal && { principal: asking.principal }),
      session: true,
      onGone: () => {
        this.#options.log.info({ session: id.slice(0, 8) }, "the client is gone; session ended");
        void session.end("cut short");
      },
      draining: asking.draining,
    });
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => id,
      keepAliveMs,
    });
    const watches = new Watches(
      this.#rooms,
      (uri) => void server.sendResourceUpdated({ uri }).catch(() => undefined),
      () => session.listening?.stalled() ?? false,
    );
    connection.whileOpen(() => watches.clear());
    const server = createServer({
      connection,
      structured: asking.structured,
      watches,
      exchangeOf: (context) => this.#exchangeOf(context, transport),
    });
    let ended: Promise<void> | undefined;
    const session: Session = {
      id,
      connection,
      owner: asking.owner,
      transport,
      listening: undefined,
      pending: new Set(),
      end: (how) => {
        if (ended) return ended;
        this.#sessions.delete(id);
        give();
        ended = connection.end(how).finally(() => this.#ending.delete(ended!));
        this.#ending.add(ended);
        void transport.close();
        return ended;
      },
    };
    // The client deletes its session; whoever else ends it has said so before.
    server.onclose = () => void session.end("left");
    // The waits that end with the credential are answered before the streams close.
    const expire = (): void => void setTimeout(() => void session.end("cut short"), lastWordsMs);
    connection.whileOpen(asking.whileHolds(expire));
    this.#sessions.set(id, session);
    await server.connect(transport);
    const response = await this.#serve(session, asking);
    if (transport.sessionId === undefined) await session.end("left");
    return response;
  }

  async #serve(session: Session, asking: Asking): Promise<Response> {
    const ids = requestIds(asking.body);
    // Replies are told apart by these alone.
    if (ids.some((id) => session.pending.has(id)) || new Set(ids).size < ids.length)
      return jsonRpcError(400, -32600, "a request of this id has not been answered yet");
    for (const id of ids) session.pending.add(id);
    asking.exchange.onSettled(() => {
      for (const id of ids) session.pending.delete(id);
    });
    this.#sessions.use(session.id, asking.exchange);
    const isKept = saysLifeline(asking.request);
    session.connection.reachedBy(asking.exchange, isKept);
    this.#exchanges.set(asking.request, asking.exchange);
    if (asking.request.method === "GET") {
      listen(session, asking.exchange);
      session.connection.seenUntil(asking.exchange);
    }
    const response = await session.transport.handleRequest(asking.request, {
      ...(asking.body !== undefined && { parsedBody: asking.body }),
    });
    if (isKept && asking.request.method === "GET" && response.ok) session.connection.lifeline(true);
    return response;
  }

  /** The reply goes out with the stream of its request; when the client cancels, that stream has nothing to wait for. */
  #exchangeOf(context: ServerContext, transport: WebStandardStreamableHTTPServerTransport): Exchange {
    const { id, signal } = context.mcpReq;
    signal.addEventListener("abort", () => transport.closeSSEStream(id), { once: true });
    const request = context.http?.req;
    return (request && this.#exchanges.get(request)) ?? newExchange(signal);
  }
}

/** Knows the stream of updates as long as it is open. A second one is refused by the transport, and ends at once. */
function listen(session: Session, exchange: HttpExchange): void {
  session.listening ??= exchange;
  exchange.onSettled(() => {
    if (session.listening === exchange) session.listening = undefined;
  });
}

function sessionNotFound(): Response {
  return jsonRpcError(404, -32001, "Session not found");
}
