import type { Server, ServerResponse } from "node:http";
import type { McpEndpoint } from "../mcp/index.js";
import type { Metrics } from "../observability/index.js";

const paths = [
  "/mcp",
  "/sse",
  "/sse/messages",
  "/policy/hook",
  "/locks/guard",
  "/approvals",
  "/a",
  "/healthz",
  "/readyz",
  "/metrics",
];
const statuses = [200, 202, 400, 403, 404, 405, 406, 409, 413, 415, 429, 431, 499, 500, 503].map(String);

/** What is counted of requests, and what is open at the endpoint. */
export class HttpMeters {
  readonly #requests: ReturnType<Metrics["counter"]>;
  readonly #cuts: ReturnType<Metrics["counter"]>;
  readonly #registry: Metrics;

  constructor(registry: Metrics, endpoint: McpEndpoint) {
    this.#registry = registry;
    this.#requests = registry.counter("llm_mailbox_http_requests_total", "Requests by path and status.", {
      path: paths,
      status: statuses,
    });
    this.#cuts = registry.counter(
      "llm_mailbox_http_slow_readers_cut_total",
      "Clients that were cut because they did not read what they were sent.",
      {},
    );
    registry.gauge("llm_mailbox_sessions_open", "Sessions, and agents that call without one.", () => [
      [{ kind: "session" }, endpoint.use.sessions],
      [{ kind: "sessionless" }, endpoint.use.guests],
      [{ kind: "sse" }, endpoint.use.sse],
    ]);
    registry.gauge("llm_mailbox_streams_open", "Streams on which clients listen for updates.", () => [
      [{ kind: "session" }, endpoint.use.listening],
      [{ kind: "subscription" }, endpoint.use.subscriptions],
      [{ kind: "sse" }, endpoint.use.sse],
    ]);
    registry.gauge(
      "llm_mailbox_http_calls_in_flight",
      "Requests of clients that are not answered yet.",
      () => endpoint.use.calls,
    );
  }

  /** Counts a request once it has been answered, or given up. */
  requested(path: string, response: ServerResponse): void {
    response.once("close", () => {
      const status = response.headersSent ? String(response.statusCode) : "499";
      this.#requests.add({ path, status });
    });
  }

  cut(): void {
    this.#cuts.add({});
  }

  watch(server: Server): void {
    let dropped = 0;
    server.on("drop", () => {
      dropped += 1;
    });
    this.#registry.gauge(
      "llm_mailbox_http_connections_refused_total",
      "Connections that were closed because as many as may be were open.",
      () => dropped,
      "counter",
    );
    let open = 0;
    server.on("connection", (socket) => {
      open += 1;
      socket.once("close", () => {
        open -= 1;
      });
    });
    this.#registry.gauge("llm_mailbox_http_connections_open", "Connections.", () => open);
  }
}
