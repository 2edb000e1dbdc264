import { randomBytes } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { MailboxError } from "../errors/index.js";
import { lifelineHeaders } from "./lifeline.js";
import {
  isModern,
  lostAnswer,
  type RelayedRequest,
  refusalReply,
  refusedWith,
  unreachable,
} from "./relay-refusal.js";
import { type Ended, type RelayRequest, sendRequest } from "./relay-request.js";

/** A frame of the protocol as it goes through: only what the relay must know of it is looked at. */
export type Frame = Readonly<Record<string, unknown>>;

export interface RelayedServerOptions {
  /** Where the server speaks MCP, such as http://127.0.0.1:7678/mcp. */
  readonly url: URL;
  readonly agent?: string;
  /** Sent as bearer token; it belongs to one agent. */
  readonly token?: string;
  readonly structured?: boolean;
  readonly version: string;
  /** How long a server that cannot be reached is tried before a call is answered without it (8 s). */
  readonly reachMs?: number;
  /** How long a server may say nothing beyond what the call itself waits (20 s). */
  readonly quietMs?: number;
}

/** How the asking ended: with a reply to this request, or because its session is not known any more, or its client left. */
export type Answer =
  | { readonly kind: "reply"; readonly message: Frame }
  | { readonly kind: "session-lost" }
  | { readonly kind: "cancelled" };

/** Updates are kept alive by comments every 5 s. A lifeline must be there again before its server takes the client for dead. */
const streamQuietMs = 15_000;

/** The server behind a relay: what can be asked of it, and what is said in its place when it does not answer. */
export class RelayedServer {
  readonly #url: URL;
  readonly #shown: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #structured: boolean;
  /** How long a server that cannot be reached is tried. */
  readonly reachMs: number;
  readonly #quietMs: number;

  constructor(options: RelayedServerOptions) {
    this.#url = new URL(options.url);
    if (options.agent !== undefined) this.#url.searchParams.set("agent", options.agent);
    if (options.structured) this.#url.searchParams.set("structured", "1");
    this.#shown = this.#url.origin;
    this.#structured = options.structured ?? false;
    this.reachMs = options.reachMs ?? 8_000;
    this.#quietMs = options.quietMs ?? 20_000;
    this.#headers = {
      ...lifelineHeaders,
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      // A client of the newer era without a name is told from others by this.
      "user-agent": `llm-mailbox/${options.version} (relay ${randomBytes(6).toString("hex")})`,
      ...(options.token !== undefined && { authorization: `Bearer ${options.token}` }),
    };
  }

  /**
   * Asks, and answers within a bounded time, whatever the server does. What certainly was not done is tried again for a
   * while; what may have been done is not, unless doing it twice is the same as once: that holds for every method but
   * `tools/call`, whose lost answer is told as an unknown outcome.
   *
   * @param tell what comes before the reply, in order: progress, and questions of the server
   */
  async ask(
    request: RelayedRequest,
    asking: {
      readonly headers: Readonly<Record<string, string>>;
      readonly signal: AbortSignal;
      readonly tell: (frame: Frame) => Promise<void>;
      readonly onHeaders?: (status: number, headers: IncomingHttpHeaders) => void;
      /** Instead of the usual time for a server that cannot be reached. */
      readonly reachMs?: number;
    },
  ): Promise<Answer> {
    const { signal } = asking;
    const until = Date.now() + (asking.reachMs ?? this.reachMs);
    const body = JSON.stringify(request);
    for (let pauseMs = 100; ; pauseMs = Math.min(2 * pauseMs, 1_000)) {
      let reply: Frame | undefined;
      const ended = await this.send({
        method: "POST",
        headers: asking.headers,
        body,
        signal,
        quietMs: this.#quietMs + waitMs(request),
        ...(asking.onHeaders && { onHeaders: asking.onHeaders }),
        onFrame: async (frame) => {
          if (isReplyTo(frame as Frame, request.id)) reply = frame as Frame;
          else await asking.tell(frame as Frame);
        },
      });
      if (reply) return { kind: "reply", message: reply };
      if (signal.aborted) return { kind: "cancelled" };
      const fate = fateOf(ended);
      if (fate === "session-lost" && "mcp-session-id" in asking.headers) return { kind: "session-lost" };
      if (fate === "answered") return { kind: "reply", message: { ...replyIn(ended), id: request.id } };
      const again = fate === "undone" || (fate === "unknown" && request.method !== "tools/call");
      if (again && Date.now() + pauseMs < until) {
        await pause(pauseMs, signal);
        if (signal.aborted) return { kind: "cancelled" };
        continue;
      }
      const refusal =
        fate === "undone" || again
          ? unreachable(this.#shown)
          : fate === "unknown"
            ? lostAnswer(request)
            : refusedWith((ended as { readonly status: number }).status);
      return this.#refused(request, refusal);
    }
  }

  /** Tells the server something that is not answered. A server that is away does not hear it. */
  async tell(message: Frame, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Ended> {
    return this.send({
      method: "POST",
      headers,
      body: JSON.stringify(message),
      signal,
      quietMs: this.#quietMs,
    });
  }

  /** A stream of frames that lasts until one side ends it. */
  async stream(asked: Omit<RelayRequest, "quietMs">): Promise<Ended> {
    return this.send({ ...asked, quietMs: streamQuietMs });
  }

  send(asked: RelayRequest): Promise<Ended> {
    return sendRequest(this.#url, { ...asked, headers: { ...this.#headers, ...asked.headers } });
  }

  unreachable(request: RelayedRequest): Frame {
    return refusalReply(request, unreachable(this.#shown), this.#structured) as Frame;
  }

  refused(request: RelayedRequest, status: number): Frame {
    return refusalReply(request, refusedWith(status), this.#structured) as Frame;
  }

  #refused(request: RelayedRequest, refusal: MailboxError): Answer {
    return { kind: "reply", message: refusalReply(request, refusal, this.#structured) as Frame };
  }
}

/** What a request's end says of whether it was done. `refused`: the server did not take it, and says so. */
function fateOf(ended: Ended): "undone" | "unknown" | "answered" | "session-lost" | "refused" {
  if (ended.kind === "unreached") return "undone";
  if (ended.kind === "broken") return "unknown";
  const { status } = ended;
  const reply = replyIn(ended);
  // The newer era answers an unknown method with 404 too, but then it answers this request by its id.
  if (status === 404 && (reply?.id ?? null) === null) return "session-lost";
  if (status === 401 || status === 403) return "refused";
  if (reply) return "answered";
  // A stream that ended without its reply, or a proxy that lost the server behind it.
  if (status < 300 || status === 502 || status === 504) return "unknown";
  return status === 503 ? "undone" : "refused";
}

function replyIn(ended: Ended): Frame | undefined {
  const json = ended.kind === "answered" ? (ended.json as Frame | undefined) : undefined;
  return json && typeof json === "object" && ("result" in json || "error" in json) ? json : undefined;
}

function isReplyTo(frame: Frame, id: RelayedRequest["id"]): boolean {
  return frame.id === id && !("method" in frame);
}

/** What a call may wait by its own will. */
function waitMs({ params }: RelayedRequest): number {
  const asked = Number((params?.arguments as { wait_seconds?: unknown } | undefined)?.wait_seconds ?? 0);
  return asked > 0 ? Math.min(asked, 60) * 1000 : 0;
}

/** The headers by which the 2026 era repeats what the body says. */
export function modernHeaders(message: Frame): Record<string, string> {
  const params = message.params as { _meta?: Frame; name?: unknown; uri?: unknown } | undefined;
  if (!isModern({ params })) return {};
  const name = message.method === "resources/read" ? params?.uri : params?.name;
  const carriesName = ["tools/call", "prompts/get", "resources/read"].includes(String(message.method));
  return {
    "mcp-protocol-version": headerText(String(params?._meta?.["io.modelcontextprotocol/protocolVersion"])),
    "mcp-method": headerText(String(message.method)),
    ...(carriesName && typeof name === "string" && { "mcp-name": headerText(name) }),
  };
}

/** A text as a header may carry it: what is not plain goes as base64, marked as the protocol says. */
function headerText(text: string): string {
  const isPlain = /^(?!=\?base64\?)[!-~](?:[ -~]*[!-~])?$/.test(text);
  return isPlain ? text : `=?base64?${Buffer.from(text).toString("base64")}?=`;
}

/** Resolves after the time, or as soon as the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
    if (signal.aborted) done();
  });
}
