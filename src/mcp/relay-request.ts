import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { EventStream } from "./event-stream.js";

/** Longest time until a connection must stand. */
const connectMs = 5_000;

/** Most bytes of one frame or of one answer that is not a stream. */
const mostBytes = 64 * 1024 * 1024;

export interface RelayRequest {
  readonly method: "POST" | "GET" | "DELETE";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Closes the connection, which tells the server that nobody waits any more. */
  readonly signal: AbortSignal;
  /** How long the server may be silent, in ms: until its answer begins, and between two pieces of it. */
  readonly quietMs: number;
  /** Called for each frame of a stream as it arrives; the next is read when it resolves. */
  readonly onFrame?: (frame: unknown) => Promise<void> | void;
  readonly onHeaders?: (status: number, headers: IncomingHttpHeaders) => void;
}

/**
 * How a request ended. `unreached`: no connection stood, so the server cannot have done anything. `broken`: it was sent,
 * and what became of it is not known. `answered`: the server answered whole; `json` is missing for a stream, whose
 * frames were told one by one.
 */
export type Ended =
  | { readonly kind: "unreached"; readonly cause: string }
  | { readonly kind: "broken"; readonly cause: string }
  | {
      readonly kind: "answered";
      readonly status: number;
      readonly headers: IncomingHttpHeaders;
      readonly json?: unknown;
    };

/**
 * Sends one request on a connection of its own. Never rejects: whatever goes wrong is one of the ways it can end.
 *
 * A connection that was kept from an earlier request may have been closed by the server a moment ago, and what is sent
 * on it then is lost in a way that cannot be told from being done. Between two calls of a model lie seconds to minutes,
 * so there is little to gain by keeping one.
 */
export function sendRequest(url: URL, asked: RelayRequest): Promise<Ended> {
  return new Promise((resolve) => {
    const isSecure = url.protocol === "https:";
    const sent = (isSecure ? httpsRequest : httpRequest)(url, {
      method: asked.method,
      agent: false,
      headers: {
        ...asked.headers,
        ...(asked.body !== undefined && { "content-length": Buffer.byteLength(asked.body) }),
      },
    });
    let connected = false;
    let timer: NodeJS.Timeout | undefined;
    const end = (ended: Ended): void => {
      clearTimeout(timer);
      asked.signal.removeEventListener("abort", abort);
      resolve(ended);
    };
    const fail = (cause: string): void => {
      end({ kind: connected ? "broken" : "unreached", cause });
      sent.destroy();
    };
    const abort = (): void => fail("cancelled");
    const within = (ms: number, cause: string): void => {
      clearTimeout(timer);
      timer = setTimeout(() => fail(cause), ms);
    };
    sent.once("socket", (socket) =>
      socket.once(isSecure ? "secureConnect" : "connect", () => {
        connected = true;
        within(asked.quietMs, "no answer in time");
      }),
    );
    sent.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
    sent.once("response", (response) => {
      const alive = (): void => within(asked.quietMs, "the answer stopped");
      readAnswer(response, asked, alive).then(end, (error: Error) => fail(error.message));
    });
    if (asked.signal.aborted) {
      abort();
      return;
    }
    asked.signal.addEventListener("abort", abort, { once: true });
    within(connectMs, "no connection in time");
    sent.end(asked.body);
  });
}

async function readAnswer(response: IncomingMessage, asked: RelayRequest, alive: () => void): Promise<Ended> {
  const { statusCode: status = 0, headers } = response;
  asked.onHeaders?.(status, headers);
  alive();
  response.setEncoding("utf8");
  const isStream = /^text\/event-stream\b/i.test(headers["content-type"] ?? "");
  const frames: unknown[] = [];
  const stream = new EventStream((data) => {
    const frame = parse(data);
    if (frame !== undefined) frames.push(frame);
  });
  let whole = "";
  for await (const chunk of response as AsyncIterable<string>) {
    alive();
    if (isStream) stream.feed(chunk);
    else whole += chunk;
    if (whole.length + stream.held > mostBytes) throw new Error("the answer is too large");
    for (const frame of frames.splice(0)) await asked.onFrame?.(frame);
  }
  // A connection that was cut ends the iteration as a whole answer does, but is not complete.
  if (!response.complete) throw new Error("the answer was cut off");
  const json = isStream ? undefined : parse(whole);
  return { kind: "answered", status, headers, ...(json !== undefined && { json }) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
