import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { PassThrough } from "node:stream";
import { afterAll, describe, expect, it } from "vitest";
import { type HttpService, serveHttp } from "../../src/http/index.js";
import { relayStdio } from "../../src/mcp/index.js";
import { main } from "../cli/command-line.js";
import { memoryRooms, type World } from "../mcp/memory-rooms.js";
import { noLog } from "../mcp/support.js";
import { connectStdio, type Era, eras, type TestClient } from "./clients.js";
import { loadedBy, tellingLoads } from "./loaded-modules.js";

/** A server that can go away and come back at its port, as one that is restarted does. */
class Restartable {
  readonly world: World = memoryRooms({ waitingEveryMs: 50 });
  readonly port: number;
  #service: HttpService | undefined;

  private constructor(port: number) {
    this.port = port;
  }

  static async start(): Promise<Restartable> {
    const probe = createServer();
    const port = await listenOn(probe, 0);
    await new Promise((resolve) => probe.close(resolve));
    const server = new Restartable(port);
    await server.start();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    this.#service = await serveHttp(this.world, {
      namespace: "default",
      version: "1.2.3",
      log: noLog,
      port: this.port,
    });
  }

  async stop(): Promise<void> {
    await this.#service?.close();
    this.#service = undefined;
  }
}

function listenOn(server: Server, port: number): Promise<number> {
  return new Promise((resolve) =>
    server.listen(port, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)),
  );
}

/** The tests wait more than they do, so they run beside each other: whatever they opened is closed after the last. */
const closing: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function restartable(): Promise<Restartable> {
  const server = await Restartable.start();
  closing.push(() => server.stop());
  return server;
}

const command = (url: string, ...more: string[]) => ({
  command: process.execPath,
  args: [main, "stdio", "--server", url, ...more],
  env: { PATH: process.env.PATH!, HOME: process.env.HOME! },
});

async function client(era: Era, url: string, agent = "anna"): Promise<TestClient> {
  const connected = await connectStdio(era, command(url, "--agent", agent));
  closing.push(() => connected.close());
  return connected;
}

/** A relay seen from outside: its frames, and its end. */
class Relay {
  readonly child: ChildProcessWithoutNullStreams;
  readonly frames: { id?: unknown; method?: string; result?: object; error?: { message: string } }[] = [];
  readonly lines: string[] = [];
  stderr = "";

  constructor(args: readonly string[], env: Record<string, string> = {}) {
    this.child = spawn(process.execPath, [main, "stdio", ...args], {
      env: { PATH: process.env.PATH!, HOME: process.env.HOME!, ...env },
    });
    this.child.stdin.on("error", () => undefined);
    this.child.stderr.on("data", (text) => {
      this.stderr += String(text);
    });
    createInterface(this.child.stdout).on("line", (line) => {
      this.lines.push(line);
      this.frames.push(JSON.parse(line));
      this.child.emit("frame");
    });
    closing.push(async () => this.child.kill("SIGKILL"));
  }

  send(message: object): void {
    this.child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  }

  call(id: number, name: string, input: object): void {
    this.send({ id, method: "tools/call", params: { name, arguments: input } });
  }

  async open(): Promise<void> {
    const params = {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "raw", version: "1" },
    };
    this.send({ id: 0, method: "initialize", params });
    this.send({ method: "notifications/initialized" });
    await this.reply(0);
  }

  async reply(id: number): Promise<Relay["frames"][number]> {
    for (;;) {
      const found = this.frames.find((frame) => frame.id === id && !frame.method);
      if (found) return found;
      await once(this.child, "frame");
    }
  }

  async text(id: number): Promise<string> {
    const { result, error } = await this.reply(id);
    return (
      error?.message ?? (result as { content: { text: string }[] }).content.map(({ text }) => text).join("\n")
    );
  }
}

describe.concurrent.each(eras)("a client of %s behind a relay", (era) => {
  it("goes on after its server was restarted, without noticing", async () => {
    const server = await restartable();
    const { call, raw } = await client(era, server.url);
    expect((await call("my_status")).text).toContain("you are anna");
    await server.stop();
    await server.start();
    server.world.put("anna", { body: "sent meanwhile" });
    expect((await call("read_inbox")).text).toContain("sent meanwhile");
    expect((await raw.listTools()).tools.length).toBeGreaterThan(5);
  });

  it("is told of changes again after its server was restarted, and that some may have been missed", async () => {
    const server = await restartable();
    const { call, follow } = await client(era, server.url);
    await call("my_status");
    const told: string[] = [];
    let wake: () => void = () => undefined;
    const next = (): Promise<void> =>
      new Promise((resolve) => {
        wake = resolve;
      });
    await follow(["mailbox://inbox"], (uri) => {
      told.push(uri);
      wake();
    });
    let update = next();
    server.world.put("anna", {});
    await update;
    await server.stop();
    update = next();
    await server.start();
    await update;
    const before = told.length;
    update = next();
    await server.world.until(() => server.world.watchers() === 1);
    server.world.put("anna", {});
    await update;
    expect(told.length).toBeGreaterThan(before);
  });

  it("gets a refusal in bounded time while its server is away, and a tool list as soon as it is back", async () => {
    const server = await restartable();
    const { call, raw } = await client(era, server.url);
    await call("my_status");
    await server.stop();
    const started = Date.now();
    const refused = await call("send_message", { to: "bob", body: "x" });
    expect(refused.isError).toBe(true);
    expect(refused.text).toBe(
      `server.unavailable: the mailbox server at ${server.url} cannot be reached; nothing was done. Try again in a few seconds; if it stays away, tell the operator.`,
    );
    expect(Date.now() - started).toBeLessThan(15_000);
    const list = raw.listTools();
    await server.start();
    expect((await list).tools.length).toBeGreaterThan(5);
  });

  it("without a name gets its own, made unique", async () => {
    const { url } = await restartable();
    const names = await Promise.all(
      [1, 2].map(async () => {
        const connected = await connectStdio(era, command(url), "Some Client");
        closing.push(() => connected.close());
        return (await connected.call("my_status")).text.match(/^you are (\S+)/)![1]!;
      }),
    );
    for (const name of names) expect(name).toMatch(/^some-client-[0-9a-f]{6}$/);
    expect(new Set(names).size).toBe(2);
  });

  it("that cancels a wait ends it at the server, and loses no message", async () => {
    const server = await restartable();
    const { call } = await client(era, server.url);
    const cancel = new AbortController();
    const waiting = call("read_inbox", { wait_seconds: 50 }, { signal: cancel.signal });
    await server.world.until(() => server.world.waiting() === 1);
    cancel.abort();
    await expect(waiting).rejects.toThrow();
    await server.world.until(() => server.world.waiting() === 0);
    server.world.put("anna", { body: "still yours" });
    expect((await call("read_inbox")).text).toContain("still yours");
  });
});

describe.concurrent("a call whose answer is lost", () => {
  /** Answers the handshake, and hangs up on every call of a tool once it has read it. */
  async function faithless(): Promise<{ url: string; calls: string[] }> {
    const calls: string[] = [];
    const server = createServer((request, response) => {
      if (request.method !== "POST") {
        response.writeHead(405).end();
        return;
      }
      let body = "";
      request.on("data", (chunk) => {
        body += String(chunk);
      });
      request.on("end", () => {
        const { id, method } = JSON.parse(body) as { id?: number; method: string };
        if (id === undefined) response.writeHead(202).end();
        else if (method === "initialize") {
          const result = {
            protocolVersion: "2025-06-18",
            capabilities: {},
            serverInfo: { name: "x", version: "1" },
          };
          response.writeHead(200, { "content-type": "application/json", "mcp-session-id": "s" });
          response.end(JSON.stringify({ jsonrpc: "2.0", id, result }));
        } else {
          calls.push(method);
          request.socket.destroy();
        }
      });
    });
    const port = await listenOn(server, 0);
    closing.push(() => new Promise((resolve) => server.close(resolve)));
    return { url: `http://127.0.0.1:${port}`, calls };
  }

  it("is not made again, and is told as an unknown outcome with its key", async () => {
    const { url, calls } = await faithless();
    const relay = new Relay(["--server", url]);
    await relay.open();
    relay.call(1, "send_message", { to: "bob", body: "x", idempotency_key: "job-17" });
    expect(await relay.text(1)).toBe(
      "server.outcome_unknown: the connection to the mailbox server broke before it answered, so the call may or may not have been done. Repeat it only with the same idempotency_key (job-17): it will not be done twice.",
    );
    relay.call(2, "send_message", { to: "bob", body: "x" });
    expect(await relay.text(2)).toMatch(
      /^server\.outcome_unknown: .* if it changes nothing: it had no idempotency_key, .*search_messages/,
    );
    expect(calls).toEqual(["tools/call", "tools/call"]);
  });

  it("is made again where twice is the same as once, for a bounded time", async () => {
    const { url, calls } = await faithless();
    const relay = new Relay(["--server", url]);
    await relay.open();
    relay.send({ id: 1, method: "tools/list" });
    expect(await relay.text(1)).toMatch(/^server\.unavailable: /);
    expect(calls.length).toBeGreaterThan(1);
  });
});

describe.concurrent("a server that takes a call and never answers", () => {
  it("is given up after the time the call may wait and a little more, in each era", async () => {
    const server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => {
        body += String(chunk);
      });
      request.on("end", () => {
        const { id, method } = JSON.parse(body || "{}") as { id?: number; method?: string };
        if (method !== "initialize") return;
        const result = {
          protocolVersion: "2025-06-18",
          capabilities: {},
          serverInfo: { name: "x", version: "1" },
        };
        response.writeHead(200, { "content-type": "application/json" });
        response.end(JSON.stringify({ jsonrpc: "2.0", id, result }));
      });
    });
    const port = await listenOn(server, 0);
    closing.push(
      async () => server.close(),
      async () => server.closeAllConnections(),
    );
    const [stdin, stdout] = [new PassThrough(), new PassThrough()];
    const replies = createInterface(stdout)[Symbol.asyncIterator]();
    const ended = relayStdio({
      url: new URL(`http://127.0.0.1:${port}/mcp`),
      version: "1.2.3",
      log: noLog,
      quietMs: 200,
      reachMs: 500,
      stdin,
      stdout,
    });
    const ask = async (
      id: number,
      method: string,
      params: object,
    ): Promise<{ took: number; told: string }> => {
      const from = Date.now();
      stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
      const told = String((await replies.next()).value);
      expect(JSON.parse(told)).toMatchObject({ jsonrpc: "2.0", id });
      return { took: Date.now() - from, told };
    };
    await ask(0, "initialize", {});
    const wait = { name: "read_inbox", arguments: { wait_seconds: 1 } };
    const _meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28" };
    for (const params of [wait, { ...wait, _meta }]) {
      const { took, told } = await ask(1, "tools/call", params);
      expect(told).toContain("server.outcome_unknown");
      expect(took).toBeGreaterThanOrEqual(1_200);
      expect(took).toBeLessThan(5_000);
    }
    const { took, told } = await ask(2, "prompts/list", {});
    expect(told).toContain("server.unavailable");
    expect(took).toBeLessThan(5_000);
    stdin.end();
    await ended;
  });
});

describe.concurrent("the token of a relay", () => {
  it("goes with every request as bearer token, and its refusal names the setting and not the token", async () => {
    const seen = new Set<string | undefined>();
    const server = createServer((request, response) => {
      seen.add(request.headers.authorization);
      response.writeHead(401, { "content-type": "text/plain" }).end("who are you?");
    });
    const port = await listenOn(server, 0);
    closing.push(() => new Promise((resolve) => server.close(resolve)));
    const relay = new Relay(["--server", `http://127.0.0.1:${port}`], { LLM_MAILBOX_TOKEN: "mb_secret" });
    relay.send({ id: 0, method: "initialize", params: {} });
    const told = await relay.text(0);
    expect(told).toMatch(/^server\.refused: .* status 401; nothing was done\. .*LLM_MAILBOX_TOKEN/);
    expect(told).not.toContain("mb_secret");
    expect([...seen]).toEqual(["Bearer mb_secret"]);
  });

  it("does not leave the machine in clear unless the operator says so", async () => {
    const relay = new Relay(["--server", "http://mail.example.org"], { LLM_MAILBOX_TOKEN: "mb_secret" });
    expect((await once(relay.child, "exit"))[0]).toBe(2);
    expect(relay.stderr).toMatch(/config\.invalid: --server .* could be read on the way/);
    expect(relay.stderr).not.toContain("mb_secret");
  });
});

describe.concurrent("the process of a relay", () => {
  it.each([
    ["stdin ends", (relay: Relay) => void relay.child.stdin.end()],
    ["SIGTERM", (relay: Relay) => void relay.child.kill("SIGTERM")],
    ["SIGINT", (relay: Relay) => void relay.child.kill("SIGINT")],
    [
      "stdout breaks",
      (relay: Relay) => {
        relay.child.stdout.destroy();
        relay.send({ id: 9, method: "tools/list" });
      },
    ],
  ])("is gone within 5 s when %s in the middle of a wait, and its session has ended", async (_, end) => {
    const { url, world } = await restartable();
    const relay = new Relay(["--server", url, "--agent", "anna"]);
    await relay.open();
    relay.call(1, "read_inbox", { wait_seconds: 50 });
    await world.until(() => world.waiting() === 1);
    const from = Date.now();
    const exit = once(relay.child, "exit");
    end(relay);
    expect(await exit).toEqual([0, null]);
    expect(Date.now() - from).toBeLessThan(5_000);
    await world.until(() => world.waiting() === 0 && world.ended.length === 1);
    for (const line of relay.lines) expect(JSON.parse(line)).toMatchObject({ jsonrpc: "2.0" });
  });

  it("is gone within 5 s although its server hangs", async () => {
    const server = createServer(() => undefined);
    const port = await listenOn(server, 0);
    closing.push(
      async () => server.closeAllConnections(),
      async () => server.close(),
    );
    const relay = new Relay(["--server", `http://127.0.0.1:${port}`]);
    relay.send({ id: 0, method: "initialize", params: {} });
    await once(server, "request");
    const from = Date.now();
    relay.child.stdin.end();
    expect(await once(relay.child, "exit")).toEqual([0, null]);
    expect(Date.now() - from).toBeLessThan(5_000);
  });

  it("writes nothing but frames to stdout, whatever it is sent", async () => {
    const { url } = await restartable();
    const relay = new Relay(["--server", url]);
    relay.child.stdin.write('not json\n{}\n[]\nnull\n\n{"jsonrpc":"1.0","id":1,"method":"x"}\n\u0000\n');
    await relay.open();
    relay.send({ id: 1, method: "no/such" });
    relay.call(2, "read_inbox", { limit: "x" });
    relay.send({ id: 3, method: "resources/read", params: { uri: "mailbox://topics/%ff" } });
    const _meta = {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientInfo": { name: "raw", version: "1" },
      "io.modelcontextprotocol/clientCapabilities": {},
    };
    relay.send({ id: 4, method: "no/such", params: { _meta } });
    await Promise.all([1, 2, 3, 4].map((id) => relay.reply(id)));
    for (const id of [1, 4]) expect((await relay.reply(id)).error).toMatchObject({ code: -32601 });
    for (const line of relay.lines) expect(JSON.parse(line)).toMatchObject({ jsonrpc: "2.0" });
  });

  it("answers a handshake that nobody hears with what is missing, in bounded time", async () => {
    const { url, stop } = await (async () => {
      const server = await Restartable.start();
      return { url: server.url, stop: () => server.stop() };
    })();
    await stop();
    const relay = new Relay(["--server", url]);
    const from = Date.now();
    relay.send({ id: 0, method: "initialize", params: {} });
    expect(await relay.text(0)).toMatch(/^server\.unavailable: /);
    expect(Date.now() - from).toBeLessThan(15_000);
  });

  it("loads nothing of the store", async () => {
    const { url } = await restartable();
    const relay = new Relay(["--server", url], { NODE_OPTIONS: tellingLoads });
    await relay.open();
    relay.call(1, "my_status", {});
    await relay.reply(1);
    relay.child.stdin.end();
    await once(relay.child, "exit");
    const { sources, packages } = loadedBy(relay.stderr);
    expect(sources).toContain("src/mcp/relay.ts");
    const ofTheStore = /^src\/(redis|mailbox|topics|agents|compose)/;
    expect(sources.filter((source) => ofTheStore.test(source))).toEqual([]);
    expect(packages).toContain("pino");
    const theirs = /^(ioredis|js-redis-server|@modelcontextprotocol\/.*|zod)$/;
    expect(packages.filter((name) => theirs.test(name))).toEqual([]);
  });
});
