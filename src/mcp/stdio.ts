import type { Readable, Writable } from "node:stream";
import {
  type JSONRPCMessage,
  ProtocolErrorCode,
  type RequestId,
  type Server,
  type ServerContext,
  serializeMessage,
  type Transport,
} from "@modelcontextprotocol/server";
import { StdioServerTransport, serveStdio as serveSdk } from "@modelcontextprotocol/server/stdio";
import { MailboxError } from "../errors/index.js";
import type { Principal } from "../identity/index.js";
import { channelMethod, openChannel } from "./channel.js";
import { Connection, type FaceOptions } from "./connection.js";
import { createServer } from "./create-server.js";
import { newExchange, type SettledExchange } from "./exchange.js";
import { listenParams, narrowed, watchEach } from "./listen-params.js";
import type { Log } from "./log.js";
import { isNotification, isReply, isRequest } from "./message-kind.js";
import { asRefusal } from "./refusal.js";
import type { Rooms } from "./rooms.js";
import { Watches } from "./watches.js";

export interface StdioOptions extends FaceOptions {
  readonly agent?: string;
  /** What the credential of the process proved. */
  readonly principal?: Principal;
  readonly structured?: boolean;
  /**
   * Pushes hints of new mail through the channel of Claude Code (an opt-in preview of it). The connection is then one of
   * the 2025 era, whatever the client would rather speak: in 2026 nothing may be pushed that was not asked for.
   */
  readonly channel?: boolean;
  /** Ends the connection as SIGTERM does. */
  readonly signal?: AbortSignal;
  readonly stdin?: Readable;
  readonly stdout?: Writable;
}

/** A client that leaves this much unread does not read any more. */
const mostUnreadBytes = 16 * 1024 * 1024;

/**
 * Serves one client on stdin and stdout until stdin ends, stdout breaks, or the process is told to stop (SIGTERM,
 * SIGINT, SIGHUP, or the given signal); resolves, at most 3 seconds later, when the run has been ended.
 *
 * The caller then closes its stores and leaves by `process.exit`: a reply that a client never reads would otherwise
 * keep the process alive.
 */
export async function serveStdio(rooms: Rooms, options: StdioOptions): Promise<void> {
  const connection = new Connection(rooms, options, {
    ...options,
    session: true,
    outlivesCredential: true,
  });
  const wire = new Wire(options.stdin ?? process.stdin, options.stdout ?? process.stdout, options.log);
  wire.olderEra = options.channel ?? false;
  let server: Server | undefined;
  const told = (uri: string): void => {
    // Both eras: to a modern client the SDK sends it on to the subscriptions that named the URI.
    server?.sendResourceUpdated({ uri }).catch(() => undefined);
  };
  const subscribed = new Watches(rooms, told, () => wire.stalled);
  connection.whileRunning(() => subscribed.clear());
  const listening = new Listening(connection, new Watches(rooms, told, () => wire.stalled), (id, error) =>
    wire.refuseListen(id, error),
  );
  wire.onListen = (id, uris, clientName) => listening.begin(id, uris, clientName);
  wire.onUnlisten = (id) => listening.end(id);

  const handle = serveSdk(
    () => {
      server = createServer({
        connection,
        structured: options.structured ?? false,
        watches: subscribed,
        exchangeOf: (context) => wire.exchangeOf(context),
        channel: options.channel ?? false,
      });
      if (options.channel) server.oninitialized = () => void pushHints(connection, server!, options.log);
      return server;
    },
    {
      transport: wire,
      onerror: (error) => options.log.debug({ err: error }, "stdio"),
    },
  );
  const stop = (): void => void wire.close();
  const signals = ["SIGTERM", "SIGINT", "SIGHUP"] as const;
  for (const name of signals) process.on(name, stop);
  options.signal?.addEventListener("abort", stop, { once: true });
  if (options.signal?.aborted) stop();
  try {
    const inGoodOrder = await wire.closed;
    await connection.end(inGoodOrder ? "left" : "cut short");
    await Promise.race([handle.close(), new Promise((resolve) => setTimeout(resolve, 200).unref())]);
  } finally {
    for (const name of signals) process.off(name, stop);
    options.signal?.removeEventListener("abort", stop);
  }
}

/** The client of a channel is told of mail before its first call, so its run begins with the connection. */
async function pushHints(connection: Connection, server: Server, log: Log): Promise<void> {
  try {
    const caller = await connection.caller(server.getClientVersion()?.name);
    const tell = (params: object): Promise<void> =>
      server.notification({ method: channelMethod, params } as Parameters<Server["notification"]>[0]);
    connection.whileRunning(await openChannel(connection.rooms, caller, tell, log));
  } catch (err) {
    log.warn({ err }, "the channel could not be opened");
  }
}

/** Stdin and stdout, and the fate of each reply: handed over when the operating system has taken it whole. */
class Wire extends StdioServerTransport implements Transport {
  /** Whether it was the client that closed it: its end of stdin has come. */
  readonly closed: Promise<boolean>;
  /** Whether a client that asks which eras there are is told of none, so that it begins as one of 2025 does. */
  olderEra = false;
  onListen: Listening["begin"] = async () => [];
  onUnlisten: (id: RequestId) => void = () => undefined;
  readonly #in: Readable;
  readonly #out: Writable;
  readonly #log: Log;
  readonly #exchanges = new Map<RequestId, SettledExchange>();
  #onmessage: Transport["onmessage"];
  #close: (byClient: boolean) => void = () => undefined;
  #over = false;
  #held: Promise<void> | undefined;

  constructor(stdin: Readable, stdout: Writable, log: Log) {
    super(stdin, stdout);
    this.#in = stdin;
    this.#out = stdout;
    this.#log = log;
    this.closed = new Promise((resolve) => {
      this.#close = resolve;
    });
    Object.defineProperty(this, "onmessage", {
      get: () => this.#onmessage && ((message: JSONRPCMessage) => this.#receive(message)),
      set: (handler: Transport["onmessage"]) => {
        this.#onmessage = handler;
      },
    });
  }

  /** True while the client takes what was written more slowly than it is written. */
  get stalled(): boolean {
    return this.#out.writableNeedDrain;
  }

  exchangeOf(context: ServerContext): SettledExchange {
    const { id, signal } = context.mcpReq;
    const exchange = newExchange(signal);
    this.#exchanges.set(id, exchange);
    signal.addEventListener("abort", () => this.#settle(id, exchange, false), { once: true });
    exchange.onSettled(() => this.#forget(id, exchange));
    return exchange;
  }

  override send(message: JSONRPCMessage): Promise<void> {
    if (this.#over) return Promise.reject(new Error("the connection is closed"));
    const exchange = isReply(message) ? this.#exchanges.get(message.id as RequestId) : undefined;
    return new Promise((resolve, reject) => {
      this.#out.write(serializeMessage(message), (error) => {
        exchange?.settle(!error);
        if (error) reject(error);
        else resolve();
      });
      if (this.#out.writableLength > mostUnreadBytes) {
        this.#log.warn({ bytes: this.#out.writableLength }, "the client does not read its replies; closing");
        void this.close();
      }
    });
  }

  override async close(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    await super.close();
    for (const [id, exchange] of [...this.#exchanges]) this.#settle(id, exchange, false);
    this.#close(this.#in.readableEnded);
  }

  /** Ends a subscription, or refuses to begin it, with an error that says why. */
  refuseListen(id: RequestId, { code, message }: MailboxError): void {
    // The SDK has nothing by which to end one; what a client cancels it forgets without a word.
    this.#onmessage?.({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id } });
    this.send({ jsonrpc: "2.0", id, error: { code: -32000, message, data: { code } } }).catch(
      () => undefined,
    );
  }

  #settle(id: RequestId, exchange: SettledExchange, reached: boolean): void {
    exchange.settle(reached);
    this.#forget(id, exchange);
  }

  #forget(id: RequestId, exchange: SettledExchange): void {
    if (this.#exchanges.get(id) === exchange) this.#exchanges.delete(id);
  }

  /**
   * The SDK answers `subscriptions/listen` itself and tells nobody which URIs were asked for. It gets the request, for those
   * that are watched alone, once they are, so that no change after its answer is missed; what comes meanwhile keeps its place behind it.
   */
  #receive(message: JSONRPCMessage): void {
    if (this.olderEra && isRequest(message) && message.method === "server/discover") {
      const error = { code: ProtocolErrorCode.MethodNotFound, message: "Method not found" };
      this.send({ jsonrpc: "2.0", id: message.id, error }).catch(() => undefined);
      return;
    }
    const isListen = isRequest(message) && message.method === "subscriptions/listen";
    if (!isListen && !this.#held) {
      this.#pass(message);
      return;
    }
    const before = this.#held ?? Promise.resolve();
    const held: Promise<void> = before
      .then(async () => {
        if (!isListen) {
          this.#pass(message);
          return;
        }
        const { uris, clientName } = listenParams(message.params);
        const watched = await this.onListen(message.id, uris, clientName);
        if (watched) this.#pass({ ...message, params: narrowed(message.params, watched) } as JSONRPCMessage);
      })
      .finally(() => {
        if (this.#held === held) this.#held = undefined;
      });
    this.#held = held;
  }

  #pass(message: JSONRPCMessage): void {
    if (isNotification(message) && message.method === "notifications/cancelled") {
      const id = message.params?.requestId as RequestId | undefined;
      if (id !== undefined) this.onUnlisten(id);
    }
    this.#onmessage?.(message);
  }
}

/**
 * The URIs that modern subscriptions of this client name; a URI is watched as long as one of them does. All of them end,
 * and their client is told why, when what it is believed by ends or its agent is stopped.
 */
class Listening {
  readonly #connection: Connection;
  readonly #subscriptions = new Map<RequestId, readonly string[]>();
  readonly #watches: Watches;
  readonly #refuse: (id: RequestId, error: MailboxError) => void;
  #unhold: (() => void) | undefined;

  constructor(
    connection: Connection,
    watches: Watches,
    refuse: (id: RequestId, error: MailboxError) => void,
  ) {
    this.#connection = connection;
    this.#watches = watches;
    this.#refuse = refuse;
    connection.whileRunning(() => watches.clear());
  }

  /** Answers which of them are watched now; nothing where it was refused. */
  async begin(
    id: RequestId,
    uris: readonly string[],
    clientName: string | undefined,
  ): Promise<readonly string[] | undefined> {
    this.end(id);
    const wanted = [...uris];
    this.#subscriptions.set(id, wanted);
    const isOver = (): boolean => this.#subscriptions.get(id) !== wanted;
    try {
      const watched = await watchEach(this.#watches, wanted, async () => {
        const caller = await this.#connection.caller(clientName);
        this.#whileBelieved(caller.principal);
        return caller;
      });
      if (isOver()) return undefined;
      this.#subscriptions.set(id, watched);
      return watched;
    } catch (err) {
      if (isOver()) return undefined;
      this.end(id);
      this.#refuse(id, asRefusal(err, this.#connection.log, "subscriptions/listen"));
      return undefined;
    }
  }

  #whileBelieved(principal: Principal): void {
    this.#unhold ??= this.#connection.whileOpen(
      this.#connection.rooms.identity.whileHolds(principal, (code) => {
        this.#unhold?.();
        this.#unhold = undefined;
        const ids = [...this.#subscriptions.keys()];
        this.#subscriptions.clear();
        this.#watches.clear();
        for (const id of ids) this.#refuse(id, endedBy(code, principal.agent));
      }),
    );
  }

  end(id: RequestId): void {
    const uris = this.#subscriptions.get(id);
    if (!uris) return;
    this.#subscriptions.delete(id);
    const still = new Set([...this.#subscriptions.values()].flat());
    for (const uri of uris) if (!still.has(uri)) this.#watches.remove(uri);
  }
}

/** What calls are refused with from now on. */
function endedBy(code: string, agent: string): MailboxError {
  if (code === "access.stopped") return new MailboxError(code, { agent });
  if (code === "auth.required") return new MailboxError(code, { because: "this namespace has tokens" });
  return new MailboxError("auth.invalid");
}
