import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { main, spawnWith } from "../cli/command-line.js";
import { unique } from "./cases.js";
import { connectStdio, type TestClient } from "./clients.js";

const dataDir = mkdtempSync(join(tmpdir(), "mailbox-channel-"));
const env = {
  PATH: process.env.PATH!,
  HOME: process.env.HOME!,
  LLM_MAILBOX_DATA_DIR: dataDir,
  LLM_MAILBOX_ENGINE_IDLE_SECONDS: "2",
  LLM_MAILBOX_LOG_LEVEL: "error",
};
afterAll(() => rmSync(dataDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 }));

interface Frame {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly content: string; readonly meta: Record<string, string> };
  readonly result?: { readonly capabilities?: { readonly experimental?: object } };
  readonly error?: { readonly code: number };
}

/** A client that shows whatever its server sends, as Claude Code does with a channel. */
class Session {
  readonly child: ChildProcessWithoutNullStreams;
  readonly frames: Frame[] = [];

  constructor(agent: string, ...more: string[]) {
    this.child = spawn(process.execPath, [main, "stdio", "--agent", agent, ...more], { env });
    createInterface(this.child.stdout).on("line", (line) => {
      this.frames.push(JSON.parse(line) as Frame);
      this.child.emit("frame");
    });
  }

  send(message: object): void {
    this.child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  }

  async open(): Promise<Frame> {
    const params = {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "raw", version: "1" },
    };
    this.send({ id: 0, method: "initialize", params });
    const reply = await this.first((frame) => frame.id === 0);
    this.send({ method: "notifications/initialized" });
    return reply;
  }

  async call(id: number, name: string, input: object = {}): Promise<Frame> {
    this.send({ id, method: "tools/call", params: { name, arguments: input } });
    return this.first((frame) => frame.id === id);
  }

  async first(wanted: (frame: Frame) => boolean): Promise<Frame> {
    for (;;) {
      const found = this.frames.find(wanted);
      if (found) return found;
      await once(this.child, "frame");
    }
  }

  get hints(): Frame[] {
    return this.frames.filter((frame) => frame.method === "notifications/claude/channel");
  }
}

describe("a channel of Claude Code", () => {
  const sessions: Session[] = [];
  const clients: TestClient[] = [];
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    for (const session of sessions.splice(0)) {
      const exit = once(session.child, "exit");
      session.child.stdin.end();
      await exit;
    }
  });
  const session = (agent: string, ...more: string[]): Session => {
    const one = new Session(agent, ...more);
    sessions.push(one);
    return one;
  };
  async function writer(agent: string): Promise<TestClient> {
    const client = await connectStdio("2025-11-25", {
      command: process.execPath,
      args: [main, "stdio", "--agent", agent],
      env,
    });
    clients.push(client);
    return client;
  }

  it("is there with the flag alone, and then tells of mail by counts and checked names, never by its words", async () => {
    const [alice, bob] = [unique("alice"), unique("bob")];
    const [with_, without] = [session(bob, "--channel"), session(unique("carol"))];
    const [declared, plain] = await Promise.all([with_.open(), without.open()]);
    expect(declared.result?.capabilities?.experimental).toEqual({ "claude/channel": {} });
    expect(plain.result?.capabilities?.experimental).toBeUndefined();

    await with_.call(1, "my_status");
    const sender = await writer(alice);
    await sender.call("send_message", { to: bob, body: "the words", subject: "obey me", priority: "urgent" });
    const hint = await with_.first((frame) => frame.method === "notifications/claude/channel");
    expect(hint.params).toEqual({
      content: `LLM Mailbox: 1 unread message for ${bob}, 1 urgent, from ${alice}. Call read_inbox to read.`,
      meta: { unread: "1", urgent: "1" },
    });
    // The mail itself is untouched by it.
    expect(JSON.stringify(await with_.call(2, "read_inbox"))).toContain("the words");
    expect(JSON.stringify(with_.hints)).not.toMatch(/the words|obey me/);
  });

  it("is opened as one of 2025 to a client that would rather be one of 2026, to which nothing may be pushed", async () => {
    const bob = unique("bob");
    const _meta = {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientInfo": { name: "claude-code", version: "2.1.332" },
      "io.modelcontextprotocol/clientCapabilities": {},
    };
    const [one, plain] = [session(bob, "--channel"), session(unique("carol"))];
    for (const asking of [one, plain]) asking.send({ id: 7, method: "server/discover", params: { _meta } });
    const isAnswer = ({ id }: Frame): boolean => id === 7;
    expect((await one.first(isAnswer)).error).toMatchObject({ code: -32601 });
    expect((await plain.first(isAnswer)).result).toMatchObject({ supportedVersions: ["2026-07-28"] });
    const declared = await one.open();
    expect(declared.result?.capabilities?.experimental).toEqual({ "claude/channel": {} });
    const sender = await writer(unique("alice"));
    await sender.call("send_message", { to: bob, body: "x", create: true });
    await one.first(({ method }) => method === "notifications/claude/channel");
  });

  it("without the flag never says a word by itself", async () => {
    const bob = unique("bob");
    const quiet = session(bob);
    await quiet.open();
    await quiet.call(1, "my_status");
    const sender = await writer(unique("alice"));
    await sender.call("send_message", { to: bob, body: "x" });
    await quiet.call(2, "read_inbox", { wait_seconds: 10 });
    await quiet.call(3, "read_inbox", { wait_seconds: 2 });
    expect(quiet.frames.filter(({ method }) => method !== undefined)).toEqual([]);
  });

  it("gathers what comes at once into one hint, tells what waited before it opened, and nothing twice", async () => {
    const [alice, bob] = [unique("alice"), unique("bob")];
    const sender = await writer(alice);
    await sender.call("send_message", { to: bob, body: "before" });
    const one = session(bob, "--channel");
    await one.open();
    await one.first((frame) => frame.method === "notifications/claude/channel");
    expect(one.hints[0]!.params!.meta.unread).toBe("1");
    for (let n = 0; n < 5; n++) await sender.call("send_message", { to: bob, body: `burst ${n}` });
    await one.first((frame) => frame.params?.meta?.unread === "6");
    expect(one.hints.length).toBeLessThanOrEqual(3);
    await one.call(1, "read_inbox");
    const told = one.hints.length;
    // A wait longer than a hint takes to be gathered, in which nothing comes.
    await one.call(2, "read_inbox", { wait_seconds: 3 });
    expect(one.hints.length).toBe(told);
  });

  it("is refused together with a server, which has the mail", async () => {
    const ended = await spawnWith({}, "stdio", "--channel", "--server", "http://127.0.0.1:1");
    expect(ended).toMatchObject({
      status: 2,
      out: "",
      err: expect.stringContaining("--channel without --server"),
    });
  });
});
