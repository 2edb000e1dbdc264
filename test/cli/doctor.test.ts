import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hasRedisServer, startRedisServer } from "../stores/redis-server.js";
import { type Ended, runWith } from "./command-line.js";

interface Report {
  readonly healthy: boolean;
  readonly findings: readonly { about: string; state: string; found: string; remedy?: string }[];
  readonly trust: string;
}

const base = mkdtempSync(join(tmpdir(), "mailbox-doctor-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));

const local = (name: string, more: Record<string, string> = {}): Record<string, string> => ({
  LLM_MAILBOX_DATA_DIR: join(base, name),
  LLM_MAILBOX_ENGINE: "embedded",
  LLM_MAILBOX_ENGINE_IDLE_SECONDS: "1",
  ...more,
});
const report = ({ out }: Ended): Report => JSON.parse(out) as Report;
const about = ({ findings }: Report, name: string) => findings.filter((finding) => finding.about === name);

describe("the doctor", () => {
  it("finds nothing wrong with a fresh start, and says which store it would use and did use", async () => {
    const ended = await runWith(local("fresh"), "doctor", "--json");
    const found = report(ended);
    expect(ended.status).toBe(0);
    expect(found.healthy).toBe(true);
    expect(found.findings.filter(({ state }) => state !== "ok")).toEqual([]);
    expect(about(found, "engine")[0]?.found).toBe("not running; a start uses embedded engine");
    expect(about(found, "store")[0]?.found).toMatch(/^embedded engine answers a script in [\d.]+ ms$/);
    expect(about(found, "durability")[0]?.found).toMatch(/^D2/);
    expect(about(found, "runs")[0]?.found).toBe("0 runs alive in 0 processes");
    expect(found.trust).toContain("one trust domain");
  });

  it("says the same to people, with what the store does and does not protect", async () => {
    const { status, out } = await runWith(local("fresh"), "doctor");
    expect(status).toBe(0);
    expect(out).toMatch(/^ok {4}node {10}Node\.js \d+/);
    expect(out).toMatch(/\nok {4}data {10}.*fresh \(mode 0700\), holds data of embedded engine\n/);
    expect(out).toContain("open this store directly are one trust domain");
    expect(out).toMatch(/\nAll is well\.\n$/);
  });

  it("names every wrong setting with what is allowed, and ends with status 1", async () => {
    const ended = await runWith(
      local("fresh", { LLM_MAILBOX_AGNT: "bob", LLM_MAILBOX_PORT: "http", LLM_MAILBOX_TIER: "D9" }),
      "doctor",
      "--json",
    );
    expect(ended.status).toBe(1);
    const settings = about(report(ended), "settings");
    expect(settings.map(({ state, found }) => [state, found])).toEqual([
      ["fail", "LLM_MAILBOX_AGNT is unknown; did you mean LLM_MAILBOX_AGENT?"],
      ["fail", "LLM_MAILBOX_TIER is malformed"],
      ["fail", "LLM_MAILBOX_PORT is malformed"],
    ]);
    expect(settings[1]?.remedy).toContain("D0, D1, D2");
    expect(about(report(ended), "store")[0]?.state).toBe("ok");
  });

  it("warns of a data directory that others can read and of a lock whose owner has ended", async () => {
    const dataDir = join(base, "open");
    mkdirSync(dataDir);
    chmodSync(dataDir, 0o755);
    writeFileSync(join(dataDir, "start.lock"), "left behind");
    const ended = await runWith(local("open"), "doctor", "--json");
    expect(ended.status).toBe(0);
    expect(about(report(ended), "data")[0]).toMatchObject({ state: "warn", remedy: `chmod 700 ${dataDir}` });
    expect(about(report(ended), "lock")[0]).toMatchObject({
      state: "warn",
      found: expect.stringContaining("start.lock was left by a process that has ended"),
    });
  });

  it("fails where the files are those of another engine, and says how to go on", async () => {
    await runWith(local("mine"), "queues", "create", "builds");
    const ended = await runWith(local("mine", { LLM_MAILBOX_ENGINE: "redis-server" }), "doctor", "--json");
    expect(ended.status).toBe(1);
    expect(about(report(ended), "store")[0]).toMatchObject({
      state: "fail",
      found: expect.stringContaining("LLM_MAILBOX_ENGINE=embedded"),
    });
  });

  it("fails within seconds where nothing answers, and shows no password", async () => {
    const ended = await runWith({ REDIS_URL: "redis://:secret@127.0.0.1:1" }, "doctor", "--json");
    expect(ended.status).toBe(1);
    expect(about(report(ended), "store")[0]).toMatchObject({
      state: "fail",
      found: expect.stringContaining("store.unavailable"),
      remedy: expect.stringContaining("REDIS_URL"),
    });
    expect(ended.out + ended.err).not.toContain("secret");
  });
});

describe.runIf(hasRedisServer() || process.env.CI)("the doctor on a redis-server", () => {
  let store: Awaited<ReturnType<typeof startRedisServer>>;
  beforeAll(async () => {
    store = await startRedisServer();
  });
  afterAll(() => store.stop());

  it("starts one for a data directory, finds it running, and answers the other commands from it", async () => {
    const settings = local("server", {
      LLM_MAILBOX_ENGINE: "redis-server",
      LLM_MAILBOX_ENGINE_IDLE_SECONDS: "5",
    });
    const [first, created] = [
      await runWith(settings, "doctor", "--json"),
      await runWith(settings, "queues", "create", "q"),
    ];
    expect(report(first).findings.filter(({ state }) => state !== "ok")).toEqual([]);
    expect(created.out).toBe("queue:q is open.\n");
    const again = report(await runWith(settings, "doctor", "--json"));
    expect(about(again, "engine")[0]?.found).toMatch(/^redis-server [\d.]+ .*is running \(supervisor \d+\)$/);
    expect(about(again, "durability")[0]?.found).toMatch(/^D2/);
  });

  it("refuses a durability below the one that is demanded", async () => {
    const { Redis } = await import("ioredis");
    const redis = new Redis(store.url.replace("unix://", ""));
    await redis.config("SET", "appendfsync", "everysec");
    redis.disconnect();
    const demanding = { REDIS_URL: store.url, LLM_MAILBOX_TIER: "D2" };
    const [demanded, weaker] = [
      await runWith(demanding, "doctor", "--json"),
      await runWith({ REDIS_URL: store.url }, "doctor", "--json"),
    ];
    expect(demanded.status).toBe(1);
    expect(about(report(demanded), "durability")[0]).toMatchObject({ state: "fail" });
    expect(weaker.status).toBe(0);
    expect(about(report(weaker), "durability")[0]).toMatchObject({
      state: "warn",
      found: expect.stringMatching(/^D1/),
    });
  });
});
