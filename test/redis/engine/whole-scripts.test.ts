import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Script, Store } from "../../../src/redis/index.js";

const program = fileURLToPath(new URL("../../stores/embedded-process.mjs", import.meta.url));

let dataDir: string;
let engine: ChildProcess | undefined;
const clients: { disconnect?: () => void; close?: () => void }[] = [];

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "mailbox-whole-"));
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect ? client.disconnect() : client.close?.();
  if (engine && engine.exitCode === null && engine.signalCode === null) {
    engine.kill("SIGKILL");
    await once(engine, "exit");
  }
  rmSync(dataDir, { recursive: true, force: true });
});

const socketPath = (): string => join(dataDir, "engine.sock");

/** @param fuel instructions after which a script is ended; without it, what the engine allows */
async function start(fuel = ""): Promise<ChildProcess> {
  engine = spawn(process.execPath, [program, dataDir, socketPath(), "", fuel]);
  for await (const text of engine.stdout!) if (String(text).includes("ready")) break;
  return engine;
}

function connect(): Redis {
  const client = new Redis({ path: socketPath(), retryStrategy: () => null, protocol: 2 });
  client.on("error", () => {}); // a command says what went wrong
  clients.push(client);
  return client;
}

const turning = "for _ = 1, tonumber(ARGV[1]) do local _ = 1 end";

describe("a script on the embedded engine", () => {
  it("may take much more than the ten million instructions that its runtime allows as shipped", async () => {
    await start();
    expect(await connect().eval(`${turning} return 1`, 0, "60000000")).toBe(1);
  });

  it("that is ended before it wrote is refused in words of ours, and the engine goes on", async () => {
    await start("1000000");
    const store = await Store.open({ endpoint: { url: `unix://${socketPath()}` }, label: "the engine" });
    clients.push(store);
    const source = "for _ = 1, 1000000000 do local _ = 1 end return {'DONE'}";
    const script: Script = { name: "long", source, sha: "", plainSource: source, plainSha: "0".repeat(40) };
    await expect(store.run(script, ["key"], [])).rejects.toMatchObject({ code: "store.too_much" });
    expect(await connect().set("key", "1")).toBe("OK");
  });

  it("that is ended after it wrote was never begun", async () => {
    const first = await start("1000000");
    const exited = once(first, "exit");
    const client = connect();
    await client.set("kept", "1");
    const half = `redis.call('SET', KEYS[1], 'half') ${turning} redis.call('SET', KEYS[2], 'whole') return 1`;
    await expect(client.eval(half, 2, "one", "two", "1000000000")).rejects.toThrow(/closed/);
    expect(await exited).toEqual([1, null]);
    await start();
    expect(await connect().mget("kept", "one", "two")).toEqual(["1", null, null]);
  });
});
