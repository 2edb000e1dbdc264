import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { type HttpService, serveHttp } from "../../src/http/index.js";
import { NodeExchange } from "../../src/http/node-exchange.js";
import type { McpEndpoint } from "../../src/mcp/index.js";
import { memoryRooms, type World } from "../mcp/memory-rooms.js";
import { noLog } from "../mcp/support.js";
import { ask, message, modernCall, SseClient, textIn } from "./raw-http.js";

let world: World;
let service: HttpService | undefined;
afterEach(() => service?.close());

describe("a client that does not read its stream", () => {
  it("is cut once what it leaves unread passes the limit, and others are served", async () => {
    world = memoryRooms();
    const warnings: string[] = [];
    const log = { ...noLog, warn: (_: object, text: string) => void warnings.push(text) };
    service = await serveHttp(world, {
      ...{ namespace: "default", version: "0", log, port: 0 },
      limits: { unreadBytes: 100_000 },
    });
    for (let n = 0; n < 50; n++) world.put("mute", { id: `long-${n}`, body: "x".repeat(60_000) });
    const mute = await SseClient.open(service.url, "mute", false);
    const thread = "mailbox://messages/long-1";
    let cut = false;
    void mute.stream.over.then(() => {
      cut = true;
    });
    // What the system holds for a connection comes first: some megabytes.
    for (let n = 1; !cut && n < 2_000; n++) {
      const { status } = await mute.post(message(n, "resources/read", { uri: thread }));
      if (status === 404) break;
      expect([202, 429]).toContain(status);
      const other = await ask(`${service.url}/mcp?agent=other`, modernCall(n, "my_status"));
      if (n % 50 === 1) expect(textIn(other.body)).toContain("you are other");
    }
    expect((await mute.post(message(1, "ping"))).status).toBe(404);
    expect(warnings).toContain("a client did not read what it was sent; cut");
    await world.until(() => world.ended.some((caller) => caller.principal.agent === "mute"));
  });

  it("is cut when it has taken nothing for too long, although what it leaves unread is below the limit", async () => {
    world = memoryRooms();
    service = await serveHttp(world, {
      ...{ namespace: "default", version: "0", log: noLog, port: 0 },
      limits: { unreadBytes: 1e9, callsInFlight: 3, quietSeconds: 2 },
    });
    world.put("mute", { id: "long", body: "x".repeat(1_000_000) });
    const mute = await SseClient.open(service.url, "mute", false);
    const read = (n: number) => mute.post(message(n, "resources/read", { uri: "mailbox://messages/long" }));
    let n = 1;
    // Until nothing more is taken of it: then its calls stay in flight.
    await expect.poll(async () => (await read(n++)).status, { interval: 20, timeout: 20_000 }).toBe(429);
    await expect.poll(async () => (await read(n++)).status, { interval: 100, timeout: 20_000 }).toBe(404);
    await world.until(() => world.ended.some((caller) => caller.principal.agent === "mute"));
  });
});

describe("what a connection may leave unread", () => {
  /** An answer of many chunks, each written when the one before has been handed to the response. */
  async function serve(limit: number, chunks: number, chunkBytes: number): Promise<{ cut: boolean }> {
    const outcome = { cut: false };
    const endpoint = {
      fetch: async () =>
        new Response(
          new ReadableStream({
            start(controller) {
              for (let n = 0; n < chunks; n++) controller.enqueue(new Uint8Array(chunkBytes));
              controller.close();
            },
          }),
          { headers: { "content-type": "text/event-stream" } },
        ),
    } as unknown as McpEndpoint;
    let carried: Promise<void> | undefined;
    const server = createServer((asked, response) => {
      // The system takes nothing: whatever is written stays here.
      response.socket!.cork();
      const cork = response.socket!.uncork;
      response.socket!.uncork = () => undefined;
      carried = new NodeExchange(response)
        .carry(asked, undefined, endpoint, {
          bytes: limit,
          onCut: () => {
            outcome.cut = true;
          },
        })
        .finally(() => {
          response.socket && Object.assign(response.socket, { uncork: cork }).destroy();
        });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    await new Promise<void>((resolve) => {
      const sent = request({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" });
      sent.once("error", () => resolve()).once("response", (response) => response.once("close", resolve));
      sent.end();
    });
    await carried;
    server.close();
    return outcome;
  }

  it("is so many bytes: at the limit it gets more, past it it is cut", async () => {
    // Three chunks of 1,000 bytes, their frames and the head: the fourth is written at less than 3,400 unread.
    expect(await serve(3_400, 4, 1_000)).toEqual({ cut: false });
    expect(await serve(2_999, 4, 1_000)).toEqual({ cut: true });
  });

  it("is never too little for one answer, however long it is", async () => {
    expect(await serve(1_000, 1, 5_000_000)).toEqual({ cut: false });
  });
});
