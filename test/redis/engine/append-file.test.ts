import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterEach, describe, expect, it } from "vitest";
import { mendAppendFile } from "../../../src/redis/engine/append-file.js";
import { type RunningServer, runServer, stopServer } from "../../../src/redis/engine/redis-server.js";
import { findServers } from "../../../src/redis/engine/server-binary.js";
import { storeNames } from "../../stores/index.js";

const script =
  "redis.call('INCR', 'a') redis.call('SET', 'text', string.rep('x', 50)) redis.call('INCR', 'b')";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "mailbox-append-"));
  folders.push(folder);
  return folder;
}

/** A data directory whose append-only file holds this. */
function holding(text: string | Buffer): { readonly dataDir: string; readonly path: string } {
  const dataDir = newFolder();
  mkdirSync(join(dataDir, "appendonlydir"));
  const path = join(dataDir, "appendonlydir", "appendonly.aof.2.incr.aof");
  writeFileSync(path, text);
  writeFileSync(
    join(dataDir, "appendonlydir", "appendonly.aof.manifest"),
    "file appendonly.aof.2.base.rdb seq 2 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\nfile appendonly.aof.2.incr.aof seq 2 type i\n",
  );
  return { dataDir, path };
}

const command = (...words: string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`;

describe("the end of an append-only file", () => {
  const complete = [
    command("SELECT", "0"),
    "#TS:1795639704\r\n",
    command("multi") + command("SET", "k", "\r\n*1\r\n$4\r\nEXEC\r\n") + command("EXEC"),
    command("SET", "größe", "1".repeat(600_000)),
    command("MULTI") + command("INCR", "a") + command("INCR", "b") + command("EXEC"),
  ];
  const text = Buffer.from(complete.join(""));
  const ends: number[] = [];
  for (const part of complete) ends.push((ends.at(-1) ?? 0) + Buffer.byteLength(part));

  it("is kept where it is complete, and cut after the last complete transaction wherever else it ends", () => {
    const places = [
      ...Array(ends[2]! + 40).keys(),
      ...Array.from({ length: 130 }, (_, n) => text.length - n),
    ];
    for (const place of places) {
      const { dataDir, path } = holding(text.subarray(0, place));
      const expected = Math.max(0, ...ends.filter((end) => end <= place));
      expect(mendAppendFile(dataDir), `cut at ${place}`).toBe(place - expected);
      expect(readFileSync(path).equals(text.subarray(0, expected))).toBe(true);
      expect(mendAppendFile(dataDir)).toBe(0);
      rmSync(dataDir, { recursive: true });
    }
  });

  it.each([
    ["zeros at its end", Buffer.concat([text, Buffer.alloc(3)])],
    ["words at its end", Buffer.concat([text, Buffer.from("SET k v\r\n")])],
    ["words without an end", Buffer.concat([text, Buffer.from("hello")])],
    [
      "a length that is none",
      Buffer.concat([text, Buffer.from("*2\r\n$three\r\nDEL\r\n"), Buffer.alloc(100, "x")]),
    ],
    ["damage in the middle", Buffer.concat([text.subarray(0, ends[1]), Buffer.from("\n"), text])],
  ])("is left to the server with %s", (_, damaged) => {
    const { dataDir, path } = holding(damaged);
    expect(mendAppendFile(dataDir)).toBe(0);
    expect(readFileSync(path).equals(damaged)).toBe(true);
  });

  it("is no matter where there is none", () => {
    expect(mendAppendFile(newFolder())).toBe(0);
  });
});

describe.runIf(storeNames.includes("redis-server"))("a redis-server killed within a write", () => {
  const running: { readonly server: RunningServer; readonly dataDir: string }[] = [];
  afterEach(async () => {
    for (const { server, dataDir } of running.splice(0)) await stopServer(server, dataDir, socketOf(dataDir));
  });
  const socketOf = (dataDir: string): string => join(dataDir, "s");

  /** Starts the server of a directory, asks it, and ends it. */
  async function during<T>(dataDir: string, ask: (redis: Redis) => Promise<T>): Promise<T> {
    const binary = findServers().find((one) => one.family === "redis")!;
    const server = await runServer(dataDir, socketOf(dataDir), binary);
    running.push({ server, dataDir });
    const redis = new Redis({ path: socketOf(dataDir) });
    try {
      return await ask(redis);
    } finally {
      redis.disconnect();
      running.pop();
      await stopServer(server, dataDir, socketOf(dataDir));
    }
  }

  it("applies all of a script or nothing, at once and after each further start", {
    timeout: 60_000,
  }, async () => {
    const written = newFolder();
    await during(written, (redis) => redis.eval(script, 0));
    const name = readdirSync(join(written, "appendonlydir")).find((one) => one.includes(".incr."))!;
    const whole = readFileSync(join(written, "appendonlydir", name));
    const begun = whole.indexOf("MULTI");
    expect(begun).toBeGreaterThan(0);
    for (const place of [
      begun + 9,
      begun + 30,
      whole.indexOf("xxx") + 20,
      whole.length - 16,
      whole.length - 1,
    ]) {
      const dataDir = newFolder();
      cpSync(written, dataDir, { recursive: true });
      writeFileSync(join(dataDir, "appendonlydir", name), whole.subarray(0, place));
      const both = (redis: Redis) => redis.mget("a", "b");
      expect(await during(dataDir, both), `cut at ${place}`).toEqual([null, null]);
      await during(dataDir, (redis) => redis.eval(script, 0));
      expect(await during(dataDir, both), `cut at ${place}, started again`).toEqual(["1", "1"]);
    }
  });

  it("still refuses a file that is damaged", async () => {
    const dataDir = newFolder();
    await during(dataDir, (redis) => redis.eval(script, 0));
    const name = readdirSync(join(dataDir, "appendonlydir")).find((one) => one.includes(".incr."))!;
    const path = join(dataDir, "appendonlydir", name);
    const text = readFileSync(path);
    text[text.indexOf("MULTI") - 4] = 65;
    writeFileSync(path, text);
    await expect(during(dataDir, async () => "served")).rejects.toThrow(
      /Bad file format reading the append only file/,
    );
    expect(readFileSync(path).equals(text)).toBe(true);
  });
});
