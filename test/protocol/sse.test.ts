import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type HttpService, serveHttp } from "../../src/http/index.js";
import { Metrics } from "../../src/observability/index.js";
import { ask, message, ServeProcess, SseClient, toolCall } from "../http/raw-http.js";
import { memoryRooms, type World } from "../mcp/memory-rooms.js";
import { noLog } from "../mcp/support.js";
import { connectHttp, connectSse, type TestClient } from "./clients.js";

const unique = (name: string): string => `${name}-${randomBytes(6).toString("hex")}`;

describe("a client that knows only HTTP+SSE", () => {
  const dataDir = mkdtempSync(join(tmpdir(), "mailbox-sse-"));
  const clients: TestClient[] = [];
  let server: ServeProcess;
  beforeAll(async () => {
    server = await ServeProcess.start({
      LLM_MAILBOX_DATA_DIR: dataDir,
      LLM_MAILBOX_ENGINE_IDLE_SECONDS: "2",
    });
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
  });
  afterAll(async () => {
    await server.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });

  async function connect(agent: string): Promise<TestClient> {
    const client = await connectSse(`${server.url}/sse?agent=${agent}`);
    clients.push(client);
    return client;
  }

  it("lists the tools, sends to another such client, which reads it, and they stay apart", async () => {
    const [anna, bert] = [unique("anna"), unique("bert")];
    const [a, b] = await Promise.all([connect(anna), connect(bert)]);
    const { tools } = await a.raw.listTools();
    expect(tools.map((tool) => tool.name)).toContain("read_inbox");
    expect((await a.call("my_status")).text).toContain(`you are ${anna}`);
    expect((await b.call("my_status")).text).toContain(`you are ${bert}`);
    expect((await a.call("send_message", { to: bert, body: "Green?" })).text).toMatch(/^sent \S+ to bert-/);
    const received = await b.call("read_inbox");
    expect(received.text).toContain("Green?");
    expect(received.text).not.toContain("pass it as after");
    expect((await a.call("read_inbox")).text).toBe("nothing new");
    // The reply was handed over, so the next read settles it.
    expect((await b.call("read_inbox")).text).toBe("nothing new");
    expect((await a.call("search_messages", { sent: true })).text).toContain(`${bert} settled`);
  });

  it("waits, while its other calls are answered, and is woken by a client of another transport", async () => {
    const [anna, bert] = [unique("anna"), unique("bert")];
    const [b, a] = await Promise.all([
      connect(bert),
      connectHttp("2026-07-28", `${server.url}/mcp?agent=${anna}`),
    ]);
    clients.push(a);
    const waiting = b.call("read_inbox", { wait_seconds: 30 });
    expect((await b.call("my_status")).text).toContain(bert);
    await a.call("send_message", { to: bert, body: "wake up" });
    expect((await waiting).text).toContain("wake up");
  });

  it("is told of changes to the resources it subscribed to", async () => {
    const [anna, bert] = [unique("anna"), unique("bert")];
    const [a, b] = await Promise.all([connect(anna), connect(bert)]);
    let tell: (uri: string) => void = () => undefined;
    const heard = new Promise<string>((resolve) => {
      tell = resolve;
    });
    await b.follow(["mailbox://inbox"], (uri) => tell(uri));
    await a.call("send_message", { to: bert, body: "x" });
    expect(await heard).toBe("mailbox://inbox");
    expect(JSON.parse(await b.read("mailbox://inbox"))).toMatchObject({ unread: 1 });
  });

  it("that cancels a wait loses nothing", async () => {
    const [anna, bert] = [unique("anna"), unique("bert")];
    const [a, b] = await Promise.all([connect(anna), connect(bert)]);
    await b.call("my_status");
    const cancel = new AbortController();
    const cancelled = b.call("read_inbox", { wait_seconds: 30 }, { signal: cancel.signal });
    cancel.abort();
    await expect(cancelled).rejects.toThrow();
    await a.call("send_message", { to: bert, body: "still yours" });
    expect((await b.call("read_inbox", { wait_seconds: 30 })).text).toContain("still yours");
  });

  it("whose stream is cut while a read is in flight gets the mail with its next stream", async () => {
    const [anna, bert] = [unique("anna"), unique("bert")];
    const a = await connect(anna);
    const b = await SseClient.open(server.url, bert);
    expect((await b.post(toolCall(1, "read_inbox", { wait_seconds: 30 }))).status).toBe(202);
    b.stream.cut();
    await a.call("send_message", { to: bert, body: "do not lose me" });
    const again = await connect(bert);
    expect((await again.call("read_inbox", { wait_seconds: 20 })).text).toContain("do not lose me");
  });

  it("that has read, and whose stream is cut before it reads again, gets the mail again", async () => {
    const [anna, bert] = [unique("anna"), unique("bert")];
    const a = await connect(anna);
    await a.call("send_message", { to: bert, body: "open at a run that is over" });
    const b = await SseClient.open(server.url, bert);
    await b.post(toolCall(1, "read_inbox"));
    expect(await b.answer(1)).toContain("open at a run");
    b.stream.cut();
    const again = await connect(bert);
    expect((await again.call("read_inbox", { wait_seconds: 20 })).text).toMatch(
      /delivery 2(.*\n)*open at a run/,
    );
  });
});

describe("a stream of the two-endpoint transport", () => {
  let world: World;
  let service: HttpService;
  const calls: string[] = [];
  const metrics = {
    registry: new Metrics(),
    calls: { called: (tool: string) => void calls.push(tool), waits: () => () => undefined },
  };
  beforeAll(async () => {
    world = memoryRooms();
    service = await serveHttp(world, {
      namespace: "default",
      version: "0",
      log: noLog,
      port: 0,
      metrics,
      limits: { bodyBytes: 20_000 },
    });
  });
  afterAll(() => service.close());

  const post = (path: string, body: string, headers: Record<string, string> = {}) =>
    ask(`${service.url}${path}`, { headers: { "content-type": "application/json", ...headers }, body });

  it("names an address that cannot be guessed and is no longer there when it has ended", async () => {
    const [one, other] = await Promise.all([
      SseClient.open(service.url, "guess"),
      SseClient.open(service.url, "guess"),
    ]);
    const ids = [one, other].map(({ address }) => new URL(address).searchParams.get("session")!);
    for (const id of ids) expect(id).toMatch(/^[\w-]{32}$/);
    expect(new Set(ids).size).toBe(2);
    one.stream.cut();
    await expect.poll(async () => (await one.post(message(9, "ping"))).status).toBe(404);
    expect((await other.post(message(9, "ping"))).status).toBe(202);
    other.stream.cut();
  });

  it("does not exist for anybody but the one who opened it, and a stranger cannot tell it from one that never was", async () => {
    const owner = await SseClient.open(service.url, "owner");
    const session = new URL(owner.address).searchParams.get("session")!;
    const call = toolCall(1, "my_status");
    const answers = await Promise.all([
      post(`/sse/messages?session=${session}&agent=thief`, call),
      post(`/sse/messages?session=${session}`, call),
      post("/sse/messages?session=never-was&agent=thief", call),
      post("/sse/messages", call),
    ]);
    for (const { status, body } of answers) expect([status, body]).toEqual([404, answers[0]!.body]);
    await owner.post(call);
    expect(await owner.answer(1)).toContain("you are owner");
    owner.stream.cut();
  });

  it("is guarded as /mcp is", async () => {
    const client = await SseClient.open(service.url, "guarded");
    const path = client.address.slice(service.url.length);
    const call = toolCall(1, "my_status");
    expect((await post(path, call, { host: "example.org" })).status).toBe(403);
    expect((await post(path, call, { origin: "https://example.org" })).status).toBe(403);
    expect((await post(path, call, { "content-type": "text/plain" })).status).toBe(415);
    expect((await post(path, "{not json")).status).toBe(400);
    expect((await post(path, '{"no":"message"}')).status).toBe(400);
    expect((await post(path, "x".repeat(20_001))).status).toBe(413);
    expect((await ask(`${service.url}/sse`, { headers: { host: "example.org" } })).status).toBe(403);
    expect((await ask(`${service.url}/sse`, { headers: { origin: "null" } })).status).toBe(403);
    expect((await ask(`${service.url}/sse?agent=a%20b`)).status).toBe(400);
    expect((await ask(`${service.url}/sse`, { headers: { accept: "text/html" } })).status).toBe(406);
    expect((await ask(`${service.url}/sse`, { body: "{}", headers: {} })).status).toBe(405);
    expect((await ask(`${service.url}/sse/messages`)).status).toBe(405);
    client.stream.cut();
  });

  it("tells the fate of what it carried: handed over, or not when it was cut", async () => {
    world.put("fate", { body: "first" });
    const client = await SseClient.open(service.url, "fate");
    await client.post(toolCall(1, "read_inbox"));
    await client.answer(1);
    const told = (): boolean[] =>
      world.confirmations.filter((one) => one.agent === "fate").map((one) => one.reached);
    await world.until(() => told().length === 1);
    expect(told()).toEqual([true]);
    await client.post(toolCall(2, "read_inbox", { wait_seconds: 50 }));
    await world.until(() => world.waiting() === 1);
    client.stream.cut();
    await world.until(() => world.waiting() === 0);
    await world.until(() => world.ended.some((caller) => caller.principal.agent === "fate"));
    expect(told()).toEqual([true]);
  });

  it("counts nothing as read that the client has not taken, and gives it again", async () => {
    world.put("mute", { id: "long", body: "x".repeat(500_000) });
    const mute = await SseClient.open(service.url, "mute", false);
    const inFlight = (): number =>
      Number(/^llm_mailbox_http_calls_in_flight (\d+)$/m.exec(metrics.registry.text())![1]);
    // Until the system takes no more for it.
    for (let n = 1; inFlight() < 5; n++)
      await mute.post(message(n, "resources/read", { uri: "mailbox://messages/long" }));
    const told = () => world.confirmations.filter((one) => one.agent === "mute");
    calls.length = 0;
    await mute.post(toolCall(10_000, "read_inbox"));
    await expect.poll(() => calls.filter((tool) => tool === "read_inbox").length).toBeGreaterThan(0);
    expect(told()).toEqual([]);
    mute.stream.cut();
    await world.until(() => told().length > 0);
    expect(told()).toMatchObject([{ reached: false }]);
    const again = await SseClient.open(service.url, "mute");
    await again.post(toolCall(1, "read_inbox"));
    expect(await again.answer(1)).toContain("delivery 2");
    again.stream.cut();
  });

  it("refuses a second request of an id that has not been answered", async () => {
    const client = await SseClient.open(service.url, "twice");
    await client.post(toolCall(7, "read_inbox", { wait_seconds: 50 }));
    await world.until(() => world.waiting() === 1);
    expect((await client.post(toolCall(7, "my_status"))).status).toBe(400);
    await client.post(message(undefined, "notifications/cancelled", { requestId: 7 }));
    await world.until(() => world.waiting() === 0);
    await client.post(toolCall(7, "my_status"));
    expect(await client.answer(7)).toContain("you are twice");
    client.stream.cut();
  });

  it("is kept alive by comments", async () => {
    const client = await SseClient.open(service.url, "quiet");
    await client.stream.until(/^: keepalive$/m);
    client.stream.cut();
  });
});
