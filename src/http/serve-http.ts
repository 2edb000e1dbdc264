import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { refuse } from "../errors/index.js";
import { type Log, openMcpEndpoint, type Rooms } from "../mcp/index.js";
import { crossOriginHeaders } from "./cross-origin.js";
import { isAllowedHost, isAllowedOrigin, isLoopback } from "./loopback.js";
import { answer } from "./node-exchange.js";
import { isMetadataPath, protectedResource } from "./protected-resource.js";

export interface Readiness {
  readonly ready: boolean;
  /** What is shown beside, such as the store and its tier. */
  readonly [fact: string]: unknown;
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
  /** Most bytes of a request body (1 MiB). */
  readonly maxBodyBytes?: number;
  /** Whether calls can be served now, for `/readyz`. */
  readonly ready?: () => Promise<Readiness>;
}

export interface HttpService {
  readonly url: string;
  readonly port: number;
  /** Ends calls, sessions and connections; resolves within 5 seconds. */
  close(): Promise<void>;
}

const defaultPort = 7678;

/** Connections that are still open this long after the end was announced are cut. */
const graceMs = 1_000;

/**
 * Listens, on loopback unless credentials are required: MCP at `/mcp`, what a client needs to find a credential (RFC
 * 9728), `/healthz` (the process lives) and `/readyz` (it can serve).
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
  const endpoint = await openMcpEndpoint(rooms, options);
  const maxBodyBytes = options.maxBodyBytes ?? 1024 * 1024;

  const route = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (!isAllowedHost(request.headers.host, host, options.allowedHosts))
      return json(response, 403, refusal("Host", "is not this machine"));
    if (!isAllowedOrigin(request.headers.origin, options.allowedOrigins))
      return json(response, 403, refusal("Origin", "is not a page of this machine"));
    const shared = Object.entries(crossOriginHeaders(request.headers.origin, options.allowedOrigins));
    for (const [name, value] of shared) response.setHeader(name, value);
    if (request.method === "OPTIONS" && shared.length > 0) {
      response.writeHead(204).end();
      return;
    }
    const path = (request.url ?? "/").split("?", 1)[0];
    if (path === "/mcp" && !["GET", "POST", "DELETE"].includes(request.method ?? "")) {
      response.setHeader("allow", "GET, POST, DELETE");
      return json(response, 405, { error: "method not allowed" });
    }
    if (path === "/mcp") return answer(request, response, endpoint, maxBodyBytes);
    if (isMetadataPath(path)) {
      const base = options.publicUrl ?? new URL(`http://${request.headers.host}`).origin;
      return json(response, 200, protectedResource(base, options.issuer));
    }
    if (path === "/healthz") return json(response, 200, { status: "ok" });
    if (path === "/readyz") {
      const state = (await options.ready?.()) ?? { ready: true };
      return json(response, state.ready ? 200 : 503, state);
    }
    return json(response, 404, { error: "there is /mcp, /healthz and /readyz" });
  };

  const server = createServer((request, response) => {
    route(request, response).catch((err: unknown) => {
      options.log.error({ err }, "a request failed");
      if (!response.headersSent) json(response, 500, { error: "internal" });
      else response.destroy();
    });
  });
  const port = await listen(server, host, options.port ?? defaultPort);
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
    port,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await endpoint.close();
      server.closeIdleConnections();
      const cut = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(cut);
    },
  };
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
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}

function refusal(header: string, problem: string): object {
  return {
    jsonrpc: "2.0",
    error: { code: -32000, message: `the ${header} of this request ${problem}` },
    id: null,
  };
}

function json(response: ServerResponse, status: number, value: object): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(JSON.stringify(value));
}
