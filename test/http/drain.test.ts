import { mkdtempSync, rmSync } from "node:fs";
import { Agent } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { serveHttp } from "../../src/http/index.js";
import { memoryRooms } from "../mcp/memory-rooms.js";
import { noLog } from "../mcp/support.js";
import { startStore, type TestStore } from "../stores/index.js";
import {
  type Answer,
  ask,
  EventStream,
  initialize,
  json,
  modernCall,
  modernListen,
  openSession,
  ServeProcess,
  SseClient,
  textIn,
  toolCall,
} from "./raw-http.js";

describe("a server that is told to end", () => {
  const dataDir = mkdtempSync(join(tmpdir(), "mailbox-drain-"));
  let store: TestStore;
  beforeAll(async () => {
    store = await startStore("embedded");
  });
  afterAll(async () => {
    await store.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });

  it("answers the waits in flight as if their time were over, ends streams and runs, and is gone within 5 s", async () => {
    const server = await ServeProcess.start({ REDIS_URL: store.url, LLM_MAILBOX_DATA_DIR: dataDir });
    const at = (agent: string) => `${server.url}/mcp?agent=${agent}`;
    const session = await openSession(at("anna"));
    const sse = await SseClient.open(server.url, "carl");
    const subscription = await EventStream.open(at("anna"), modernListen("l", ["mailbox://inbox"]));
    await subscription.until(/acknowledged/);
    const listening = await EventStream.open(at("anna"), {
      headers: { ...session, accept: "text/event-stream" },
    });
    const wait = { wait_seconds: 50 };
    const waits: Promise<Answer>[] = [
      ask(at("anna"), { headers: session, body: toolCall(1, "read_inbox", wait) }),
      ask(at("bert"), modernCall(1, "read_inbox", wait)),
    ];
    await sse.post(toolCall(1, "read_inbox", wait));
    await expect
      .poll(async () => (await ask(`${server.url}/metrics`)).body)
      .toMatch(/^llm_mailbox_waits_open 3$/m);

    const from = Date.now();
    server.child.kill("SIGTERM");
    for (const answer of await Promise.all(waits)) {
      expect(answer.status).toBe(200);
      expect(textIn(answer.body)).toMatch(
        /^nothing new in \d s, then this server was told to end: call again$/,
      );
    }
    expect(await sse.answer(1)).toMatch(/nothing new in \d s, then this server/);
    await Promise.all([listening, subscription, sse.stream].map((stream) => stream.over));
    expect(await server.exited).toBe(0);
    expect(Date.now() - from).toBeLessThan(5_000);

    const redis = new Redis({ path: store.url.replace("unix://", "") });
    expect(await redis.hkeys("{default:dir}:runs")).toEqual([]);
    redis.disconnect();
  });

  it("keeps for the next server what it did not hand over", async () => {
    const env = { REDIS_URL: store.url, LLM_MAILBOX_DATA_DIR: dataDir };
    const first = await ServeProcess.start(env);
    const dora = `${first.url}/mcp?agent=dora`;
    await ask(
      `${first.url}/mcp?agent=emil`,
      modernCall(1, "send_message", { to: ["dora"], body: "keep me" }),
    );
    const session = await openSession(dora);
    await ask(dora, { headers: session, body: toolCall(1, "read_inbox") });
    await first.stop();
    const next = await ServeProcess.start(env);
    const again = await ask(`${next.url}/mcp?agent=dora`, modernCall(1, "read_inbox"));
    expect(textIn(again.body)).toContain("keep me");
    await next.stop();
  });

  it("turns new requests away with 503 and when to come again, on open connections and new ones, and says that it is not ready", async () => {
    const world = memoryRooms();
    const { end } = world.runs;
    let letGo: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const service = await serveHttp(
      { ...world, runs: { ...world.runs, end: (caller) => held.then(() => end(caller)) } },
      { namespace: "default", version: "0", log: noLog, port: 0 },
    );
    const url = service.url;
    const kept = new Agent({ keepAlive: true, maxSockets: 1 });
    const session = await openSession(`${url}/mcp?agent=anna`, kept);
    const sse = await SseClient.open(url, "anna");
    await ask(`${url}/mcp?agent=anna`, { headers: session, body: toolCall(1, "my_status"), agent: kept });
    const closing = service.close();
    const refused = [
      await ask(`${url}/mcp?agent=anna`, { headers: session, body: toolCall(2, "my_status"), agent: kept }),
      await ask(`${url}/mcp?agent=bert`, { headers: json, body: initialize() }),
      await ask(`${url}/mcp?agent=bert`, modernCall(1, "my_status")),
      await ask(`${url}/sse?agent=bert`, { headers: { accept: "text/event-stream" } }),
      await sse.post(toolCall(1, "my_status")),
    ];
    for (const { status, headers } of refused)
      expect([status, headers["retry-after"], headers.connection]).toEqual([503, "5", "close"]);
    const ready = await ask(`${url}/readyz`);
    expect([ready.status, JSON.parse(ready.body)]).toEqual([503, { ready: false, draining: true }]);
    expect((await ask(`${url}/healthz`)).status).toBe(200);
    letGo();
    await closing;
    expect(world.ended).toHaveLength(1);
    await expect(ask(`${url}/healthz`)).rejects.toThrow();
    kept.destroy();
  });
});
