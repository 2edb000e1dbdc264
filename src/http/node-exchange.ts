import type { IncomingMessage, ServerResponse } from "node:http";
import { type HttpExchange, type McpEndpoint, newExchange } from "../mcp/index.js";

/** A client that is told to wait for its answer hears after this time that one will come. */
const headersAfterMs = 10;

/** What a client that does not read may leave unread, and who is told that it was cut. */
export interface UnreadLimit {
  readonly bytes: number;
  readonly onCut: () => void;
}

/**
 * One request of `node:http` and its response, as a web-standard handler sees them.
 *
 * The exchange counts as settled when the operating system has taken the whole response, and as failed when the
 * connection closed before that. A client that goes away ends the stream at once (waiting for the next chunk to fail
 * would keep a session's only stream taken for seconds).
 */
export class NodeExchange implements HttpExchange {
  readonly signal: AbortSignal;
  readonly onSettled: HttpExchange["onSettled"];
  readonly #response: ServerResponse;
  readonly #takings = new Map<Uint8Array, () => void>();

  constructor(response: ServerResponse) {
    const gone = new AbortController();
    const exchange = newExchange(gone.signal);
    this.signal = gone.signal;
    this.onSettled = exchange.onSettled;
    this.#response = response;
    response.once("close", () => {
      const whole = response.writableFinished;
      exchange.settle(whole);
      if (!whole) gone.abort();
    });
  }

  stalled(): boolean {
    return this.#response.writableNeedDrain;
  }

  onTaken(chunk: Uint8Array, callback: () => void): void {
    this.#takings.set(chunk, callback);
  }

  cut(): void {
    this.#response.destroy();
  }

  /** Asks the endpoint and hands its answer over. */
  async carry(
    request: IncomingMessage,
    body: (() => string) | undefined,
    endpoint: Pick<McpEndpoint, "fetch">,
    unread: UnreadLimit,
  ): Promise<void> {
    const asked = new WebRequest(request, this.signal) as unknown as Request;
    const answer = await endpoint.fetch(asked, this, body);
    const response = this.#response;
    if (response.destroyed) {
      await answer.body?.cancel();
      return;
    }
    const headers = Object.fromEntries(answer.headers);
    if (answer.body && headers["content-type"]?.startsWith("text/event-stream")) {
      response.writeHead(answer.status, headers);
      await this.#stream(answer.body, unread);
      return;
    }
    // Known whole: one write, where a stream would take three.
    const whole = Buffer.from(await answer.arrayBuffer());
    headers["content-length"] = String(whole.length);
    response.writeHead(answer.status, headers);
    response.end(whole);
  }

  async #stream(body: ReadableStream<Uint8Array>, unread: UnreadLimit): Promise<void> {
    const response = this.#response;
    const reader = body.getReader();
    const onClose = (): void => void reader.cancel().catch(() => undefined);
    response.once("close", onClose);
    // An answer that comes at once goes out in one piece with its headers.
    const soon = setTimeout(() => response.flushHeaders(), headersAfterMs);
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done || response.destroyed) break;
        this.#write(value, unread);
      }
    } finally {
      clearTimeout(soon);
      response.off("close", onClose);
    }
    if (!response.destroyed) response.end();
  }

  /**
   * Writes a chunk whether or not the client reads: what it leaves unread is counted here and not somewhere before. One
   * that has left too much gets nothing more.
   */
  #write(chunk: Uint8Array, { bytes, onCut }: UnreadLimit): void {
    const response = this.#response;
    const taken = this.#takings.get(chunk);
    this.#takings.delete(chunk);
    if (response.writableLength > bytes) {
      onCut();
      response.destroy();
      return;
    }
    if (!taken) response.write(chunk);
    else
      response.write(chunk, (error) => {
        if (!error) taken();
      });
  }
}

/**
 * What handlers ask of a `Request` whose body has been read already. The platform's own makes a signal that follows the
 * one it is given, and a stream, and costs as much as everything else that is done to carry a call.
 */
class WebRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly signal: AbortSignal;

  constructor({ method = "GET", url = "/", headers }: IncomingMessage, signal: AbortSignal) {
    this.method = method;
    this.url = `http://${headers.host}${url}`;
    this.headers = new Headers(headers as Record<string, string>);
    this.signal = signal;
  }
}
