import type { JSONRPCMessage, RequestId, ServerContext, Transport } from "@modelcontextprotocol/server";
import { type Exchange, newExchange, type SettledExchange } from "./exchange.js";
import { type HttpExchange, keepAliveMs } from "./http-asking.js";
import { isNotification, isReply, isRequest } from "./message-kind.js";

/** A request of the client whose answer it does not have yet. */
interface Pending {
  exchange: SettledExchange | undefined;
  readonly over: () => void;
}

const encoder = new TextEncoder();

/**
 * One client of the two-endpoint transport of 2024-11-05: everything for it goes out on one stream of events, whose
 * first names where it posts to. A reply counts as handed over when the operating system has taken it whole.
 */
export class SseTransport implements Transport {
  onmessage: Transport["onmessage"];
  onclose: Transport["onclose"];
  onerror: Transport["onerror"];
  readonly sessionId: string;
  /** The events, as the body of the response. */
  readonly body: ReadableStream<Uint8Array>;
  readonly #stream: HttpExchange;
  readonly #pending = new Map<RequestId, Pending>();
  #out: ReadableStreamDefaultController<Uint8Array> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(sessionId: string, address: string, stream: HttpExchange) {
    this.sessionId = sessionId;
    this.#stream = stream;
    this.body = new ReadableStream({
      start: (controller) => {
        this.#out = controller;
      },
    });
    this.#write(`event: endpoint\ndata: ${address}\n\n`);
  }

  async start(): Promise<void> {
    this.#timer = setInterval(() => {
      // A client that does not read what there is gets nothing on top.
      if (!this.#stream.stalled()) this.#write(": keepalive\n\n");
    }, keepAliveMs);
    this.#timer.unref();
  }

  /** Whether a request of this id waits for its answer: another could not be told from it. */
  isPending(id: RequestId): boolean {
    return this.#pending.has(id);
  }

  /** Takes a message of the client. @param over called when a request has been answered, or never will be */
  receive(message: JSONRPCMessage, over: () => void): void {
    if (isRequest(message)) this.#pending.set(message.id, { exchange: undefined, over });
    this.onmessage?.(message);
    if (isNotification(message) && message.method === "notifications/cancelled")
      this.#settle(message.params?.requestId as RequestId, false);
  }

  exchangeOf(context: ServerContext): Exchange {
    const { id, signal } = context.mcpReq;
    const exchange = newExchange(signal);
    const pending = this.#pending.get(id);
    if (pending) pending.exchange = exchange;
    else exchange.settle(false);
    return exchange;
  }

  async send(message: JSONRPCMessage): Promise<void> {
    const chunk = this.#write(`event: message\ndata: ${JSON.stringify(message)}\n\n`);
    if (!chunk) throw new Error("the stream is closed");
    if (!isReply(message)) return;
    const { id } = message;
    if (id !== undefined) this.#stream.onTaken(chunk, () => this.#settle(id, true));
  }

  async close(): Promise<void> {
    if (!this.#out) return;
    const out = this.#out;
    this.#out = undefined;
    clearInterval(this.#timer);
    try {
      out.close();
    } catch {
      // The client has gone, and its stream with it.
    }
    this.onclose?.();
    for (const id of [...this.#pending.keys()]) this.#settle(id, false);
  }

  #settle(id: RequestId, reached: boolean): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    pending.exchange?.settle(reached);
    pending.over();
  }

  #write(text: string): Uint8Array | undefined {
    const chunk = encoder.encode(text);
    try {
      this.#out?.enqueue(chunk);
    } catch {
      return undefined; // The client has just gone.
    }
    return this.#out && chunk;
  }
}
