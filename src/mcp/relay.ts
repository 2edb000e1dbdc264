import type { Readable, Writable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import type { Log } from "./log.js";
import { asRefusal } from "./refusal.js";
import { Lifeline } from "./relay-lifeline.js";
import { isModern, type RelayedRequest, refusalReply } from "./relay-refusal.js";
import { type Frame, modernHeaders, RelayedServer, type RelayedServerOptions } from "./relay-server.js";
import { RelaySession } from "./relay-session.js";
import { keepSubscription } from "./relay-subscription.js";

export interface RelayOptions extends RelayedServerOptions {
  readonly log: Log;
  readonly stdin: Readable;
  readonly stdout: Writable;
  /** Ends the relay as SIGTERM does. */
  readonly signal?: AbortSignal;
}

/** Most bytes of one frame of the client, and of what a client that does not read may leave unread. */
const mostBytes = 16 * 1024 * 1024;

/** Longest time that the end of a session may hold up the end of the relay. */
const endSessionMs = 1_000;

/**
 * Carries frames between one client on stdin and stdout and a server that owns the store, over Streamable HTTP, until
 * stdin ends, stdout breaks or the process is told to stop; resolves within 2 seconds then. No store is opened here.
 *
 * Every request is answered, also when the server is away: with what certainly was not done, or what may have been.
 */
export async function relayStdio(options: RelayOptions): Promise<void> {
  const over = new AbortController();
  const wire = new Wire(options.stdin, options.stdout, options.log);
  const server = new RelayedServer(options);
  const tell = (frame: Frame): Promise<void> => wire.tell(frame);
  const session = new RelaySession(server, tell, over.signal);
  const lifeline = new Lifeline(server, over.signal);
  const asked = new Map<RelayedRequest["id"], AbortController>();

  const serve = async (request: RelayedRequest): Promise<void> => {
    const cancel = new AbortController();
    const { signal } = cancel;
    asked.set(request.id, cancel);
    try {
      const modern = isModern(request);
      if (modern) lifeline.keep(request);
      if (modern && request.method === "subscriptions/listen") {
        await keepSubscription(server, request, tell, signal);
        return;
      }
      const answer = modern
        ? await server.ask(request, { headers: modernHeaders({ ...request }), signal, tell })
        : await session.ask(request, signal);
      if (answer.kind === "reply" && !signal.aborted) await tell(answer.message);
    } finally {
      if (asked.get(request.id) === cancel) asked.delete(request.id);
    }
  };
  const pass = async (message: Frame): Promise<void> => {
    if (isRequest(message)) {
      if (message.method === "initialize" && !isModern(message)) await session.begin(message);
      else await serve(message);
      return;
    }
    if (message.method === "notifications/cancelled") {
      // The closed connection tells the server; the older era says it as well.
      const { requestId } = (message.params ?? {}) as { requestId?: RelayedRequest["id"] };
      const cancelled = requestId === undefined ? undefined : asked.get(requestId);
      if (!cancelled) return;
      cancelled.abort();
      if (isModernClient) return;
    }
    if (isModern(message as { params?: unknown }))
      await server.tell(message, modernHeaders(message), over.signal);
    else await session.tell(message);
  };
  let isModernClient = false;
  wire.onMessage = (message) => {
    if (isRequest(message)) isModernClient = isModern(message);
    pass(message).catch((error: unknown) => {
      const refusal = asRefusal(error, options.log, "relay");
      if (isRequest(message)) void tell(refusalReply(message, refusal, options.structured ?? false) as Frame);
    });
  };

  const stop = (): void => wire.close();
  const signals = ["SIGTERM", "SIGINT", "SIGHUP"] as const;
  for (const name of signals) process.on(name, stop);
  options.signal?.addEventListener("abort", stop, { once: true });
  if (options.signal?.aborted) stop();
  try {
    await wire.closed;
    over.abort();
    for (const cancel of asked.values()) cancel.abort();
    await session.end(AbortSignal.timeout(endSessionMs));
  } finally {
    for (const name of signals) process.off(name, stop);
    options.signal?.removeEventListener("abort", stop);
  }
}

function isRequest(message: Frame): message is Frame & RelayedRequest {
  return (
    typeof message.method === "string" && (typeof message.id === "string" || typeof message.id === "number")
  );
}

/** Stdin and stdout: one frame a line. */
class Wire {
  readonly closed: Promise<void>;
  onMessage: (message: Frame) => void = () => undefined;
  readonly #out: Writable;
  readonly #log: Log;
  readonly #decoder = new StringDecoder("utf8");
  #rest = "";
  #over = false;
  #close: () => void = () => undefined;

  constructor(stdin: Readable, stdout: Writable, log: Log) {
    this.#out = stdout;
    this.#log = log;
    this.closed = new Promise((resolve) => {
      this.#close = resolve;
    });
    stdin.on("data", (chunk: Buffer) => this.#receive(this.#decoder.write(chunk)));
    stdin.on("end", () => this.close());
    stdin.on("error", () => this.close());
    stdout.on("error", () => this.close());
  }

  /** Resolves when more may be written, so that a client that reads slowly slows the server down and not this process. */
  async tell(frame: Frame): Promise<void> {
    if (this.#over) return;
    const more = this.#out.write(`${JSON.stringify(frame)}\n`);
    if (more) return;
    if (this.#out.writableLength > mostBytes) {
      this.#log.warn({ bytes: this.#out.writableLength }, "the client does not read its replies; closing");
      this.close();
      return;
    }
    await Promise.race([
      new Promise<void>((resolve) => this.#out.once("drain", () => resolve())),
      this.closed,
    ]);
  }

  close(): void {
    this.#over = true;
    this.#close();
  }

  #receive(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!;
    if (this.#rest.length > mostBytes) {
      this.#log.warn({ bytes: this.#rest.length }, "a frame of the client is too large; closing");
      this.close();
    }
    for (const line of lines) {
      const message = this.#over ? undefined : frameIn(line);
      if (message) this.onMessage(message);
      else if (line.trim() !== "") this.#log.debug({ characters: line.length }, "not a frame; left out");
    }
  }
}

function frameIn(line: string): Frame | undefined {
  try {
    const value = JSON.parse(line) as unknown;
    const isFrame = typeof value === "object" && value !== null && (value as Frame).jsonrpc === "2.0";
    return isFrame ? (value as Frame) : undefined;
  } catch {
    return undefined;
  }
}
