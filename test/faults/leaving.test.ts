import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const engines = ["embedded", "redis-server"] as const;

/** `llm-mailbox stdio` as a client sees it, every line of its stdout kept as it came. */
class Served {
  readonly child: ChildProcessWithoutNullStreams;
  readonly lines: string[] = [];
  readonly ended: Promise<number | null>;
  stderr = "";

  constructor(env: Record<string, string>, agent = "anna") {
    this.child = spawn(process.execPath, [main, "stdio", "--agent", agent], { env });
    this.ended = new Promise((resolve) => this.child.on("exit", (code) => resolve(code)));
    this.child.stdin.on("error", () => undefined);
    createInterface(this.child.stdout).on("line", (line) => this.lines.push(line));
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
  }

  send(message: object): void {
    this.child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  }

  async begin(): Promise<void> {
    const clientInfo = { name: "raw", version: "1" };
    this.send({
      id: 0,
      method: "initialize",
      params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo },
    });
    this.send({ method: "notifications/initialized" });
    await this.answer(0);
  }

  call(id: number, name: string, input: object): void {
    this.send({ id, method: "tools/call", params: { name, arguments: input } });
  }

  async answer(id: number): Promise<string> {
    for (const until = Date.now() + 15_000; Date.now() < until; await delay(5)) {
      const line = this.lines.find((one) => (JSON.parse(one) as { id?: number }).id === id);
      if (line) return line;
    }
    throw new Error(`no answer to ${id}: ${this.stderr}`);
  }
}

describe.each(engines)("a server on the %s engine that is left", (engine) => {
  const dataDir = mkdtempSync(join(tmpdir(), "mailbox-leaving-"));
  const env = {
    PATH: process.env.PATH!,
    HOME: process.env.HOME!,
    LLM_MAILBOX_DATA_DIR: dataDir,
    LLM_MAILBOX_ENGINE: engine,
    LLM_MAILBOX_ENGINE_IDLE_SECONDS: "3",
  };
  let watcher: Served;
  beforeAll(async () => {
    watcher = new Served(env, "watcher");
    await watcher.begin();
    watcher.call(1, "my_status", {});
    await watcher.answer(1);
  });
  afterAll(async () => {
    watcher.child.kill("SIGKILL");
    await watcher.ended;
    rmSync(dataDir, { recursive: true, force: true });
  });

  /** Processes that know this data directory, by the command they run; the watcher and its engine left out. */
  const others = (): string[] =>
    readdirSync("/proc")
      .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== watcher.child.pid && Number(pid) !== process.pid)
      .map((pid) => `${commandOf(pid)} ${environmentOf(pid)}`)
      .filter((text) => text.includes(dataDir))
      .filter((text) => !/ supervise |redis-server|valkey-server/.test(text));

  const runsInStore = async (): Promise<string[]> => {
    const claim = JSON.parse(readFileSync(join(dataDir, "supervisor.lock"), "utf8")) as {
      facts: { socketPath: string };
    };
    const redis = new Redis({ path: claim.facts.socketPath });
    const runs = await redis.hkeys("{default:dir}:runs");
    redis.disconnect();
    return runs.filter((run) => !run.startsWith("watcher/"));
  };

  const ways: [string, (served: Served) => void][] = [
    ["stdin is closed", (served) => served.child.stdin.end()],
    ["it gets SIGTERM", (served) => void served.child.kill("SIGTERM")],
    ["it gets SIGINT", (served) => void served.child.kill("SIGINT")],
    [
      "its client stops reading and hangs up",
      (served) => {
        served.child.stdout.pause();
        for (let id = 100; id < 140; id++) served.call(id, "read_inbox", { message_id: "x".repeat(90) });
        served.child.stdin.end();
      },
    ],
    [
      "its client stops reading and it gets SIGTERM",
      (served) => {
        served.child.stdout.pause();
        for (let id = 100; id < 400; id++) served.send({ id, method: "tools/list" });
        served.child.kill("SIGTERM");
      },
    ],
  ];

  it.each(ways)(
    "is gone within 5 s when %s, in the middle of calls, and only the shared engine is left",
    async (_, leave) => {
      const served = new Served(env);
      await served.begin();
      served.call(1, "send_message", { to: ["anna"], body: "to myself" });
      served.call(2, "my_status", {});
      await served.answer(2);
      served.call(3, "read_inbox", { wait_seconds: 50, sender: "watcher" });
      await delay(50);
      const leftAt = Date.now();
      leave(served);
      const gone = await Promise.race([served.ended.then(() => true), delay(8_000).then(() => false)]);
      const tookMs = Date.now() - leftAt;
      served.child.kill("SIGKILL");
      expect(gone).toBe(true);
      expect(tookMs).toBeLessThan(5_000);
      expect(others()).toEqual([]);
      expect(await runsInStore()).toEqual([]);
      for (const line of served.lines) expect(JSON.parse(line)).toMatchObject({ jsonrpc: "2.0" });
    },
  );

  it("leaves what it had open to the agent's next run", async () => {
    const first = new Served(env, "bert");
    await first.begin();
    watcher.call(10, "send_message", { to: ["bert"], body: "for whoever is bert" });
    await watcher.answer(10);
    first.call(1, "read_inbox", {});
    expect(await first.answer(1)).toContain("for whoever is bert");
    first.child.stdin.end();
    await first.ended;
    const next = new Served(env, "bert");
    await next.begin();
    next.call(1, "read_inbox", {});
    expect(await next.answer(1)).toContain("for whoever is bert");
    next.child.stdin.end();
    await next.ended;
  });

  it("writes nothing but frames to stdout, at log level debug, through refusals and a bug of ours", async () => {
    const served = new Served({ ...env, LLM_MAILBOX_LOG_LEVEL: "debug" }, "carl");
    await served.begin();
    served.child.stdin.write("this is no JSON\n");
    served.call(1, "send_message", { to: ["carl"], body: "x" });
    await served.answer(1);
    // A value of another type under a key of ours makes the script fail as only a defect would.
    await spoil(dataDir);
    served.call(2, "read_inbox", {});
    expect(await served.answer(2)).toMatch(/internal: something went wrong on our side/);
    served.call(3, "read_inbox", { limit: 0 });
    served.call(4, "no_such_tool", {});
    await Promise.all([served.answer(3), served.answer(4)]);
    served.child.stdin.end();
    await served.ended;
    expect(served.stderr).toMatch(/WRONGTYPE/);
    expect(served.lines.length).toBeGreaterThanOrEqual(5);
    for (const line of served.lines) expect(JSON.parse(line)).toMatchObject({ jsonrpc: "2.0" });
  });

  it("leaves nothing at all once the last one has gone and the idle time is over", async () => {
    watcher.child.stdin.end();
    await watcher.ended;
    const left = (): string[] =>
      readdirSync("/proc")
        .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
        .map((pid) => commandOf(pid))
        .filter((text) => text.includes(dataDir));
    for (const until = Date.now() + 15_000; left().length > 0 && Date.now() < until; ) await delay(50);
    expect(left()).toEqual([]);
    expect(existsSync(join(dataDir, "supervisor.lock"))).toBe(false);
  });
});

async function spoil(dataDir: string): Promise<void> {
  const claim = JSON.parse(readFileSync(join(dataDir, "supervisor.lock"), "utf8")) as {
    facts: { socketPath: string };
  };
  const redis = new Redis({ path: claim.facts.socketPath });
  await redis.del("{default:mb:carl}:meta");
  await redis.set("{default:mb:carl}:runs", "not a hash");
  redis.disconnect();
}

function commandOf(pid: string): string {
  return read(`/proc/${pid}/cmdline`);
}

function environmentOf(pid: string): string {
  return read(`/proc/${pid}/environ`);
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1").replaceAll("\0", " ");
  } catch {
    return ""; // it has ended meanwhile
  }
}
