import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { createInterface } from "node:readline";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { buildMemoryStdio } from "../mcp/built-memory-stdio.js";
import { connectStdio, eras, type TestClient } from "./clients.js";

/** The face as a process of its own; the executable of the package is tried with the store in `two-agents`. */
const { program, folder } = buildMemoryStdio();
const server = { command: process.execPath, args: [program] };
afterAll(() => rmSync(folder, { recursive: true }));

describe.each(eras)("a client of %s over stdio", (era) => {
  const clients: TestClient[] = [];
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
  });
  async function client(env: Record<string, string> = {}, name?: string): Promise<TestClient> {
    const connected = await connectStdio(
      era,
      { ...server, env: { PATH: process.env.PATH!, HOME: process.env.HOME!, ...env } },
      name,
    );
    clients.push(connected);
    return connected;
  }

  it("without a name gets its own, made unique", async () => {
    const [one, two] = await Promise.all([client({}, "Claude Code"), client({}, "Claude Code")]);
    const names = await Promise.all(
      [one, two].map(async ({ call }) => (await call("my_status")).text.match(/^you are (\S+)/)![1]!),
    );
    for (const name of names) expect(name).toMatch(/^claude-code-[0-9a-f]{6}$/);
    expect(new Set(names).size).toBe(2);
  });

  it("keeps its name whatever the client calls itself", async () => {
    const { call } = await client({}, "\u202e{}:*\n".repeat(50));
    expect((await call("my_status")).text).toMatch(/^you are agent-[0-9a-f]{6} /);
  });

  it("is told of new mail it subscribed to, until it unsubscribes", async () => {
    const { call, follow } = await client({ AGENT: "anna" });
    let wake: (uri: string) => void = () => undefined;
    const updates: string[] = [];
    const first = new Promise<string>((resolve) => {
      wake = resolve;
    });
    const stop = await follow(["mailbox://inbox", "mailbox://topics/builds"], (uri) => {
      updates.push(uri);
      wake(uri);
    });
    await call("send_message", { to: "anna", body: "x" });
    expect(await first).toBe("mailbox://inbox");
    await stop();
    await call("send_message", { to: "anna", body: "y" });
    await call("my_status");
    expect(updates).toEqual(["mailbox://inbox"]);
  });
});

/** The process seen from outside: its frames, what it tells of itself, and its end. */
class Process {
  readonly child: ChildProcessWithoutNullStreams;
  readonly stdout: string[] = [];
  readonly events: { event: string; reached?: boolean }[] = [];
  readonly exit: Promise<{ code: number | null; signal: string | null }>;
  readonly #listeners = new Set<() => void>();

  constructor(env: Record<string, string> = {}, readStdout = true) {
    this.child = spawn(server.command, server.args, {
      env: { PATH: process.env.PATH!, HOME: process.env.HOME!, AGENT: "anna", ...env },
    });
    this.exit = new Promise((resolve) => this.child.on("exit", (code, signal) => resolve({ code, signal })));
    this.child.stdin.on("error", () => undefined);
    if (readStdout)
      createInterface(this.child.stdout).on("line", (line) => this.#note(() => this.stdout.push(line)));
    createInterface(this.child.stderr).on("line", (line) => {
      this.#note(() => this.events.push(JSON.parse(line) as { event: string }));
    });
  }

  send(message: object): void {
    this.child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  }

  initialize(): Promise<void> {
    const params = {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "raw", version: "1" },
    };
    this.send({ id: 0, method: "initialize", params });
    this.send({ method: "notifications/initialized" });
    return this.until(() => this.stdout.length > 0);
  }

  call(id: number, name: string, input: object): void {
    this.send({ id, method: "tools/call", params: { name, arguments: input } });
  }

  async until(condition: () => boolean): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (!condition()) return;
        this.#listeners.delete(look);
        resolve();
      };
      this.#listeners.add(look);
    });
  }

  answered(id: number): boolean {
    return this.stdout.some((line) => (JSON.parse(line) as { id?: number }).id === id);
  }

  has(event: string): boolean {
    return this.events.some((one) => one.event === event);
  }

  #note(add: () => void): void {
    add();
    for (const listener of [...this.#listeners]) listener();
  }
}

async function endsWithin(started: number, { exit, child }: Process): Promise<number> {
  const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  const { signal } = await exit;
  clearTimeout(timer);
  expect(signal).toBeNull();
  return Date.now() - started;
}

describe("a process on stdio", () => {
  const ways: [string, (one: Process) => void][] = [
    ["stdin ends", (one) => one.child.stdin.end()],
    ["SIGTERM", (one) => void one.child.kill("SIGTERM")],
    ["SIGINT", (one) => void one.child.kill("SIGINT")],
    ["SIGHUP", (one) => void one.child.kill("SIGHUP")],
    [
      "stdout breaks",
      (one) => {
        one.child.stdout.destroy();
        one.call(9, "my_status", {});
      },
    ],
  ];
  it.each(ways)(
    "is gone within 5 s when %s, in the middle of a wait, and its run has ended",
    async (_, end) => {
      const one = new Process();
      await one.initialize();
      one.call(1, "read_inbox", { wait_seconds: 50 });
      await one.until(() => one.has("begin"));
      const started = Date.now();
      end(one);
      expect(await endsWithin(started, one)).toBeLessThan(5_000);
      expect(one.has("end")).toBe(true);
    },
  );

  it("is gone within 5 s even when the store does not answer to the end of its run", async () => {
    const one = new Process({ NEVER_ENDS: "1" });
    await one.initialize();
    one.call(1, "my_status", {});
    await one.until(() => one.answered(1));
    const started = Date.now();
    one.child.stdin.end();
    expect(await endsWithin(started, one)).toBeLessThan(5_000);
    expect(one.has("warn")).toBe(true);
  });

  it("is gone within 5 s after SIGTERM when its client has stopped reading, and its messages did not count as read", async () => {
    const one = new Process({}, false);
    one.child.stdout.pause();
    one.send({
      id: 0,
      method: "initialize",
      params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "raw", version: "1" } },
    });
    for (let id = 1; id <= 60; id++) {
      one.call(id, "send_message", { to: "anna", body: "x".repeat(11_000) });
      one.call(100 + id, "read_inbox", {});
    }
    // Far more than a pipe holds: some of these replies are not handed over, and never will be.
    await one.until(() => one.events.filter(({ event }) => event === "taken").length >= 40);
    const started = Date.now();
    one.child.kill("SIGTERM");
    expect(await endsWithin(started, one)).toBeLessThan(5_000);
    expect(one.events.some((event) => event.event === "confirm" && event.reached === false)).toBe(true);
    expect(one.has("end")).toBe(true);
  });

  it("counts a batch as read when its reply was handed over, and not when the call was cancelled", async () => {
    const one = new Process();
    await one.initialize();
    one.call(1, "send_message", { to: "anna", body: "first" });
    await one.until(() => one.answered(1));
    one.call(2, "read_inbox", {});
    await one.until(() => one.has("confirm"));
    expect(one.events.find((event) => event.event === "confirm")).toMatchObject({ reached: true });
    one.call(3, "read_inbox", { wait_seconds: 50 });
    one.send({ method: "notifications/cancelled", params: { requestId: 3 } });
    one.call(4, "send_message", { to: "anna", body: "second" });
    one.call(5, "read_inbox", {});
    await one.until(() => one.answered(5));
    expect(one.stdout.join("\n")).toContain("second");
    expect(one.answered(3)).toBe(false);
    one.child.stdin.end();
    await one.exit;
  });

  it("writes nothing but frames to stdout, whatever it is sent", async () => {
    const one = new Process();
    one.child.stdin.write('not json\n{}\n[]\nnull\n\n{"jsonrpc":"1.0","id":1,"method":"x"}\n\u0000\n');
    await one.initialize();
    one.send({ id: 1, method: "no/such" });
    one.send({ id: 2, method: "tools/call", params: { name: 3 } });
    one.send({ id: 3, method: "tools/call", params: { name: "read_inbox", arguments: "x" } });
    one.send({
      id: 4,
      method: "tools/call",
      params: { name: "send_message", arguments: { to: "b", body: "break" } },
    });
    one.send({ id: 5, method: "resources/read", params: { uri: "mailbox://topics/%ff" } });
    await one.until(() => [1, 2, 3, 4, 5].every((id) => one.answered(id)));
    one.child.stdin.end();
    await one.exit;
    for (const line of one.stdout) expect(JSON.parse(line)).toMatchObject({ jsonrpc: "2.0" });
  });
});
