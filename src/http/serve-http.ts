import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { refuse } from "../errors/index.js";
import {
  type CallMeters,
  type Log,
  loopTurns,
  type McpEndpoint,
  openMcpEndpoint,
  type Patience,
  type Rooms,
} from "../mcp/index.js";
import { type Metrics, metricsContentType } from "../observability/index.js";
import { ApprovalDoor, isApprovalLink } from "./approval-door.js";
import { crossOriginHeaders } from "./cross-origin.js";
import { HttpMeters } from "./http-meters.js";
import { defaultHttpLimits, type HttpLimits } from "./limits.js";
import { Lines } from "./lines.js";
import { isAllowedHost, isAllowedOrigin, isLoopback, isOwnOrigin } from "./loopback.js";
import { NodeExchange } from "./node-exchange.js";
import { isMetadataPath, protectedResource } from "./protected-resource.js";
import { BodyReader, dropRest, type Unread } from "./read-body.js";

export interface Readiness {
  readonly ready: boolean;
  /** Where the store is; shown to this machine alone. */
  readonly store?: string;
  readonly tier?: string;
}

export interface HttpOptions {
  readonly namespace: string;
  readonly version: string;
  readonly log: Log;
  /** A loopback address (127.0.0.1), or any other when credentials are required. */
  readonly host?: string;
  /** Nobody is believed without a credential, whether or not the namespace has tokens (false). */
  readonly credentialsRequired?: boolean;
  /** Names by which requests may call this server, besides those that only this machine has. */
  readonly allowedHosts?: readonly string[];
  /** Origins whose pages may send requests, besides those of this machine. */
  readonly allowedOrigins?: readonly string[];
  /** The address of the server as its clients know it, such as `https://mail.example`. */
  readonly publicUrl?: string;
  /** Where JWTs come from, told to clients that ask. */
  readonly issuer?: string;
  /** 7678; 0 takes a free one. */
  readonly port?: number;
  /** How long a session without a call is kept (30 min). */
  readonly idleMs?: number;
  /** How soon a client of which nothing is seen is taken for absent (3 s), and for dead (30 s). */
  readonly patience?: Patience;
  /** What differs from the defaults. */
  readonly limits?: Partial<HttpLimits>;
  /** Whether calls can be served now, for `/readyz`. */
  readonly ready?: () => Promise<Readiness>;
  /** The numbers that `/metrics` shows; without them there is no such page. */
  readonly metrics?: { readonly registry: Metrics; readonly calls: CallMeters };
}

export interface HttpService {
  readonly url: string;
  readonly port: number;
  /** Ends whatever a principal has open here; see `McpEndpoint`. */
  endOwner(owner: string): void;
  /**
   * Ends in good order: new requests get 503, waits in flight are answered as if their time were over, then streams,
   * sessions, runs and connections end. Resolves within 4 seconds.
   */
  close(): Promise<void>;
}

const defaultPort = 7678;

/** What a client may still send, and for how long, before it is told that a tool must not be called. */
const dropped = { bytes: 64 * 1024 * 1024, ms: 5_000 };

/** Calls that are not answered this long after the end was announced are cut off. */
const drainMs = 800;

/** How long a connection without a request is kept for the next. */
const keepAliveMs = 75_000;

/** Connections that are still open this long after everything else has ended are cut. */
const graceMs = 300;

/** A client that is turned away because this process ends finds the next one, or this one anew, after so many seconds. */
const retryAfterSeconds = 5;

/** Where somebody has to say who asks, or bring a link, and with which methods. */
export const guardedPaths: Readonly<Record<string, readonly string[]>> = {
  "/mcp": ["GET", "POST", "DELETE"],
  "/sse": ["GET"],
  "/sse/messages": ["POST"],
  "/approvals": ["GET"],
  "/approvals/…": ["GET", "POST"],
  "/a/…": ["GET", "POST"],
  "/policy/hook": ["POST"],
  "/locks/guard": ["POST"],
};

/** Where anybody may ask, beside the metadata that tells where credentials come from. */
export const openPaths = ["/healthz", "/readyz", "/metrics"] as const;

/** A path, or the family of those that end with the name of something. */
function familyOf(path: string): string {
  return path.replace(/^(\/approvals|\/a)\/[^/]+$/, "$1/…");
}

/**
 * Listens, on loopback unless credentials are required: MCP at `/mcp` and `/sse`, the hooks of clients at `/policy/hook`
 * and `/locks/guard`, what a client needs to find a credential (RFC 9728), `/approvals` and `/a` (for approvers, see `ApprovalDoor`),
 * `/healthz` (the process lives), `/readyz` (it can serve) and `/metrics`.
 *
 * @throws {MailboxError} `config.invalid` for another address without credentials, and for a port that is taken
 */
export async function serveHttp(rooms: Rooms, options: HttpOptions): Promise<HttpService> {
  const host = options.host ?? "127.0.0.1";
  if (!isLoopback(host) && !options.credentialsRequired)
    refuse("config.invalid", {
      setting: "--host",
      problem:
        "is not a loopback address, and no credential is asked for here: anybody who reaches it could read and send as any agent",
      allowed:
        "127.0.0.1, ::1 or localhost; any other once a token was issued (llm-mailbox agents issue NAME) or LLM_MAILBOX_JWKS is set",
    });
  const limits: HttpLimits = { ...defaultHttpLimits, ...options.limits };
  const endpoint = await openMcpEndpoint(rooms, {
    ...options,
    ...(options.metrics && { meters: options.metrics.calls }),
    limits,
  });
  const meters = options.metrics && new HttpMeters(options.metrics.registry, endpoint);
  const approvals = new ApprovalDoor(rooms, endpoint);
  const service = new Service(host, options, limits, endpoint, approvals, meters);
  const server = listenerOf(limits, service);
  meters?.watch(server);
  const port = await listen(server, host, options.port ?? defaultPort);
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
    port,
    endOwner: (owner) => endpoint.endOwner(owner),
    close: async () => {
      service.draining = true;
      await Promise.race([endpoint.drain(), new Promise((resolve) => setTimeout(resolve, drainMs))]);
      await endpoint.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const cut = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(cut);
    },
  };
}

/** A listener that gives slow and greedy clients no more than their share before anything of theirs is looked at. */
function listenerOf(limits: HttpLimits, service: Service): Server {
  const requestMs = limits.requestSeconds * 1000;
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: Math.ceil(requestMs / 3),
      requestTimeout: requestMs,
      connectionsCheckingInterval: Math.min(1_000, Math.ceil(requestMs / 6)),
    },
    (request, response) => void service.answer(request, response),
  );
  // Those beyond a count would be dropped in silence, and with them perhaps the one that says whose page this is.
  server.maxHeadersCount = 0;
  server.maxConnections = limits.connections;
  // A client that takes nothing of its answer would hold its connection for ever.
  server.timeout = limits.quietSeconds * 1000;
  // Longer than a proxy keeps an idle connection to us: whoever closes first must not be the one that is being asked.
  server.keepAliveTimeout = keepAliveMs;
  return server;
}

/** What is answered to a request. */
class Service {
  draining = false;
  readonly #host: string;
  readonly #options: HttpOptions;
  readonly #limits: HttpLimits;
  readonly #endpoint: McpEndpoint;
  readonly #approvals: ApprovalDoor;
  readonly #meters: HttpMeters | undefined;
  readonly #bodies: BodyReader;
  readonly #lines = new Lines();

  constructor(
    host: string,
    options: HttpOptions,
    limits: HttpLimits,
    endpoint: McpEndpoint,
    approvals: ApprovalDoor,
    meters: HttpMeters | undefined,
  ) {
    this.#host = host;
    this.#options = options;
    this.#limits = limits;
    this.#endpoint = endpoint;
    this.#approvals = approvals;
    this.#meters = meters;
    this.#bodies = new BodyReader(limits.bodyBytes);
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? "/").split("?", 1)[0]!;
    this.#meters?.requested(familyOf(path).replace("/…", ""), response);
    const line = this.#lines.join(request.socket, response);
    if (line === "full") {
      // Of what arrived with it, each request more comes here too.
      if (!request.socket.destroyed)
        this.#options.log.warn({}, "a client sent many requests without waiting for an answer; cut");
      request.socket.destroy();
      return;
    }
    try {
      // Not asked for where there is nothing to wait for, which is so for almost all.
      if (line) await line;
      const turn = loopTurns.mine();
      if (turn) await turn;
      // One that waited when its connection ended has none, and would never be told that it is closed.
      if (response.socket && !response.destroyed) await this.#route(path, request, response);
    } catch (err) {
      this.#options.log.error({ err }, "a request failed");
      if (response.headersSent) response.destroy();
      else await this.#fail(request, response, 500, "the server failed", { error: "internal" });
    }
  }

  async #route(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.rawHeaders.length > 2 * this.#limits.headers)
      return json(response, 431, rpcError(`more than ${this.#limits.headers} headers`));
    const { allowedHosts, allowedOrigins, publicUrl, issuer } = this.#options;
    const { host, origin } = request.headers;
    // Of several, a proxy might have looked at another one than we do (RFC 9112, section 3.2).
    if (timesNamed(request.rawHeaders, "host") > 1)
      return json(response, 400, rpcError("the request names more than one Host"));
    if (!isAllowedHost(host, this.#host, allowedHosts))
      return json(response, 403, rpcError("the Host of this request is not this machine"));
    // The page of a link is sent by its own form alone.
    if (
      isApprovalLink(path) ? !isOwnOrigin(origin, host, publicUrl) : !isAllowedOrigin(origin, allowedOrigins)
    )
      return json(response, 403, rpcError("the Origin of this request is not a page of this machine"));
    const shared = Object.entries(crossOriginHeaders(origin, allowedOrigins));
    for (const [name, value] of shared) response.setHeader(name, value);
    if (request.method === "OPTIONS" && shared.length > 0) {
      response.writeHead(204).end();
      return;
    }
    if (isMetadataPath(path)) {
      const base = publicUrl ?? new URL(`http://${host}`).origin;
      return json(response, 200, protectedResource(base, issuer));
    }
    const open = openPaths.find((one) => one === path);
    if (open) return this.#answerAnybody(open, response);
    const family = familyOf(path);
    const allowed = guardedPaths[family];
    if (!allowed)
      return json(response, 404, {
        error: "there is /mcp, /sse, /policy/hook, /locks/guard, /approvals, /healthz, /readyz and /metrics",
      });
    if (!allowed.includes(request.method ?? "")) {
      response.setHeader("allow", allowed.join(", "));
      return json(response, 405, { error: "method not allowed" });
    }
    if (this.draining) return this.#turnAway(request, response);
    const door = family.startsWith("/a") ? this.#approvals : this.#endpoint;
    return this.#ask(door, request, response);
  }

  async #answerAnybody(path: (typeof openPaths)[number], response: ServerResponse): Promise<void> {
    switch (path) {
      case "/healthz":
        return json(response, 200, { status: "ok" });
      case "/readyz":
        return this.#tellReadiness(response);
      case "/metrics": {
        const { metrics } = this.#options;
        return metrics
          ? send(response, 200, metricsContentType, metrics.registry.text())
          : json(response, 404, { error: "no numbers are kept here" });
      }
    }
  }

  async #tellReadiness(response: ServerResponse): Promise<void> {
    const { store, ...said } = (await this.#options.ready?.()) ?? { ready: true };
    // Where the store is, is nobody's business on another machine.
    const state = store !== undefined && isLoopback(this.#host) ? { ...said, store } : said;
    if (this.draining) return json(response, 503, { ...state, ready: false, draining: true });
    return json(response, state.ready ? 200 : 503, state);
  }

  async #ask(
    door: Pick<McpEndpoint, "fetch">,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const exchange = new NodeExchange(response);
    let body: (() => string) | undefined;
    if (request.method === "POST") {
      const read = await this.#bodies.read(request);
      if ("unread" in read) return this.#refuseBody(request, response, read.unread);
      // It may have taken a while to arrive.
      if (this.draining) return this.#turnAway(request, response);
      exchange.onSettled(read.drop);
      // Many may have arrived at once.
      const turn = loopTurns.mine();
      if (turn) await turn;
      body = read.text;
    }
    return exchange.carry(request, body, door, {
      bytes: this.#limits.unreadBytes,
      onCut: () => {
        this.#meters?.cut();
        this.#options.log.warn({}, "a client did not read what it was sent; cut");
      },
    });
  }

  async #refuseBody(request: IncomingMessage, response: ServerResponse, why: Unread): Promise<void> {
    if (why === "gone") return;
    response.setHeader("connection", "close");
    if (why === "too large")
      return this.#fail(request, response, 413, `the request is larger than ${this.#limits.bodyBytes} bytes`);
    response.setHeader("retry-after", "1");
    return this.#fail(request, response, 503, "too many requests are being read; try again");
  }

  #turnAway(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader("retry-after", String(retryAfterSeconds));
    response.setHeader("connection", "close");
    return this.#fail(request, response, 503, "this server is about to end; try again");
  }

  /** Answers with an error, or where none may be, as the endpoint says. */
  async #fail(
    request: IncomingMessage,
    response: ServerResponse,
    status: number,
    message: string,
    error: object = rpcError(message),
  ): Promise<void> {
    const instead = this.#endpoint.insteadOfError(request.url ?? "/", message);
    // An answer that is lost while its client still sends stops nothing.
    if (instead) await dropRest(request, dropped);
    json(response, instead ? 200 : status, instead ?? error);
  }
}

function timesNamed(rawHeaders: readonly string[], header: string): number {
  return rawHeaders.filter((name, n) => n % 2 === 0 && name.toLowerCase() === header).length;
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      try {
        refuse(
          "config.invalid",
          {
            setting: "--port",
            problem:
              error.code === "EADDRINUSE"
                ? `${port} is taken, perhaps by a server that already runs`
                : `${port} cannot be listened on (${error.code ?? "unknown reason"})`,
            allowed: "a free port, or 0 for any",
          },
          { cause: error },
        );
      } catch (refusal) {
        reject(refusal);
      }
    });
    // A burst of clients waits to be accepted rather than to be sent again.
    server.listen({ port, host, backlog: 1_024 }, () => resolve((server.address() as AddressInfo).port));
  });
}

function rpcError(message: string): object {
  return { jsonrpc: "2.0", error: { code: -32000, message }, id: null };
}

function json(response: ServerResponse, status: number, value: object): void {
  send(response, status, "application/json", JSON.stringify(value));
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
  });
  response.end(text);
}
