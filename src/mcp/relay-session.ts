import type { RelayedRequest } from "./relay-refusal.js";
import { type Answer, type Frame, pause, type RelayedServer } from "./relay-server.js";

/** How long a server that answered a moment ago is tried for a new session: calls wait for it. */
const reopenMs = 2_000;

type Headers = Readonly<Record<string, string>>;

/**
 * The session that a client of the 2025 era has at the server. When the server does not know it any more (it was
 * restarted, or the client was silent for long) another one is opened as the client had opened the first: with the same
 * `initialize`, and what it had subscribed to. The client notices nothing but an update of each URI it follows, because
 * something may have changed meanwhile.
 */
export class RelaySession {
  readonly #server: RelayedServer;
  readonly #tell: (frame: Frame) => Promise<void>;
  readonly #over: AbortSignal;
  readonly #followed = new Set<string>();
  #initialize: RelayedRequest | undefined;
  #headers: Headers = {};
  /** Settles when the session stands or could not be opened; whoever asks waits for it. */
  #ready: Promise<void> = Promise.resolve();
  #reopened = 0;

  constructor(server: RelayedServer, tell: (frame: Frame) => Promise<void>, over: AbortSignal) {
    this.#server = server;
    this.#tell = tell;
    this.#over = over;
  }

  async begin(request: RelayedRequest): Promise<void> {
    this.#initialize = request;
    const opened = this.#open(request);
    this.#ready = opened.then(() => undefined);
    await this.#tell(await opened);
  }

  async ask(request: RelayedRequest, signal: AbortSignal): Promise<Answer> {
    const uri = request.params?.uri;
    if (request.method === "resources/unsubscribe") this.#followed.delete(String(uri));
    const answer = await this.#ask(request, signal);
    if (request.method === "resources/subscribe" && answer.kind === "reply" && "result" in answer.message)
      this.#followed.add(String(uri));
    return answer;
  }

  /** Passes on what is not answered. After `initialized` the server's own messages are listened for. */
  async tell(message: Frame): Promise<void> {
    await this.#ready;
    const headers = this.#headers;
    await this.#server.tell(message, headers, this.#over);
    if (message.method === "notifications/initialized") void this.#listen(headers);
  }

  /** Ends the session at the server, so that its run ends now and not when it has been idle for long. */
  async end(signal: AbortSignal): Promise<void> {
    const headers = this.#headers;
    if (!("mcp-session-id" in headers)) return;
    await this.#server.send({ method: "DELETE", headers, signal, quietMs: 1_000 });
  }

  async #ask(request: RelayedRequest, signal: AbortSignal): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      await this.#ready;
      const headers = this.#headers;
      const answer = await this.#server.ask(request, { headers, signal, tell: this.#tell });
      if (answer.kind !== "session-lost") return answer;
      // The server did not take the request, so it may be made again in another session.
      if (attempt > 2 || !(await this.#reopen(headers)))
        return { kind: "reply", message: this.#server.unreachable(request) };
    }
  }

  /** The reply to `initialize`. What it says of session and revision goes with every request from now on. */
  async #open(request: RelayedRequest, reachMs?: number): Promise<Frame> {
    this.#headers = {};
    let session: string | undefined;
    const answer = await this.#server.ask(request, {
      headers: {},
      signal: this.#over,
      tell: this.#tell,
      ...(reachMs !== undefined && { reachMs }),
      onHeaders: (_, headers) => {
        const id = headers["mcp-session-id"];
        if (typeof id === "string") session = id;
      },
    });
    if (answer.kind !== "reply") return this.#server.unreachable(request);
    const { result } = answer.message as { result?: { protocolVersion?: unknown } };
    if (result)
      this.#headers = {
        ...(session !== undefined && { "mcp-session-id": session }),
        "mcp-protocol-version": String(result.protocolVersion),
      };
    return answer.message;
  }

  /** True when there is a session again. Whoever finds the same one lost waits for the same opening. */
  async #reopen(lost: Headers): Promise<boolean> {
    if (this.#headers === lost) {
      const opening = this.#openAgain();
      this.#ready = opening.then(() => undefined);
    }
    await this.#ready;
    return this.#headers !== lost && "mcp-session-id" in this.#headers;
  }

  async #openAgain(): Promise<void> {
    if (!this.#initialize) return;
    const lost = this.#headers;
    const own = (n: string): string => `llm-mailbox-relay-${this.#reopened}-${n}`;
    this.#reopened += 1;
    const reply = await this.#open({ ...this.#initialize, id: own("initialize") }, reopenMs);
    if (!("result" in reply)) {
      // The old one is remembered, so that the next call tries again.
      this.#headers = lost;
      return;
    }
    const headers = this.#headers;
    await this.#server.tell({ jsonrpc: "2.0", method: "notifications/initialized" }, headers, this.#over);
    void this.#listen(headers);
    let n = 0;
    for (const uri of [...this.#followed]) {
      const request = {
        jsonrpc: "2.0",
        id: own(`subscribe-${++n}`),
        method: "resources/subscribe",
        params: { uri },
      };
      await this.#server.ask(request as RelayedRequest, { headers, signal: this.#over, tell: this.#tell });
    }
    this.#tellChanged();
  }

  /** Passes on what the server tells by itself, for as long as this session is the current one. */
  async #listen(headers: Headers): Promise<void> {
    let missed = false;
    let pauseMs = 250;
    while (!this.#over.aborted && this.#headers === headers) {
      const ended = await this.#server.stream({
        method: "GET",
        headers: { ...headers, accept: "text/event-stream" },
        signal: this.#over,
        onHeaders: (status) => {
          if (status !== 200) return;
          pauseMs = 250;
          if (missed) this.#tellChanged();
        },
        onFrame: (frame) => this.#tell(frame as Frame),
      });
      if (ended.kind === "answered" && ended.status === 404) {
        if (await this.#reopen(headers)) return;
      } else if (ended.kind === "answered" && [400, 401, 403, 405].includes(ended.status)) return;
      missed = true;
      await pause(pauseMs, this.#over);
      pauseMs = Math.min(2 * pauseMs, 5_000);
    }
  }

  #tellChanged(): void {
    for (const uri of this.#followed)
      void this.#tell({ jsonrpc: "2.0", method: "notifications/resources/updated", params: { uri } });
  }
}
