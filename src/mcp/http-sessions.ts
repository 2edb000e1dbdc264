import { randomUUID } from "node:crypto";
import {
  isInitializeRequest,
  type ServerContext,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import { Connection } from "./connection.js";
import { createServer } from "./create-server.js";
import { type Exchange, newExchange } from "./exchange.js";
import {
  type Asking,
  type HttpExchange,
  jsonRpcError,
  keepAliveMs,
  type McpEndpointOptions,
} from "./http-asking.js";
import { IdleMap } from "./idle-map.js";
import type { Rooms } from "./rooms.js";
import { Watches } from "./watches.js";

interface Session {
  readonly id: string;
  /** Whoever opened the session. To anybody else it does not exist. */
  readonly owner: string;
  readonly transport: WebStandardStreamableHTTPServerTransport;
  /** The way of the stream on which the client listens for updates. */
  listening: HttpExchange | undefined;
  /** Resolves when the run of the session has been ended. */
  end(): Promise<void>;
}

/** How long a session stays after its credential has ended, so that calls in flight are told so. */
const lastWordsMs = 100;

/** Most sessions open at once. */
const mostSessions = 10_000;

/** Clients of the 2025 era over HTTP: one session, one server and one run each. */
export class HttpSessions {
  readonly #rooms: Rooms;
  readonly #options: McpEndpointOptions;
  readonly #sessions: IdleMap<Session>;
  readonly #exchanges = new WeakMap<object, Exchange>();
  readonly #ending = new Set<Promise<void>>();

  constructor(rooms: Rooms, options: McpEndpointOptions) {
    this.#rooms = rooms;
    this.#options = options;
    this.#sessions = new IdleMap(options.idleMs ?? 30 * 60_000, (session) => {
      options.log.info({ session: session.id.slice(0, 8) }, "session idle for too long; ended");
      void session.end();
    });
  }

  async fetch(asking: Asking): Promise<Response> {
    const { request, body } = asking;
    const id = request.headers.get("mcp-session-id");
    if (id === null && isInitializeRequest(body)) return this.#open(asking);
    if (id === null)
      return jsonRpcError(400, -32000, "the Mcp-Session-Id header is missing; initialize first");
    const session = this.#sessions.get(id);
    if (!session || session.owner !== asking.owner) return sessionNotFound();
    return this.#serve(session, asking);
  }

  async close(): Promise<void> {
    for (const session of this.#sessions.close()) void session.end();
    await Promise.all(this.#ending);
  }

  async #open(asking: Asking): Promise<Response> {
    if (this.#sessions.size >= mostSessions)
      return jsonRpcError(503, -32000, `${mostSessions} sessions are open; try again later`);
    const id = randomUUID();
    const connection = new Connection(this.#rooms, this.#options, {
      ...(asking.agent !== undefined && { agent: asking.agent }),
      ...(asking.principal && { principal: asking.principal }),
      session: true,
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
      owner: asking.owner,
      transport,
      listening: undefined,
      end: () => {
        if (ended) return ended;
        this.#sessions.delete(id);
        ended = connection.end().finally(() => this.#ending.delete(ended!));
        this.#ending.add(ended);
        void transport.close();
        return ended;
      },
    };
    server.onclose = () => void session.end();
    // The waits that end with the credential are answered before the streams close.
    const expire = (): void => void setTimeout(() => void session.end(), lastWordsMs);
    connection.whileOpen(asking.whileHolds(expire));
    this.#sessions.set(id, session);
    await server.connect(transport);
    const response = await this.#serve(session, asking);
    if (transport.sessionId === undefined) await session.end();
    return response;
  }

  async #serve(session: Session, asking: Asking): Promise<Response> {
    this.#sessions.use(session.id, asking.exchange);
    this.#exchanges.set(asking.request, asking.exchange);
    if (asking.request.method === "GET") session.listening = asking.exchange;
    return session.transport.handleRequest(asking.request, {
      ...(asking.body !== undefined && { parsedBody: asking.body }),
    });
  }

  /** The reply goes out with the stream of its request; when the client cancels, that stream has nothing to wait for. */
  #exchangeOf(context: ServerContext, transport: WebStandardStreamableHTTPServerTransport): Exchange {
    const { id, signal } = context.mcpReq;
    signal.addEventListener("abort", () => transport.closeSSEStream(id), { once: true });
    const request = context.http?.req;
    return (request && this.#exchanges.get(request)) ?? newExchange(signal);
  }
}

function sessionNotFound(): Response {
  return jsonRpcError(404, -32001, "Session not found");
}
