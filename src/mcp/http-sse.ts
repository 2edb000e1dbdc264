import { randomBytes } from "node:crypto";
import { type JSONRPCMessage, parseJSONRPCMessage } from "@modelcontextprotocol/server";
import { Connection } from "./connection.js";
import { createServer } from "./create-server.js";
import {
  type Asking,
  jsonRpcError,
  type McpEndpointOptions,
  recordNoSession,
  requestIds,
} from "./http-asking.js";
import type { Owners } from "./http-owners.js";
import type { Rooms } from "./rooms.js";
import { SseTransport } from "./sse-transport.js";
import { Watches } from "./watches.js";

interface Listener {
  /** Whoever opened the stream. To anybody else it does not exist. */
  readonly owner: string;
  readonly transport: SseTransport;
  /** Resolves when the run of the stream has been ended. */
  end(): Promise<void>;
}

/**
 * Clients of the HTTP+SSE transport of 2024-11-05: a stream of events, and an address to post to that comes with its
 * first event. One server, one connection and one run for each stream; they end with it.
 */
export class SseStreams {
  readonly #rooms: Rooms;
  readonly #options: McpEndpointOptions;
  readonly #owners: Owners;
  readonly #listeners = new Map<string, Listener>();
  readonly #ending = new Set<Promise<void>>();

  constructor(rooms: Rooms, options: McpEndpointOptions, owners: Owners) {
    this.#rooms = rooms;
    this.#options = options;
    this.#owners = owners;
  }

  get size(): number {
    return this.#listeners.size;
  }

  /** Opens a stream. */
  async open(asking: Asking): Promise<Response> {
    if (!asking.request.headers.get("accept")?.includes("text/event-stream"))
      return jsonRpcError(406, -32000, "the client must accept text/event-stream");
    const give = this.#owners.hold(asking.account, "session");
    if (give instanceof Response) return give;
    const { agent, owner, exchange } = asking;
    const id = randomBytes(24).toString("base64url");
    const address = new URLSearchParams({ session: id, ...(agent !== undefined && { agent }) });
    const connection = new Connection(this.#rooms, this.#options, {
      ...(agent !== undefined && { agent }),
      ...(asking.principal && { principal: asking.principal }),
      session: true,
      draining: asking.draining,
    });
    const transport = new SseTransport(id, `/sse/messages?${address}`, exchange);
    const watches = new Watches(
      this.#rooms,
      (uri) => void server.sendResourceUpdated({ uri }).catch(() => undefined),
      () => exchange.stalled(),
    );
    connection.whileOpen(() => watches.clear());
    const server = createServer({
      connection,
      structured: asking.structured,
      watches,
      exchangeOf: (context) => transport.exchangeOf(context),
    });
    let ended: Promise<void> | undefined;
    const listener: Listener = {
      owner,
      transport,
      end: () => {
        if (ended) return ended;
        this.#listeners.delete(id);
        give();
        ended = connection.end("cut short").finally(() => this.#ending.delete(ended!));
        this.#ending.add(ended);
        void transport.close();
        return ended;
      },
    };
    server.onclose = () => void listener.end();
    this.#listeners.set(id, listener);
    await server.connect(transport);
    exchange.onSettled(() => void listener.end());
    connection.whileOpen(asking.whileHolds(() => void listener.end()));
    this.#owners.connected(owner, exchange);
    return new Response(transport.body, {
      headers: {
        "content-type": "text/event-stream",
        "cache-control": "no-cache, no-transform",
        "x-accel-buffering": "no",
      },
    });
  }

  /** Takes what a client posts for its stream. The answers go out on the stream. */
  async receive(asking: Asking): Promise<Response> {
    const id = new URL(asking.request.url).searchParams.get("session") ?? "";
    const listener = this.#listeners.get(id);
    if (!listener || listener.owner !== asking.owner) {
      await recordNoSession(this.#rooms, this.#options, asking);
      return jsonRpcError(404, -32001, "there is no such stream; open one at /sse");
    }
    const messages = asMessages(asking.body);
    if (!messages) return jsonRpcError(400, -32600, "the body is not a message of JSON-RPC");
    const { transport } = listener;
    const ids = requestIds(asking.body);
    if (ids.some((one) => transport.isPending(one)) || new Set(ids).size < ids.length)
      return jsonRpcError(400, -32600, "a request of this id has not been answered yet");
    const give = ids.length > 0 ? this.#owners.hold(asking.account, "call", ids.length) : undefined;
    if (give instanceof Response) return give;
    let open = ids.length;
    for (const message of messages)
      transport.receive(message, () => {
        open -= 1;
        if (open === 0) give?.();
      });
    return new Response("Accepted", { status: 202, headers: { "content-type": "text/plain" } });
  }

  endOwner(owner: string): void {
    for (const listener of [...this.#listeners.values()]) if (listener.owner === owner) void listener.end();
  }

  /** Ends all streams; resolves when their runs have been ended. */
  async close(): Promise<void> {
    for (const listener of [...this.#listeners.values()]) void listener.end();
    await Promise.all(this.#ending);
  }
}

function asMessages(body: unknown): JSONRPCMessage[] | undefined {
  const messages: readonly unknown[] = Array.isArray(body) ? body : [body];
  if (messages.length === 0) return undefined;
  try {
    return messages.map((message) => parseJSONRPCMessage(message));
  } catch {
    return undefined;
  }
}
