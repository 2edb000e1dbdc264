import { request } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type HttpService, serveHttp } from "../../src/http/index.js";
import { memoryRooms, type World } from "../mcp/memory-rooms.js";
import { noLog } from "../mcp/support.js";
import { connectHttp } from "./clients.js";

const options = { namespace: "default", version: "0.0.0", log: noLog, port: 0 };
let world: World;
let service: HttpService;

beforeAll(async () => {
  world = memoryRooms();
  service = await serveHttp(world, {
    ...options,
    limits: { bodyBytes: 100_000 },
    ready: async () => ({ ready: world.ended.length < 10_000, store: "memory" }),
  });
});
afterAll(() => service.close());

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

function ask(
  path: string,
  headers: Record<string, string> = {},
  body?: string,
  method = body ? "POST" : "GET",
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(`${service.url}${path}`, { method, headers }, (answer) => {
      let text = "";
      answer.on("data", (chunk) => {
        text += String(chunk);
      });
      answer.on("end", () => resolve({ status: answer.statusCode!, headers: answer.headers, body: text }));
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

const mcp = { "content-type": "application/json", accept: "application/json, text/event-stream" };
const initialize = JSON.stringify({
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "raw", version: "1" } },
});

async function open(agent: string): Promise<Record<string, string>> {
  const answer = await ask(`/mcp?agent=${agent}`, mcp, initialize);
  expect(answer.status).toBe(200);
  return { ...mcp, "mcp-session-id": String(answer.headers["mcp-session-id"]) };
}

function toolCall(id: number, name: string, input: object): string {
  return JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: input } });
}

function modernCall(name: string, input: object, meta: object = {}): string {
  return JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: {
      name,
      arguments: input,
      _meta: {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { name: "raw", version: "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
        ...meta,
      },
    },
  });
}

const modern = (name: string) => ({
  ...mcp,
  "mcp-protocol-version": "2026-07-28",
  "mcp-method": "tools/call",
  "mcp-name": name,
});

function textIn(body: string): string {
  const json = body.startsWith("{") ? body : body.match(/^data: (\{.*"(?:result|error)".*)$/m)![1]!;
  const { result } = JSON.parse(json) as { result: { content: { text: string }[] } };
  return result.content.map((block) => block.text).join("\n");
}

/** A call whose client closes the connection as soon as `when` resolves. */
async function abandon(
  path: string,
  headers: Record<string, string>,
  body: string,
  when: () => Promise<void>,
): Promise<void> {
  const asked = request(`${service.url}${path}`, { method: "POST", headers });
  asked.on("error", () => undefined);
  asked.end(body);
  await when();
  asked.destroy();
}

describe("the listener", () => {
  it.each(["0.0.0.0", "::", "192.168.1.5", "example.org", "127.0.0.1.example.org", ""])(
    "refuses to bind %j, and says why",
    async (host) => {
      await expect(serveHttp(world, { ...options, host })).rejects.toThrow(
        /^config\.invalid: --host is not a loopback address, and no credential is asked for here/,
      );
    },
  );

  it("says that a port is taken", async () => {
    await expect(serveHttp(world, { ...options, port: service.port })).rejects.toThrow(
      `config.invalid: --port ${service.port} is taken`,
    );
  });

  it("tells that it lives, and whether it can serve", async () => {
    expect(await ask("/healthz")).toMatchObject({ status: 200, body: '{"status":"ok"}' });
    expect(await ask("/readyz")).toMatchObject({ status: 200, body: '{"ready":true,"store":"memory"}' });
    const notReady = await serveHttp(world, {
      ...options,
      ready: async () => ({ ready: false, store: "away" }),
    });
    const answer = await fetch(`${notReady.url}/readyz`);
    expect([answer.status, await answer.json()]).toEqual([503, { ready: false, store: "away" }]);
    await notReady.close();
  });

  it.each(["example.org", "127.0.0.1.example.org:7678", "localhost.example.org", "10.0.0.1", "a b"])(
    "refuses a request for host %j",
    async (host) => {
      for (const path of ["/mcp", "/healthz"])
        expect((await ask(path, { host })).status).toBeGreaterThanOrEqual(400);
      expect((await ask("/healthz", { host })).body).not.toContain("ok");
    },
  );

  it.each(["localhost:1", "127.0.0.1", "[::1]:99"])("accepts a request for host %j", async (host) => {
    expect((await ask("/healthz", { host })).status).toBe(200);
  });

  it.each(["https://example.org", "null", "http://localhost.example.org", "chrome-extension://abc", "x"])(
    "refuses the pages of origin %j",
    async (origin) => {
      expect((await ask("/mcp?agent=x", { ...mcp, origin }, initialize)).status).toBe(403);
    },
  );

  it("accepts a page of this machine", async () => {
    expect((await ask("/mcp?agent=x", { ...mcp, origin: "http://localhost:3000" }, initialize)).status).toBe(
      200,
    );
  });

  it("refuses a body over the limit, announced or not, and takes one at the limit", async () => {
    const fill = (bytes: number): string =>
      initialize.replace('"raw"', `"raw${"x".repeat(bytes - initialize.length)}"`);
    expect((await ask("/mcp?agent=x", mcp, fill(100_000))).status).toBe(200);
    expect((await ask("/mcp?agent=x", mcp, fill(100_001))).status).toBe(413);
    expect(
      (await ask("/mcp?agent=x", { ...mcp, "transfer-encoding": "chunked" }, fill(100_001))).status,
    ).toBe(413);
  });

  it("answers what is not MCP with what is wrong", async () => {
    expect((await ask("/mcp", mcp, "{not json")).status).toBe(400);
    expect((await ask("/mcp", { ...mcp, "content-type": "text/plain" }, initialize)).status).toBe(415);
    expect((await ask("/mcp", mcp, undefined, "PUT")).status).toBe(405);
    expect((await ask("/mcp?agent=a%20b", mcp, initialize)).body).toContain("input.invalid: agent");
    expect((await ask("/mcp?agent=everyone", mcp, initialize)).status).toBe(400);
    expect((await ask("/mcp?agent=x", mcp, toolCall(1, "my_status", {}))).body).toContain("initialize first");
    expect((await ask("/else")).status).toBe(404);
  });

  it("stops gracefully: waits end, runs end, connections close", async () => {
    const own = memoryRooms();
    const other = await serveHttp(own, options);
    const clients = await Promise.all([
      connectHttp("2025-11-25", `${other.url}/mcp?agent=anna`),
      connectHttp("2026-07-28", `${other.url}/mcp?agent=berta`),
    ]);
    const waits = clients.map((client) =>
      client.call("read_inbox", { wait_seconds: 50 }).catch(() => "ended"),
    );
    await clients[1]!.follow(["mailbox://inbox"], () => undefined);
    await own.until(() => own.waiting() === 2);
    const started = Date.now();
    await other.close();
    expect(Date.now() - started).toBeLessThan(4_000);
    expect(own.waiting()).toBe(0);
    expect(own.ended.map((caller) => caller.principal.agent).sort()).toEqual(["anna", "berta"]);
    expect(own.watchers()).toBe(0);
    await Promise.all(clients.map((client) => client.raw.close()));
    await Promise.all(waits);
  });

  it("survives a client that sends half a request and leaves", async () => {
    const socket = connect(service.port, "127.0.0.1");
    await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
    socket.write(`POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{`);
    socket.destroy();
    expect((await ask("/healthz")).status).toBe(200);
  });
});

describe("a session", () => {
  it("does not exist for anybody but the one who opened it", async () => {
    const headers = await open("owner");
    const call = toolCall(1, "my_status", {});
    expect(textIn((await ask("/mcp?agent=owner", headers, call)).body)).toContain("you are owner");
    for (const other of ["/mcp?agent=thief", "/mcp"]) {
      expect((await ask(other, headers, call)).status).toBe(404);
      expect((await ask(other, headers, undefined, "DELETE")).status).toBe(404);
      expect((await ask(other, { ...headers, accept: "text/event-stream" })).status).toBe(404);
    }
    expect((await ask("/mcp?agent=owner", headers, call)).status).toBe(200);
  });

  it("ends with DELETE, and its run with it", async () => {
    const headers = await open("leaver");
    await ask("/mcp?agent=leaver", headers, toolCall(1, "my_status", {}));
    expect((await ask("/mcp?agent=leaver", headers, undefined, "DELETE")).status).toBe(200);
    await world.until(() => world.ended.some((caller) => caller.principal.agent === "leaver"));
    expect((await ask("/mcp?agent=leaver", headers, toolCall(2, "my_status", {}))).status).toBe(404);
  });

  it("without a name in the address is its client's, made unique", async () => {
    const names = await Promise.all(
      [1, 2].map(async () => {
        const client = await connectHttp("2025-11-25", `${service.url}/mcp`, "Some Client");
        const { text } = await client.call("my_status");
        await client.close();
        return text.match(/^you are (\S+)/)![1]!;
      }),
    );
    for (const name of names) expect(name).toMatch(/^some-client-[0-9a-f]{6}$/);
    expect(new Set(names).size).toBe(2);
  });

  it("that nobody uses ends after a while, but not while it waits or holds a stream open", async () => {
    const own = memoryRooms();
    const other = await serveHttp(own, { ...options, idleMs: 80 });
    const idle = await connectHttp("2025-11-25", `${other.url}/mcp?agent=idle`);
    const waiting = await connectHttp("2026-07-28", `${other.url}/mcp?agent=waiting`);
    await waiting.call("my_status");
    const reply = waiting.call("read_inbox", { wait_seconds: 50 });
    await idle.call("my_status");
    // The SDK's client holds a stream open as long as it is connected; closed, the session is idle.
    await idle.raw.close();
    await own.until(() => own.ended.some((caller) => caller.principal.agent === "idle"));
    own.put("waiting", { body: "still here" });
    expect((await reply).text).toContain("still here");
    await own.until(() => own.ended.some((caller) => caller.principal.agent === "waiting"));
    expect((await waiting.call("my_status")).text).toContain("you are waiting");
    await waiting.close();
    await other.close();
  });

  it("settles what was read only when the reply was handed over", async () => {
    const headers = await open("reader");
    world.put("reader", { body: "handed over" });
    const reply = await ask("/mcp?agent=reader", headers, toolCall(1, "read_inbox", {}));
    expect(textIn(reply.body)).not.toContain("batch");
    await world.until(() => world.confirmations.some((one) => one.agent === "reader"));
    expect(world.confirmations.filter((one) => one.agent === "reader")).toMatchObject([{ reached: true }]);
  });

  it.each(["session", "stateless"])(
    "a %s client that goes away while it waits takes nothing with it",
    async (kind) => {
      const agent = `gone-${kind}`;
      const path = `/mcp?agent=${agent}`;
      const headers = kind === "session" ? await open(agent) : modern("read_inbox");
      const input = { wait_seconds: 50 };
      const body = kind === "session" ? toolCall(1, "read_inbox", input) : modernCall("read_inbox", input);
      await abandon(path, headers, body, () => world.until(() => world.waiting() === 1));
      await world.until(() => world.waiting() === 0);
      world.put(agent, { body: "for the next read" });
      const next = kind === "session" ? toolCall(2, "read_inbox", {}) : modernCall("read_inbox", {});
      expect(textIn((await ask(path, headers, next)).body)).toContain("for the next read");
    },
  );

  it("a cancelled call frees its stream at once", async () => {
    const headers = await open("canceller");
    const reply = ask("/mcp?agent=canceller", headers, toolCall(7, "read_inbox", { wait_seconds: 50 }));
    await world.until(() => world.waiting() === 1);
    const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 7 } };
    expect((await ask("/mcp?agent=canceller", headers, JSON.stringify(cancel))).status).toBe(202);
    expect((await reply).body).not.toContain('"result"');
    expect(world.waiting()).toBe(0);
  });
});

describe("a client without a session", () => {
  it("is told the batch, and its calls share one run", async () => {
    const read = () => ask("/mcp?agent=free", modern("read_inbox"), modernCall("read_inbox", {}));
    world.put("free", { body: "one" });
    const first = textIn((await read()).body);
    const batch = first.match(/batch (\S+): pass it as after with your next read_inbox/)![1]!;
    world.put("free", { body: "two" });
    const body = modernCall("read_inbox", { after: batch });
    const second = textIn((await ask("/mcp?agent=free", modern("read_inbox"), body)).body);
    expect(second).toContain("two");
    expect(second).not.toContain("one");
    expect(world.begun.filter((principal) => principal.agent === "free")).toHaveLength(1);
    expect(world.confirmations.filter((one) => one.agent === "free")).toEqual([]);
  });

  it("without a name keeps one name through all its calls", async () => {
    const status = () => ask("/mcp", modern("my_status"), modernCall("my_status", {}));
    const names = await Promise.all([status(), status()].map(async (one) => textIn((await one).body)));
    expect(names[0]).toMatch(/^you are raw-[0-9a-f]{6} /);
    expect(names[0]).toBe(names[1]);
  });

  it("may hold 16 streams of updates, and not one more", async () => {
    const client = await connectHttp("2026-07-28", `${service.url}/mcp?agent=hoarder`);
    const stops = [];
    for (let i = 0; i < 16; i++) stops.push(await client.follow(["mailbox://inbox"], () => undefined));
    await expect(client.follow(["mailbox://inbox"], () => undefined)).rejects.toThrow();
    await stops.pop()!();
    await expect
      .poll(async () =>
        client
          .follow(["mailbox://inbox"], () => undefined)
          .then(
            () => "open",
            () => "refused",
          ),
      )
      .toBe("open");
    await client.close();
  });

  it("may keep 16 lifelines beside its streams, and a lifeline that tells something is a stream", async () => {
    const lifeline = { "mailbox-lifeline": "kept" };
    const agent = `${service.url}/mcp?agent=many-relays`;
    const [relay, other] = await Promise.all([
      connectHttp("2026-07-28", agent, "relay", lifeline),
      connectHttp("2026-07-28", agent),
    ]);
    if (!("listen" in relay.raw)) throw new Error("not a modern client");
    for (let n = 0; n < 16; n++) await relay.raw.listen({});
    await expect(relay.raw.listen({})).rejects.toThrow("16 lifelines of this agent are open");
    for (let n = 0; n < 16; n++) await other.follow(["mailbox://inbox"], () => undefined);
    await expect(relay.follow(["mailbox://inbox"], () => undefined)).rejects.toThrow(
      "16 streams of updates of this agent are open",
    );
    await Promise.all([relay.close(), other.close()]);
  });

  it("is told which of the URIs it asked for it can follow", async () => {
    const client = await connectHttp("2026-07-28", `${service.url}/mcp?agent=chooser`);
    if (!("listen" in client.raw)) throw new Error("not a modern client");
    const asked = ["mailbox://inbox", "mailbox://messages/m1", "file:///etc/passwd"];
    const { honoredFilter } = await client.raw.listen({ resourceSubscriptions: asked });
    expect(honoredFilter.resourceSubscriptions).toEqual(["mailbox://inbox"]);
    await client.close();
  });
});
