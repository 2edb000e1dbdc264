import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ensureEngine, holdsData, inspectEngine } from "../../../src/redis/engine/index.js";

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "mailbox-inspect-"));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

describe("a look at a data directory", () => {
  it("that is not there creates nothing and says what a start would use", async () => {
    const dataDir = join(base, "none");
    expect(await inspectEngine(dataDir, "embedded")).toEqual({
      directory: "absent",
      own: true,
      pulse: "absent",
      staleLocks: [],
      wouldUse: "embedded engine",
    });
    expect(holdsData(dataDir)).toBe(false);
    expect(existsSync(dataDir)).toBe(false);
  });

  it("that cannot be one is refused with the reason, and no start waits for it for ever", async () => {
    const file = join(base, "file");
    writeFileSync(file, "");
    for (const path of [file, join(file, "below")])
      expect(() => holdsData(path)).toThrow(
        `${path} is not a directory; name a data directory of your own by --data-dir or LLM_MAILBOX_DATA_DIR`,
      );
    const report = await inspectEngine(file, "embedded");
    expect(report.refusal).toContain("is not a directory");
    // Nobody is to be told to make a file of theirs a directory's mode.
    expect(report.mode).toBeUndefined();
    // Below /proc making a directory fails in a way that made Node.js try for ever.
    for (const dataDir of [file, join(file, "below"), "/proc/mailbox/data"])
      await expect(
        ensureEngine({
          dataDir,
          engine: "embedded",
          idleMs: 1_000,
          supervisorCommand: ["false"],
          log: () => {},
        }),
      ).rejects.toThrow(`${dataDir} cannot be a data directory: `);
  });

  it("whose record is not one of ours says so, and not that it is a newer one", async () => {
    for (const text of ["null", "[]", "{}", '"embedded"', "half a rec"]) {
      writeFileSync(join(base, "engine.json"), text);
      expect(() => holdsData(base)).toThrow("engine.json is not readable; restore it");
    }
    writeFileSync(join(base, "engine.json"), '{"format":2}');
    expect(() => holdsData(base)).toThrow("was written by a newer llm-mailbox (format 2)");
  });

  it("that is empty leaves it empty", async () => {
    const report = await inspectEngine(base, "embedded");
    expect(report).toMatchObject({ directory: "present", pulse: "absent", mode: 0o700 });
    expect(report.running).toBeUndefined();
    expect(report.holds).toBeUndefined();
    expect(holdsData(base)).toBe(false);
    expect(readdirSync(base)).toEqual([]);
  });

  it("says which engine's data it holds and why another cannot start there", async () => {
    writeFileSync(join(base, "engine.json"), '{"format":1,"kind":"embedded"}\n');
    expect(holdsData(base)).toBe(true);
    expect(await inspectEngine(base, "auto")).toMatchObject({
      holds: "embedded engine",
      wouldUse: "embedded engine",
    });
    const other = await inspectEngine(base, "redis-server");
    expect(other.wouldUse).toBeUndefined();
    expect(other.refusal).toContain("LLM_MAILBOX_ENGINE=embedded");
  });

  it("names locks whose owners have ended, and leaves them for the next start", async () => {
    mkdirSync(join(base, "data"));
    const lock = join(base, "data", "start.lock");
    writeFileSync(lock, JSON.stringify({ owner: { pid: 2 ** 22 + 1, startedAt: "1", host: "elsewhere" } }));
    const fresh = await inspectEngine(join(base, "data"), "embedded");
    // Of another host: it counts while it was refreshed lately.
    expect(fresh.staleLocks).toEqual([]);
    writeFileSync(lock, "half a lock");
    expect((await inspectEngine(join(base, "data"), "embedded")).staleLocks).toEqual([lock]);
    expect(existsSync(lock)).toBe(true);
  });

  it("finds the engine that runs there and its supervisor", async () => {
    const supervisor = fileURLToPath(new URL("./supervisor-process.mjs", import.meta.url));
    const engine = await ensureEngine({
      dataDir: base,
      engine: "embedded",
      idleMs: 500,
      supervisorCommand: [process.execPath, supervisor],
      log: () => {},
    });
    const report = await inspectEngine(base, "auto");
    expect(report).toMatchObject({
      pulse: "pong",
      holds: "embedded engine",
      running: { label: engine.label },
      socketPath: engine.socketPath,
    });
    expect(process.kill(report.running!.supervisor, 0)).toBe(true);
    await expect
      .poll(
        async () => {
          const { pulse, running } = await inspectEngine(base, "auto");
          return { pulse, running };
        },
        { timeout: 10_000 },
      )
      .toEqual({ pulse: "absent", running: undefined });
  });
});
