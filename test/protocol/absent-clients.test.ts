import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { type House, openHouse } from "../../src/compose.js";
import { readConfig } from "../../src/config/index.js";
import { type HttpService, serveHttp } from "../../src/http/index.js";
import { openLog } from "../../src/observability/index.js";
import { main } from "../cli/command-line.js";
import { noLog } from "../mcp/support.js";
import { startStore, type TestStore } from "../stores/index.js";
import { connectHttp, type Era, eras, type TestClient } from "./clients.js";

/** Clients of a server, in processes of their own that are killed: what the server makes of it. */
describe.each(eras)("a client of %s that is killed", (era) => {
  let store: TestStore;
  let house: House;
  let service: HttpService;
  const clients: TestClient[] = [];
  const processes: ChildProcess[] = [];
  beforeAll(async () => {
    store = await startStore("embedded");
    house = await openHouse(
      readConfig({ REDIS_URL: store.url, LLM_MAILBOX_ALLOW_UNVERIFIED: "1" }),
      openLog("error"),
      { locks: { deadOfferMs: 200 } },
    );
    service = await serveHttp(house.rooms, {
      ...{ namespace: "default", version: "0", log: noLog, port: 0 },
      patience: { absentAfterMs: 300, goneAfterMs: 1_500 },
      limits: { streamsPerAgent: 2 },
    });
  });
  afterEach(async () => {
    for (const process of processes.splice(0)) process.kill("SIGKILL");
    await Promise.all(clients.splice(0).map((client) => client.close()));
  });
  afterAll(async () => {
    await service?.close();
    await house?.close();
    await store?.stop();
  });
  const connect = async (agent: string, headers: Record<string, string> = {}): Promise<TestClient> => {
    const client = await connectHttp(era, `${service.url}/mcp?agent=${agent}`, "Test Client", headers);
    clients.push(client);
    return client;
  };
  const relay = (agent?: string): Relay => {
    const relay = new Relay(era, service.url, agent);
    processes.push(relay.child);
    return relay;
  };
  const idIn = (text: string): string => /lk-[0-9a-z]{12}/.exec(text)![0];
  const isQueued = async (client: TestClient, agent: string): Promise<void> =>
    void (await vi.waitFor(
      async () => expect((await client.call("list_locks")).text).toContain(`waits: ${agent}`),
      { timeout: 10_000 },
    ));

  it("behind a relay, while it waits: the next one has the lock within seconds", {
    timeout: 60_000,
  }, async () => {
    const [anna, ben] = [await connect("anna"), await connect("ben")];
    const dead = relay("dead");
    const held = await anna.call("acquire_lock", { resources: "x" });
    dead.call("acquire_lock", { resources: "x", wait_seconds: 50 });
    await isQueued(anna, "dead");
    const waiting = ben.call("acquire_lock", { resources: "x", wait_seconds: 20 });
    await isQueued(anna, "ben");
    dead.child.kill("SIGKILL");
    await anna.call("release_lock", { lock_id: idIn(held.text) });
    expect((await waiting).text).toMatch(/^yours until /);
    await ben.call("release_lock", { lock_id: idIn((await waiting).text) });
  });

  it("behind a relay, while it thinks: what it held is free soon, and told to the next run", {
    timeout: 60_000,
  }, async () => {
    const ben = await connect("ben");
    const dead = relay("lost");
    const held = await dead.call("acquire_lock", { resources: "y" });
    expect(held).toMatch(/^yours until /);
    dead.child.kill("SIGKILL");
    expect((await ben.call("acquire_lock", { resources: "y", wait_seconds: 20 })).text).toMatch(
      /^yours until /,
    );
    const next = relay("lost");
    expect(await next.call("my_status", {})).toContain(
      `lock: ${idIn(held)} ("y") is lost, which an earlier run of yours held`,
    );
  });

  it("behind a relay that lives nothing is taken, however long it thinks", { timeout: 60_000 }, async () => {
    const ben = await connect("ben");
    const thinking = relay("thinker");
    expect(await thinking.call("acquire_lock", { resources: "z" })).toMatch(/^yours until /);
    const other = await ben.call("acquire_lock", { resources: "z", wait_seconds: 3 });
    expect(other.text).toContain('"z": held by thinker until ');
  });

  it("behind a relay takes nothing from another client of its agent that thinks", {
    timeout: 60_000,
  }, async () => {
    const [ben, direct, dead, ended] = [
      await connect("ben"),
      await connect("both"),
      relay("both"),
      relay("both"),
    ];
    await Promise.all([dead.call("my_status", {}), ended.call("my_status", {})]);
    await direct.call("acquire_lock", { resources: "v" });
    dead.child.kill("SIGKILL");
    ended.child.stdin!.end();
    const other = await ben.call("acquire_lock", { resources: "v", wait_seconds: 4 });
    expect(other.text).toContain('"v": held by both until ');
  });

  it("without a name takes nothing from others whose relays found no room for a lifeline", {
    timeout: 60_000,
  }, async () => {
    const ben = await connect("ben");
    const relays = [relay(), relay(), relay()];
    for (const [n, one] of relays.entries())
      expect(await one.call("acquire_lock", { resources: `u${n}` })).toMatch(/^yours until /);
    relays[0]!.child.kill("SIGKILL");
    const asked = relays.map((_, n) => ben.call("acquire_lock", { resources: `u${n}`, wait_seconds: 4 }));
    const words = (await Promise.all(asked)).map(({ text }) => text.slice(0, 5));
    expect(words).toEqual(["yours", "not y", "not y"]);
  });

  it("without a stream is there however long it thinks, whatever its headers say", {
    timeout: 60_000,
  }, async () => {
    const [ben, thinking] = [await connect("ben"), await connect("says", { "mailbox-lifeline": "kept" })];
    await thinking.call("acquire_lock", { resources: "t" });
    const other = await ben.call("acquire_lock", { resources: "t", wait_seconds: 4 });
    expect(other.text).toContain('"t": held by says until ');
  });

  it("without a relay, while it waits: the next one has the lock within seconds", {
    timeout: 60_000,
  }, async () => {
    const [anna, ben] = [await connect("anna"), await connect("ben")];
    const dead = await connectHttp(era, `${service.url}/mcp?agent=cut`);
    const held = await anna.call("acquire_lock", { resources: "w" });
    const cut = dead.call("acquire_lock", { resources: "w", wait_seconds: 50 }).catch(() => undefined);
    await isQueued(anna, "cut");
    const waiting = ben.call("acquire_lock", { resources: "w", wait_seconds: 20 });
    await isQueued(anna, "ben");
    // Nothing is said to the server: its connections end as those of a dead process do.
    await dead.raw.close();
    await cut;
    await anna.call("release_lock", { lock_id: idIn(held.text) });
    expect((await waiting).text).toMatch(/^yours until /);
  });
});

/** Cuts a connection as what stands between the two may do: for one side it is over, and to the other nothing is said. */
describe.concurrent("a relay whose server alone sees that they are cut", () => {
  it("is there again before it is taken for dead, however long it thinks", { timeout: 90_000 }, async ({
    expect,
  }) => {
    const store = await startStore("embedded");
    const house = await openHouse(
      readConfig({ REDIS_URL: store.url, LLM_MAILBOX_ALLOW_UNVERIFIED: "1" }),
      openLog("error"),
    );
    const goneAfterMs = 22_000;
    const service = await serveHttp(house.rooms, {
      ...{ namespace: "default", version: "0", log: noLog, port: 0, patience: { goneAfterMs } },
    });
    const between = await Between.open(service.port);
    const relays = eras.map((era) => new Relay(era, between.url, `cut-${era}`));
    const client = await connectHttp("2026-07-28", `${service.url}/mcp?agent=ben`);
    try {
      for (const [n, one] of relays.entries())
        expect(await one.call("acquire_lock", { resources: `cut-${n}` })).toMatch(/^yours until /);
      await vi.waitFor(() => expect(between.open).toBe(2));
      between.cutAtServer();
      await delay(goneAfterMs + 1_000);
      for (const n of relays.keys())
        expect((await client.call("acquire_lock", { resources: `cut-${n}` })).text).toContain("held by cut-");
    } finally {
      for (const { child } of relays) child.kill("SIGKILL");
      between.close();
      await client.close();
      await service.close();
      await house.close();
      await store.stop();
    }
  });
});

describe.concurrent("a relay that begins before its server", () => {
  it("is seen to die as any other", { timeout: 90_000 }, async ({ expect }) => {
    const store = await startStore("embedded");
    const house = await openHouse(
      readConfig({ REDIS_URL: store.url, LLM_MAILBOX_ALLOW_UNVERIFIED: "1" }),
      openLog("error"),
    );
    const early = createServer().listen(0, "127.0.0.1");
    await once(early, "listening");
    const { port } = early.address() as AddressInfo;
    await new Promise((resolve) => early.close(resolve));
    const relay = new Relay("2026-07-28", `http://127.0.0.1:${port}`, "early");
    expect(await relay.call("my_status", {})).toContain("server.unavailable");
    // It tries every five seconds by now, and would leave off with the next of them if it tried as a call does.
    await delay(6_000);
    const service = await serveHttp(house.rooms, {
      ...{ namespace: "default", version: "0", log: noLog, port },
      patience: { absentAfterMs: 300, goneAfterMs: 1_500 },
    });
    const client = await connectHttp("2026-07-28", `${service.url}/mcp?agent=ben`);
    try {
      expect(await relay.call("acquire_lock", { resources: "x" })).toMatch(/^yours until /);
      await delay(6_000);
      relay.child.kill("SIGKILL");
      const next = await client.call("acquire_lock", { resources: "x", wait_seconds: 20 });
      expect(next.text).toMatch(/^yours until /);
    } finally {
      relay.child.kill("SIGKILL");
      await client.close();
      await service.close();
      await house.close();
      await store.stop();
    }
  });
});

/** A client of the 2026 era may come to another process with each request, and its lifeline too. */
describe.concurrent("a relay whose lifeline has come to another server", () => {
  it("keeps what it has at the first for as long as it lives, and no longer", {
    timeout: 120_000,
  }, async () => {
    const store = await startStore("embedded");
    const settings = readConfig({ REDIS_URL: store.url, LLM_MAILBOX_ALLOW_UNVERIFIED: "1" });
    const houses = [await openHouse(settings, openLog("error")), await openHouse(settings, openLog("error"))];
    const goneAfterMs = 18_000;
    const services = await Promise.all(
      houses.map((house) =>
        serveHttp(house.rooms, {
          ...{ namespace: "default", version: "0", log: noLog, port: 0, patience: { goneAfterMs } },
        }),
      ),
    );
    const between = await Between.open(services[0]!.port);
    const relay = new Relay("2026-07-28", between.url, "moved");
    const client = await connectHttp("2026-07-28", `${services[0]!.url}/mcp?agent=ben`);
    try {
      expect(await relay.call("acquire_lock", { resources: "x" })).toMatch(/^yours until /);
      between.port = services[1]!.port;
      between.cut();
      await delay(goneAfterMs + 1_000);
      expect((await client.call("acquire_lock", { resources: "x" })).text).toContain("held by moved until ");
      relay.child.kill("SIGKILL");
      const next = await client.call("acquire_lock", { resources: "x", wait_seconds: 50 });
      expect(next.text).toMatch(/^yours until /);
    } finally {
      relay.child.kill("SIGKILL");
      between.close();
      await client.close();
      for (const service of services) await service.close();
      for (const house of houses) await house.close();
      await store.stop();
    }
  });
});

/** What carries connections to a server, and may lose one, or the half of one. */
class Between {
  readonly url: string;
  /** Where those that come from now on are carried to. */
  port: number;
  readonly #server: Server;
  readonly #pairs = new Map<Socket, Socket>();
  readonly #halves: Socket[] = [];

  static async open(port: number): Promise<Between> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Between(server, port);
  }

  constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("connection", (client) => {
      const there = connect({ port: this.port, host: "127.0.0.1" });
      this.#pairs.set(client, there);
      for (const socket of [client, there])
        socket
          .on("error", () => undefined)
          .on("close", () => {
            if (!this.#pairs.delete(client)) return;
            client.destroy();
            there.destroy();
          });
      client.on("data", (chunk) => there.write(chunk));
      there.on("data", (chunk) => client.write(chunk));
    });
  }

  get open(): number {
    return this.#pairs.size;
  }

  cut(): void {
    for (const client of [...this.#pairs.keys()]) client.destroy();
  }

  cutAtServer(): void {
    for (const [client, there] of [...this.#pairs]) {
      this.#pairs.delete(client);
      this.#halves.push(client);
      there.destroy();
    }
  }

  close(): void {
    this.#server.close();
    for (const socket of [...this.#halves, ...this.#pairs.keys()]) socket.destroy();
  }
}

/** A relay in its own process, whose frames are written by hand so that nothing is said when it dies. */
class Relay {
  readonly child: ChildProcess;
  readonly #replies = new Map<number, (text: string) => void>();
  readonly #era: Era;
  #asked = 0;

  constructor(era: Era, url: string, agent?: string) {
    this.#era = era;
    const named = agent === undefined ? [] : ["--agent", agent];
    const child = spawn(process.execPath, [main, "stdio", "--server", url, ...named], {
      env: { PATH: process.env.PATH, HOME: process.env.HOME },
      stdio: ["pipe", "pipe", "ignore"],
    });
    child.stdin.on("error", () => undefined);
    createInterface(child.stdout).on("line", (line) => {
      const { id, result } = JSON.parse(line) as { id?: number; result?: { content?: { text: string }[] } };
      const text = result?.content?.map((block) => block.text).join("\n");
      if (id !== undefined) this.#replies.get(id)?.(text ?? "");
    });
    this.child = child;
    if (era !== "2025-11-25") return;
    const clientInfo = { name: "raw", version: "1" };
    this.#send({
      id: ++this.#asked,
      method: "initialize",
      params: { protocolVersion: era, capabilities: {}, clientInfo },
    });
    this.#send({ method: "notifications/initialized" });
  }

  call(name: string, input: object): Promise<string> {
    const id = ++this.#asked;
    const _meta = {
      "io.modelcontextprotocol/protocolVersion": this.#era,
      "io.modelcontextprotocol/clientInfo": { name: "raw", version: "1" },
      "io.modelcontextprotocol/clientCapabilities": {},
    };
    const isModern = this.#era !== "2025-11-25";
    this.#send({ id, method: "tools/call", params: { name, arguments: input, ...(isModern && { _meta }) } });
    return new Promise((resolve) => this.#replies.set(id, resolve));
  }

  #send(message: object): void {
    this.child.stdin!.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  }
}
