import type { IncomingMessage, ServerResponse } from "node:http";
import { type HttpExchange, type McpEndpoint, newExchange } from "../mcp/index.js";

/**
 * Carries one request of `node:http` to a web-standard handler and its response back.
 *
 * The exchange counts as settled when the operating system has taken the whole response, and as failed when the
 * connection closed before that. A client that goes away ends the stream at once (waiting for the next chunk to fail
 * would keep a session's only stream taken for seconds).
 */
export async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  endpoint: McpEndpoint,
  maxBodyBytes: number,
): Promise<void> {
  const gone = new AbortController();
  const exchange = exchangeOf(response, gone);
  const body = await read(request, maxBodyBytes);
  if (body === undefined) {
    response.writeHead(413, { "content-type": "application/json", connection: "close" });
    const message = `the request is larger than ${maxBodyBytes} bytes`;
    response.end(JSON.stringify({ jsonrpc: "2.0", error: { code: -32000, message }, id: null }));
    return;
  }
  await send(await endpoint.fetch(webRequest(request, body, gone.signal), exchange), response);
}

function exchangeOf(response: ServerResponse, gone: AbortController): HttpExchange {
  const exchange = newExchange(gone.signal);
  response.once("close", () => {
    const whole = response.writableFinished;
    exchange.settle(whole);
    if (!whole) gone.abort();
  });
  return { ...exchange, stalled: () => response.writableNeedDrain };
}

async function read(request: IncomingMessage, maxBytes: number): Promise<string | undefined> {
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) return undefined;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function webRequest(request: IncomingMessage, body: string, signal: AbortSignal): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers))
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined) headers.append(name, one);
  const method = request.method ?? "GET";
  const url = new URL(request.url ?? "/", `http://${request.headers.host}`);
  return new Request(url, {
    method,
    headers,
    signal,
    ...(method !== "GET" && method !== "HEAD" && { body }),
  });
}

async function send(web: Response, response: ServerResponse): Promise<void> {
  if (response.destroyed) {
    await web.body?.cancel();
    return;
  }
  response.writeHead(web.status, Object.fromEntries(web.headers));
  if (!web.body) {
    response.end();
    return;
  }
  response.flushHeaders();
  const reader = web.body.getReader();
  const onClose = (): void => void reader.cancel().catch(() => undefined);
  response.once("close", onClose);
  for (;;) {
    const { done, value } = await reader.read();
    if (done || response.destroyed) break;
    if (!response.write(value)) await drained(response);
  }
  response.off("close", onClose);
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
  });
}
