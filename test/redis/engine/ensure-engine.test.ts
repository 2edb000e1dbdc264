import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { afterEach, describe, expect, it } from "vitest";
import {
  type Engine,
  type EngineChoice,
  EngineError,
  ensureEngine,
} from "../../../src/redis/engine/index.js";
import { storeNames } from "../../stores/index.js";

const supervisor = fileURLToPath(new URL("./supervisor-process.mjs", import.meta.url));
const ensurer = fileURLToPath(new URL("./ensure-process.mjs", import.meta.url));
const idleMs = 700;

const directories: string[] = [];
const clients: Redis[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  for (const directory of directories.splice(0)) {
    await gone(directory);
    rmSync(directory, { recursive: true, force: true });
  }
});

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "mailbox-engine-"));
  directories.push(directory);
  return directory;
}

function ensure(
  dataDir: string,
  engine: EngineChoice,
  log: (event: string) => void = () => {},
): Promise<Engine> {
  return ensureEngine({ dataDir, engine, idleMs, supervisorCommand: [process.execPath, supervisor], log });
}

function connect(engine: Engine): Redis {
  const client = new Redis({ path: engine.socketPath, retryStrategy: () => null });
  client.on("error", () => {}); // a command says what went wrong
  clients.push(client);
  return client;
}

function supervisorOf(dataDir: string): number {
  return JSON.parse(readFileSync(join(dataDir, "supervisor.lock"), "utf8")).owner.pid;
}

/** Processes whose command line names the directory: supervisors and servers. */
function processesOf(dataDir: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(dataDir);
      } catch {
        return false;
      }
    })
    .map(Number);
}

async function gone(dataDir: string): Promise<void> {
  while (processesOf(dataDir).length > 0) await delay(50);
}

async function killed(pid: number): Promise<void> {
  process.kill(pid, "SIGKILL");
  const state = (): string => {
    try {
      return readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]![0]!;
    } catch {
      return "gone";
    }
  };
  while (!["gone", "Z"].includes(state())) await delay(5);
}

const kinds = storeNames.filter((name) => name !== "redis-cluster") as ("embedded" | "redis-server")[];

describe.each(kinds)("the local engine (%s)", (kind) => {
  it("is one for sixteen processes that want it at once", async () => {
    const dataDir = newDirectory();
    const children = Array.from({ length: 16 }, () =>
      spawn(process.execPath, [ensurer, dataDir, kind, supervisor], { stdio: ["pipe", "pipe", "inherit"] }),
    );
    const answers = await Promise.all(
      children.map(async (child) => JSON.parse(String((await once(child.stdout, "data"))[0]))),
    );
    expect(new Set(answers.map(({ socketPath }) => socketPath)).size).toBe(1);
    expect(answers.map(({ count }) => count).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 16 }, (_, i) => i + 1),
    );
    const engines = processesOf(dataDir).filter((pid) => !children.some((child) => child.pid === pid));
    expect(engines).toHaveLength(kind === "embedded" ? 1 : 2);
    for (const child of children) child.stdin.end();
    await Promise.all(children.map((child) => child.exitCode ?? once(child, "exit")));
  });

  it("says what it is, in a directory for its owner alone", async () => {
    const dataDir = join(newDirectory(), "new", "place");
    const engine = await ensure(dataDir, kind);
    expect(engine.kind).toBe(kind);
    expect(engine.label).toMatch(
      kind === "embedded" ? /^embedded engine$/ : /^redis-server \d+\.\d+\.\d+ \(\/.+\)$/,
    );
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
    expect(statSync(engine.socketPath).mode & 0o077).toBe(0);
  });

  it("starts no process when it already runs", async () => {
    const dataDir = newDirectory();
    connect(await ensure(dataDir, kind));
    const events: string[] = [];
    await ensure(dataDir, kind, (event) => events.push(event));
    expect(events).toEqual([]);
  });

  it("comes back with what it had answered when it was killed", async () => {
    const dataDir = newDirectory();
    const before = connect(await ensure(dataDir, kind));
    await before.set("kept", "yes");
    const pid =
      kind === "embedded" ? supervisorOf(dataDir) : Number(readFileSync(join(dataDir, "engine.pid"), "utf8"));
    await killed(pid);
    if (kind === "embedded") expect(existsSync(join(dataDir, "engine.sock"))).toBe(true); // nobody listens on it
    const after = connect(await ensure(dataDir, kind));
    expect(await after.get("kept")).toBe("yes");
  });

  it("is supervised again after its supervisor was killed, and still ends when idle", async () => {
    const dataDir = newDirectory();
    await connect(await ensure(dataDir, kind)).set("kept", "yes");
    const first = supervisorOf(dataDir);
    await killed(first);
    const again = connect(await ensure(dataDir, kind));
    expect(await again.get("kept")).toBe("yes");
    while (supervisorOf(dataDir) === first) await delay(10);
    again.disconnect();
    for (const client of clients) client.disconnect();
    await gone(dataDir);
    expect(existsSync(join(dataDir, "engine.sock"))).toBe(false);
  });

  it("starts over what a crash left: socket, claims and start lock of processes that are gone", async () => {
    const dataDir = newDirectory();
    const left = createServer().listen(join(dataDir, "left.sock"));
    await once(left, "listening");
    execFileSync("cp", ["-a", join(dataDir, "left.sock"), join(dataDir, "engine.sock")]);
    left.close();
    const dead = JSON.stringify({
      owner: { pid: 4_000_000, startedAt: "1", host: hostOfClaims() },
      facts: {},
    });
    for (const name of ["start.lock", "supervisor.lock", "start.lock.removing"])
      writeFileSync(join(dataDir, name), dead);
    const client = connect(await ensure(dataDir, kind));
    expect(await client.ping()).toBe("PONG");
  });

  it("takes no one for the holder of a lock who merely has the process number", async () => {
    const dataDir = newDirectory();
    const reused = JSON.stringify({
      owner: { pid: process.pid, startedAt: "1", host: hostOfClaims() },
      facts: {},
    });
    for (const name of ["start.lock", "supervisor.lock"]) writeFileSync(join(dataDir, name), reused);
    const client = connect(await ensure(dataDir, kind));
    expect(await client.ping()).toBe("PONG");
  });

  it("stays while someone is connected, and leaves no process, socket or lock when idle", async () => {
    const dataDir = newDirectory();
    const client = connect(await ensure(dataDir, kind));
    const pid = supervisorOf(dataDir);
    await delay(idleMs * 2);
    expect(await client.ping()).toBe("PONG");
    expect(supervisorOf(dataDir)).toBe(pid);
    client.disconnect();
    await gone(dataDir);
    const left = readdirSync(dataDir).filter((name) => /sock|lock|pid/.test(name));
    expect(left).toEqual([]);
    expect(await connect(await ensure(dataDir, kind)).ping()).toBe("PONG");
  });

  it("ends when its data directory is taken away", async () => {
    const dataDir = newDirectory();
    connect(await ensure(dataDir, kind));
    rmSync(dataDir, { recursive: true });
    await gone(dataDir);
    expect(processesOf(dataDir)).toEqual([]);
  });

  it("ends in order when told to, losing nothing", async () => {
    const dataDir = newDirectory();
    await connect(await ensure(dataDir, kind)).set("kept", "yes");
    process.kill(supervisorOf(dataDir), "SIGTERM");
    await gone(dataDir);
    expect(await connect(await ensure(dataDir, "auto")).get("kept")).toBe("yes");
  });

  it("refuses a directory that another kind of engine wrote, and says what to do", async () => {
    const dataDir = newDirectory();
    await ensure(dataDir, kind);
    const other = kind === "embedded" ? "redis-server" : "embedded";
    const refused = ensure(dataDir, other);
    await expect(refused).rejects.toThrow(EngineError);
    await expect(refused).rejects.toThrow(`LLM_MAILBOX_ENGINE=${kind}, or use another data directory`);
    expect((await ensure(dataDir, "auto")).kind).toBe(kind);
  });

  it("is known by its files when the record of it was lost", async () => {
    const dataDir = newDirectory();
    await connect(await ensure(dataDir, kind)).set("kept", "yes");
    process.kill(supervisorOf(dataDir), "SIGTERM");
    await gone(dataDir);
    rmSync(join(dataDir, "engine.json"));
    await expect(ensure(dataDir, kind === "embedded" ? "redis-server" : "embedded")).rejects.toThrow(
      `LLM_MAILBOX_ENGINE=${kind}`,
    );
    expect(await connect(await ensure(dataDir, "auto")).get("kept")).toBe("yes");
  });

  it("lets the server that runs unreachable end before another starts on its files", async () => {
    const dataDir = newDirectory();
    const client = connect(await ensure(dataDir, kind));
    await client.set("kept", "yes");
    await killed(supervisorOf(dataDir));
    rmSync(join(dataDir, "engine.sock"), { force: true });
    const again = connect(await ensure(dataDir, kind));
    expect(await again.get("kept")).toBe("yes");
    expect(processesOf(dataDir)).toHaveLength(kind === "embedded" ? 1 : 2);
  });

  it("listens on a short path when that of the directory is too long for a socket", async () => {
    const dataDir = join(newDirectory(), "x".repeat(100));
    const engine = await ensure(dataDir, kind);
    expect(Buffer.byteLength(engine.socketPath)).toBeLessThan(100);
    expect(statSync(join(engine.socketPath, "..")).mode & 0o777).toBe(0o700);
    expect(await connect(engine).ping()).toBe("PONG");
    expect((await ensure(dataDir, kind)).socketPath).toBe(engine.socketPath);
  });
});

describe("a local engine that cannot be", () => {
  it("is refused at once when a newer format is recorded", async () => {
    const dataDir = newDirectory();
    writeFileSync(join(dataDir, "engine.json"), JSON.stringify({ format: 2, kind: "embedded" }));
    await expect(ensure(dataDir, "auto")).rejects.toThrow(/newer llm-mailbox/);
  });

  it("is refused when only a server of another family could read the files", async () => {
    const dataDir = newDirectory();
    writeFileSync(
      join(dataDir, "engine.json"),
      JSON.stringify({ format: 1, kind: "redis-server", family: "valkey", version: "8.0.1" }),
    );
    await expect(ensure(dataDir, "auto")).rejects.toThrow(/valkey-server 8\.0\.1.*another data directory/);
  });

  it("is told with the reason from its log when its journal is damaged", async () => {
    const dataDir = newDirectory();
    mkdirSync(join(dataDir, "journal"));
    writeFileSync(join(dataDir, "journal", "base-3.bin"), "nothing of ours");
    await expect(ensure(dataDir, "embedded")).rejects.toThrow(
      /did not start .*engine\.log\):\n.*base-3\.bin is damaged/,
    );
  });
});

/** As process-identity.ts writes it; a claim from elsewhere would be judged by its age. */
function hostOfClaims(): string {
  const dataDir = newDirectory();
  const script = `
    import { tryClaim } from ${JSON.stringify(new URL("../../../dist/redis/engine/claim.js", import.meta.url).href)};
    tryClaim(process.argv[1]);`;
  execFileSync(process.execPath, ["--input-type=module", "-e", script, join(dataDir, "claim")]);
  return JSON.parse(readFileSync(join(dataDir, "claim"), "utf8")).owner.host;
}
