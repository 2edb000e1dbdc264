import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { connectHttp, connectStdio, type Era, eras, type TestClient } from "./clients.js";

/** The executable as it is built, each agent a process of its own, all on the store of one data directory. */
const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const dataDir = mkdtempSync(join(tmpdir(), "mailbox-protocol-"));
const env = {
  PATH: process.env.PATH!,
  LLM_MAILBOX_DATA_DIR: dataDir,
  LLM_MAILBOX_ENGINE_IDLE_SECONDS: "2",
  LLM_MAILBOX_LOG_LEVEL: "error",
};
const clients: TestClient[] = [];

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

async function agent(name: string, era: Era): Promise<TestClient> {
  const client = await connectStdio(era, {
    command: process.execPath,
    args: [main, "stdio", "--agent", name],
    env,
  });
  clients.push(client);
  return client;
}

/** Names far enough from each other that none is taken for a slip of another. */
const unique = (name: string): string => `${name}-${randomBytes(6).toString("hex")}`;
const idIn = (text: string): string => text.match(/[a-z0-9]{10,}-[a-z0-9]{12,}/)![0];

describe.each(eras)("an agent that speaks %s", (era) => {
  const other: Era = era === eras[0] ? eras[1] : eras[0];

  it("wakes one that waits in another process and speaks the other revision, and gets its answer", async () => {
    const [anna, bert] = [unique("anna"), unique("bert")];
    const [a, b] = await Promise.all([agent(anna, era), agent(bert, other)]);
    const waiting = b.call("read_inbox", { wait_seconds: 30 });
    const sent = await a.call("send_message", { to: bert, body: "Is the build green?", ack_required: true });
    expect(sent.text).toMatch(/^sent \S+ to bert-/);
    const received = await waiting;
    expect(received.text).toContain(`from ${anna} (unverified) to ${bert}`);
    expect(received.text).toContain("asks you to reply or call ack_messages");
    expect(received.blocks.at(-1)).toMatch(
      /^<<<untrusted \S+ written by anna-\w+: [^\n]*\nIs the build green\?\nuntrusted \S+>>>$/,
    );
    await b.call("send_message", { to: anna, body: "Yes.", in_reply_to: idIn(received.text) });
    const answer = await a.call("read_inbox", { wait_seconds: 30 });
    expect(answer.text).toContain(`in reply to ${idIn(received.text)}`);
    expect((await a.call("search_messages", { sent: true })).text).toContain(`${bert} settled`);
  });

  it("that is killed with open mail finds it again in its next process", async () => {
    const [anna, bert] = [unique("anna"), unique("bert")];
    const a = await agent(anna, era);
    await a.call("send_message", { to: bert, body: "do not lose me" });
    const child = spawn(process.execPath, [main, "stdio", "--agent", bert], {
      env,
      stdio: ["pipe", "pipe", "ignore"],
    });
    const lines = createInterface(child.stdout);
    const initialize = {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "raw", version: "1" },
    };
    child.stdin.write(
      [
        { jsonrpc: "2.0", id: 0, method: "initialize", params: initialize },
        { jsonrpc: "2.0", method: "notifications/initialized" },
        { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "read_inbox", arguments: {} } },
      ]
        .map((message) => `${JSON.stringify(message)}\n`)
        .join(""),
    );
    for await (const line of lines) if (line.includes("do not lose me")) break;
    child.kill("SIGKILL");
    await once(child, "exit");
    const again = await agent(bert, era);
    expect((await again.call("read_inbox", { wait_seconds: 20 })).text).toMatch(
      /delivery 2(.*\n)*do not lose me/,
    );
  });

  it("reads a long text to its end by the offsets, and it is settled then", async () => {
    const [anna, bert] = [unique("anna"), unique("bert")];
    const [a, b] = await Promise.all([agent(anna, era), agent(bert, era)]);
    const body = Array.from({ length: 5_000 }, (_, i) => `${i} ✓`).join(" ");
    await a.call("send_message", { to: bert, body });
    let read = "";
    let reply = await b.call("read_inbox");
    for (;;) {
      expect(reply.text.length).toBeLessThanOrEqual(12_000);
      read += reply.blocks
        .find((block) => block.startsWith("<<<"))!
        .split("\n")
        .slice(1, -1)
        .join("\n");
      const next = reply.text.match(/read_inbox message_id: (\S+) offset: (\d+)\]/);
      if (!next) break;
      reply = await b.call("read_inbox", { message_id: next[1], offset: Number(next[2]) });
    }
    expect(read).toBe(body);
    expect((await b.call("read_inbox")).text).toBe("nothing new");
    expect((await a.call("search_messages", { sent: true })).text).toContain(`${bert} settled`);
  });

  it("is told of changes that other processes make to what it follows", async () => {
    const [anna, bert] = [unique("anna"), unique("bert")];
    const [a, b] = await Promise.all([agent(anna, other), agent(bert, era)]);
    const topic = unique("builds");
    await a.call("send_message", { to: `topic:${topic}`, body: "first" });
    const updates = new Set<string>();
    let wake: () => void = () => undefined;
    const both = new Promise<void>((resolve) => {
      wake = resolve;
    });
    await b.follow(["mailbox://inbox", `mailbox://topics/${topic}`], (uri) => {
      updates.add(uri);
      if (updates.size === 2) wake();
    });
    await a.call("send_message", { to: bert, body: "to you" });
    await a.call("send_message", { to: `topic:${topic}`, body: "to all" });
    await both;
    expect(await b.read(`mailbox://topics/${topic}`)).toMatch(/first(.*\n)*(.*\n)*to all/);
  });
});

describe("the executable on stdio", () => {
  const started: ChildProcess[] = [];
  afterEach(() => {
    for (const child of started.splice(0)) child.kill("SIGKILL");
  });

  /** A process in the middle of a wait, seen from outside. */
  async function waitingProcess(): Promise<{ child: ChildProcess; stdout: string[] }> {
    const child = spawn(process.execPath, [main, "stdio", "--agent", unique("waiter")], {
      env,
      stdio: "pipe",
    });
    started.push(child);
    child.stdin!.on("error", () => undefined);
    const stdout: string[] = [];
    const lines = createInterface(child.stdout!);
    const initialize = {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "raw", version: "1" },
    };
    const send = (message: object): void =>
      void child.stdin!.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
    send({ id: 0, method: "initialize", params: initialize });
    send({ id: 1, method: "tools/call", params: { name: "my_status", arguments: {} } });
    send({ id: 2, method: "tools/call", params: { name: "read_inbox", arguments: { wait_seconds: 50 } } });
    await new Promise<void>((resolve, reject) => {
      child.once("exit", () => reject(new Error("the process ended before it answered")));
      lines.on("line", (line) => {
        stdout.push(line);
        if (line.includes('"id":1')) resolve();
      });
    });
    return { child, stdout };
  }

  it.each([
    ["stdin ends", (child: ChildProcess) => void child.stdin!.end()],
    ["SIGTERM", (child: ChildProcess) => void child.kill("SIGTERM")],
    ["SIGINT", (child: ChildProcess) => void child.kill("SIGINT")],
    [
      "stdout breaks",
      (child: ChildProcess) => {
        child.stdout!.destroy();
        child.stdin!.write('{"jsonrpc":"2.0","id":9,"method":"tools/list"}\n');
      },
    ],
  ])("is gone within 5 s when %s, and its stdout held nothing but frames", async (_, end) => {
    const { child, stdout } = await waitingProcess();
    const from = Date.now();
    const exit = once(child, "exit");
    end(child);
    expect(await exit).toEqual([0, null]);
    expect(Date.now() - from).toBeLessThan(5_000);
    for (const line of stdout) expect(JSON.parse(line)).toMatchObject({ jsonrpc: "2.0" });
  });
});

describe("the executable over HTTP", () => {
  let server: ChildProcess;
  let url: string;

  beforeAll(async () => {
    server = spawn(process.execPath, [main, "serve", "--port", "0"], {
      env,
      stdio: ["ignore", "ignore", "pipe"],
    });
    url = await new Promise<string>((resolve, reject) => {
      let told = "";
      server.stderr!.on("data", (chunk) => {
        told += String(chunk);
        const found = told.match(/(http:\/\/\S+)\/mcp/);
        if (found) resolve(found[1]!);
      });
      server.once("exit", () => reject(new Error(`the server did not start: ${told}`)));
    });
  });
  afterAll(async () => {
    const exit = once(server, "exit");
    const from = Date.now();
    server.kill("SIGTERM");
    expect(await exit).toEqual([0, null]);
    expect(Date.now() - from).toBeLessThan(5_000);
  });

  it("is ready", async () => {
    const answer = await fetch(`${url}/readyz`);
    expect([answer.status, await answer.json()]).toMatchObject([200, { ready: true, tier: "D2" }]);
  });

  it("exchanges mail between both revisions and an agent on stdio", async () => {
    const names = [unique("old"), unique("new"), unique("local")];
    const all = await Promise.all([
      connectHttp("2025-11-25", `${url}/mcp?agent=${names[0]}`),
      connectHttp("2026-07-28", `${url}/mcp?agent=${names[1]}`),
      agent(names[2]!, "2026-07-28"),
    ]);
    clients.push(all[0], all[1]);
    for (const [i, sender] of all.entries()) {
      const others = names.filter((name) => name !== names[i]);
      expect((await sender.call("send_message", { to: others, body: `from number ${i}` })).text).toMatch(
        /^sent /,
      );
    }
    for (const [i, reader] of all.entries()) {
      const { text } = await reader.call("read_inbox", { wait_seconds: 10 });
      for (const j of [0, 1, 2]) expect(text.includes(`from number ${j}`)).toBe(i !== j);
    }
  });

  it("settles for a client without a session what it names by after, and nothing that it does not name", async () => {
    const [reader, writer] = [unique("reader"), unique("writer")];
    const [r, w] = await Promise.all([
      connectHttp("2026-07-28", `${url}/mcp?agent=${reader}`),
      connectHttp("2025-11-25", `${url}/mcp?agent=${writer}`),
    ]);
    clients.push(r, w);
    const state = async (): Promise<string> =>
      (await w.call("search_messages", { sent: true, recipient: reader })).text;
    await w.call("send_message", { to: reader, body: "one" });
    const batch = (await r.call("read_inbox")).text.match(/batch (\S+): pass it as after/)![1]!;
    await r.call("read_inbox");
    expect(await state()).toContain(`${reader} read`);
    await r.call("read_inbox", { after: batch });
    expect(await state()).toContain(`${reader} settled`);
  });

  it("refuses to listen for other machines", async () => {
    const refused = spawn(process.execPath, [main, "serve", "--host", "0.0.0.0", "--port", "0"], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let told = "";
    refused.stderr.on("data", (chunk) => {
      told += String(chunk);
    });
    expect((await once(refused, "exit"))[0]).toBe(2);
    expect(told).toMatch(/config\.invalid: --host is not a loopback address/);
  });
});
