import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const program = fileURLToPath(new URL("../../stores/embedded-process.mjs", import.meta.url));

let dataDir: string;
let engine: ChildProcess | undefined;
let output = "";
const clients: Redis[] = [];

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "mailbox-journal-"));
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  await kill();
  rmSync(dataDir, { recursive: true, force: true });
});

/** @param limit a largest file size in KiB, in place of a full disk */
async function start(compactAboveBytes = 8 * 1024 * 1024, limit?: number): Promise<void> {
  output = "";
  const args = [program, dataDir, join(dataDir, "engine.sock"), String(compactAboveBytes)];
  const started = limit
    ? spawn("sh", ["-c", `ulimit -S -f ${limit * 2}; exec "$0" "$@"`, process.execPath, ...args])
    : spawn(process.execPath, args);
  engine = started;
  started.stderr!.on("data", (text) => {
    output += text;
  });
  const ready = new Promise<void>((resolve) => {
    started.stdout!.on("data", (text) => String(text).includes("ready") && resolve());
  });
  await Promise.race([
    ready,
    once(started, "close").then(() => {
      throw new Error(output);
    }),
  ]);
}

async function kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
  const ending = engine;
  engine = undefined;
  if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
  ending.kill(signal);
  await once(ending, "exit");
}

function connect(): Redis {
  const client = new Redis({ path: join(dataDir, "engine.sock"), retryStrategy: () => null, protocol: 2 });
  client.on("error", () => {}); // a command says what went wrong
  clients.push(client);
  return client;
}

const journal = (): string => join(dataDir, "journal");
const lastLog = (): string =>
  join(
    journal(),
    readdirSync(journal())
      .filter((name) => name.startsWith("log-"))
      .sort((a, b) => Number(/\d+/.exec(a)) - Number(/\d+/.exec(b)))
      .at(-1)!,
  );

/** Where each frame of a log begins, and where the last one ends. */
function frames(path: string): number[] {
  const file = readFileSync(path);
  const found: number[] = [];
  let at = 0;
  while (file.toString("latin1", at, at + 4) === "LMJ1") {
    found.push(at);
    at += 20 + file.readUInt32LE(at + 4);
  }
  return [...found, at];
}

/** Writes as fast as it can until the connection is lost; remembers what was answered. */
async function load(client: Redis, name: string, answered: Set<string>): Promise<void> {
  const one = async (lane: number): Promise<void> => {
    for (let i = 0; ; i++) {
      const field = `${name}-${lane}-${i}`;
      try {
        await client.eval(pair, 2, `hash-${i % 7}`, `sorted-${i % 7}`, field, "x".repeat(200), String(i));
      } catch {
        return;
      }
      answered.add(field);
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, lane) => one(lane)));
}

/** Two effects that belong together. */
const pair = `
  redis.call("HSET", KEYS[1], ARGV[1], ARGV[2])
  redis.call("ZADD", KEYS[2], ARGV[3], ARGV[1])
  return 1`;

async function pairs(client: Redis): Promise<{ inHashes: Set<string>; inSorted: Set<string> }> {
  const inHashes = new Set<string>();
  const inSorted = new Set<string>();
  for (let i = 0; i < 7; i++) {
    for (const field of await client.hkeys(`hash-${i}`)) inHashes.add(field);
    for (const member of await client.zrange(`sorted-${i}`, "0", "-1")) inSorted.add(member);
  }
  return { inHashes, inSorted };
}

describe("the journal of the embedded engine", () => {
  it("has everything answered, and each script whole or not at all, after any kill -9", async () => {
    const answered = new Set<string>();
    for (let round = 0; round < 6; round++) {
      await start();
      const until = answered.size + 20 + round * 17;
      const loads = [1, 2, 3].map((n) => load(connect(), `${round}-${n}`, answered));
      while (answered.size < until) await delay(1);
      await kill();
      await Promise.all(loads);
    }
    await start();
    const { inHashes, inSorted } = await pairs(connect());
    expect(answered.size).toBeGreaterThan(100);
    expect([...answered].filter((field) => !inHashes.has(field))).toEqual([]);
    expect(inSorted).toEqual(inHashes);
  });

  it("compacts while it serves, and loses nothing when killed in the middle of it", async () => {
    const answered = new Set<string>();
    const compacted = new Set<string>();
    for (let round = 0; round < 4; round++) {
      await start(32 * 1024);
      const before = new Set(readdirSync(journal()));
      const loads = [1, 2].map((n) => load(connect(), `${round}-${n}`, answered));
      // A new file marks the middle of a compaction: odd rounds are killed right there.
      while (readdirSync(journal()).every((name) => before.has(name))) await delay(1);
      if (round % 2 === 0) while (!/compacted/.test(output)) await delay(5);
      for (const name of readdirSync(journal())) compacted.add(name);
      await kill();
      await Promise.all(loads);
    }
    expect([...compacted].some((name) => name.startsWith("base-"))).toBe(true);
    await start();
    const { inHashes, inSorted } = await pairs(connect());
    expect([...answered].filter((field) => !inHashes.has(field))).toEqual([]);
    expect(inSorted).toEqual(inHashes);
    expect(readdirSync(journal()).filter((name) => name.endsWith(".writing"))).toEqual([]);
  });

  it("stays in proportion to what is stored, however often it is overwritten", async () => {
    await start(256 * 1024);
    const client = connect();
    const value = "x".repeat(1000);
    for (let i = 0; i < 40; i++) {
      await Promise.all(
        Array.from({ length: 100 }, (_, n) => client.hset("hash", `field-${n}`, `${i}${value}`)),
      );
    }
    const written = 40 * 100 * 1000;
    /** More than can be told while a file goes that is being looked at: it has just been compacted. */
    const kept = (): number => {
      try {
        return readdirSync(journal())
          .map((name) => join(journal(), name))
          .reduce(
            (sum, path) => sum + (path.includes("base-") ? statSync(path).size : frames(path).at(-1)!),
            0,
          );
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
        return Number.POSITIVE_INFINITY;
      }
    };
    while (kept() > written / 8) await client.set("one", "more");
    await kill();
    await start();
    expect(await connect().hlen("hash")).toBe(100);
  });

  it("cuts off a torn end, says so, and goes on", async () => {
    await start();
    const client = connect();
    await client.set("whole", "yes");
    await client.eval("for i = 1, 50 do redis.call('HSET', KEYS[1], i, i) end return 1", 1, "torn");
    await kill();
    const [, begin, end] = frames(lastLog()) as [number, number, number];
    truncateSync(lastLog(), begin + Math.floor((end - begin) / 2));
    await start();
    expect(output).toMatch(/cut off the torn end/);
    const again = connect();
    expect(await again.get("whole")).toBe("yes");
    expect(await again.exists("torn")).toBe(0);
    await again.set("later", "yes");
    await kill();
    await start();
    expect(output).not.toMatch(/cut off/);
    expect(await connect().mget("whole", "later")).toEqual(["yes", "yes"]);
  });

  it("has a script whole or not at all, wherever the end was torn", async () => {
    await start();
    const client = connect();
    await client.set("before", "yes");
    await client.eval("for i = 1, 20 do redis.call('HSET', KEYS[1], i, i) end return 1", 1, "script");
    await kill();
    const [, begin, end] = frames(lastLog()) as [number, number, number];
    const whole = join(dataDir, "whole.bin");
    copyFileSync(lastLog(), whole);
    const cuts = [begin + 1, begin + 10, begin + 21, Math.floor((begin + end) / 2), end - 1, end];
    for (const cut of cuts) {
      copyFileSync(whole, lastLog());
      truncateSync(lastLog(), cut);
      await start();
      expect(await connect().hlen("script"), `cut at ${cut} of ${begin}..${end}`).toBe(cut === end ? 20 : 0);
      await kill();
    }
  });

  it("refuses to start when it is damaged before its end, and changes nothing", async () => {
    await start();
    const client = connect();
    for (const key of ["one", "two", "three"]) await client.set(key, "yes");
    await kill();
    const file = readFileSync(lastLog());
    const [, second] = frames(lastLog()) as [number, number];
    file[second + 25] = file[second + 25]! ^ 0xff;
    writeFileSync(lastLog(), file);
    await expect(start()).rejects.toThrow(/log-1\.bin is damaged from byte \d+ to \d+.*another/);
    expect(readFileSync(lastLog()).equals(file)).toBe(true);
  });

  it("refuses to start when a write in the middle is missing", async () => {
    await start();
    const client = connect();
    for (const key of ["one", "two", "three"]) await client.set(key, "yes");
    await kill();
    const file = readFileSync(lastLog());
    const [, second, third] = frames(lastLog()) as [number, number, number];
    writeFileSync(lastLog(), Buffer.concat([file.subarray(0, second), file.subarray(third)]));
    await expect(start()).rejects.toThrow(/goes from write 1 to 3/);
  });

  it("refuses writes while the disk is full, keeps what it answered, and goes on when there is room", async () => {
    await start(undefined, 4 * 1024);
    const client = connect();
    const answered: string[] = [];
    let refusal: Error | undefined;
    for (let i = 0; !refusal && i < 200; i++) {
      await client.set(`key-${i}`, "x".repeat(50_000)).then(
        () => answered.push(`key-${i}`),
        (error: Error) => {
          refusal = error;
        },
      );
    }
    expect(refusal?.message).toMatch(/^MISCONF .*no room/);
    await expect(client.eval("return redis.call('SET', KEYS[1], 'x')", 1, "script")).rejects.toThrow(
      /no room/,
    );
    expect(await client.eval("return redis.call('GET', KEYS[1])", 1, "nothing")).toBeNull();
    expect(await client.exists(answered)).toBe(answered.length);
    execFileSync("prlimit", ["--pid", String(engine!.pid), "--fsize=unlimited"]);
    while ((await client.set("after", "yes").catch(() => "refused")) !== "OK") await delay(50);
    await kill();
    await start();
    expect(await connect().exists([...answered, "after"])).toBe(answered.length + 1);
    expect(await connect().exists("script")).toBe(0);
  });

  it("gives a publication only after what led to it is durable", async () => {
    await start();
    const subscriber = connect();
    await subscriber.subscribe("news");
    const told: string[] = [];
    subscriber.on("message", (_, message) => told.push(message));
    const publisher = connect();
    const publishing = (async () => {
      for (let i = 0; ; i++) {
        await publisher.eval(
          "redis.call('HSET', 'told', ARGV[1], 1) redis.call('PUBLISH', 'news', ARGV[1]) return 1",
          0,
          i,
        );
      }
    })().catch(() => {});
    while (told.length < 50) await delay(5);
    await kill();
    await publishing;
    await start();
    const kept = new Set(await connect().hkeys("told"));
    expect(told.filter((message) => !kept.has(message))).toEqual([]);
  });

  it("keeps absolute expiry over a restart, and what expired stays gone", async () => {
    await start();
    const client = connect();
    await client.set("soon", "x", "PX", "150");
    await client.set("later", "x", "PX", "600000");
    const expiresAt = await client.call("PEXPIRETIME", "later");
    await client.eval("redis.call('SET', KEYS[1], redis.call('TIME')[1], 'EX', 1000)", 1, "by-script");
    const byScript = [await client.get("by-script"), await client.call("PEXPIRETIME", "by-script")];
    await kill();
    await delay(200);
    await start();
    const again = connect();
    expect(await again.exists("soon")).toBe(0);
    expect(await again.call("PEXPIRETIME", "later")).toBe(expiresAt);
    expect([await again.get("by-script"), await again.call("PEXPIRETIME", "by-script")]).toEqual(byScript);
  });

  it("takes a transaction whole", async () => {
    await start();
    await connect().multi().set("a", "1").rpush("b", "2", "3").exec();
    await kill();
    expect(frames(lastLog())).toHaveLength(2);
    await start();
    expect(await connect().lrange("b", "0", "-1")).toEqual(["2", "3"]);
  });
});
