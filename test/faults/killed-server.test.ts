import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { describe, expect, it, type TestContext } from "vitest";
import { Crowd, Server } from "./crowd.js";
import { putTogether } from "./put-together.js";

const engines = ["embedded", "redis-server"] as const;
type Engine = (typeof engines)[number];
const program = await putTogether("agents-process.mjs");
const long = process.env.MAILBOX_TEST_LONG === "1";

/** The promise is 3 s on a machine that does nothing else. */
const backWithinMs = 10_000;

/** Both engines at a time: a test waits for ends and starts of processes more than it does. */
describe("twenty agents", () => {
  function gather(
    { onTestFinished }: TestContext,
    engine: Engine,
  ): { readonly crowd: Crowd; readonly dataDir: string } {
    const dataDir = mkdtempSync(join(tmpdir(), "mailbox-crowd-"));
    const env = {
      PATH: process.env.PATH!,
      HOME: process.env.HOME!,
      LLM_MAILBOX_DATA_DIR: dataDir,
      LLM_MAILBOX_ENGINE: engine,
      LLM_MAILBOX_ENGINE_IDLE_SECONDS: "20",
      LLM_MAILBOX_STRUCTURED: "1",
      LLM_MAILBOX_LOG_LEVEL: "silent",
      LLM_MAILBOX_MAX_SENDS_PER_MINUTE: "1000000",
      LLM_MAILBOX_MAX_CALLS_PER_MINUTE: "1000000",
      LLM_MAILBOX_MAX_CONVERSATION: "1000000",
      LLM_MAILBOX_MAX_FAILURES: "100",
    };
    const names = Array.from({ length: 20 }, (_, n) => `agent-${String.fromCharCode(97 + n).repeat(3)}`);
    const crowd = new Crowd([
      ...[0, 4, 8, 12].map((from) => new Server("house", names.slice(from, from + 4), env, program)),
      ...names.slice(16).map((name) => new Server("stdio", [name], env)),
    ]);
    onTestFinished(async () => {
      await Promise.all(crowd.servers.map((server) => server.kill()));
      end(dataDir, engine);
      rmSync(dataDir, { recursive: true, force: true });
    });
    return { crowd, dataDir };
  }

  async function expectNothingLostOrTwice(crowd: Crowd, dataDir: string): Promise<void> {
    await crowd.finish();
    expect(crowd.wrong).toEqual([]);
    expect(crowd.lost()).toEqual([]);
    const { twice, unsettled, insertions } = await audit(dataDir);
    expect(twice).toEqual([]);
    expect(unsettled).toEqual([]);
    expect(crowd.answered.size).toBeGreaterThan(20);
    expect(crowd.replays).toBeGreaterThan(5);
    expect(insertions).toBeGreaterThanOrEqual(crowd.answered.size);
  }

  describe("whose servers are killed", () => {
    it.concurrent.for(engines)(
      "on the %s engine lose nothing and get nothing twice, fifty times",
      {
        timeout: 180_000,
      },
      async (engine, context) => {
        const { crowd, dataDir } = gather(context, engine);
        crowd.begin();
        await until(() => crowd.calls > 40);
        const kills = long ? 500 : 50;
        for (let n = 0; n < kills; n++) {
          const server = crowd.servers[Math.floor(Math.random() * crowd.servers.length)]!;
          await server.kill();
          server.start();
          await delay(Math.random() * 300);
        }
        await expectNothingLostOrTwice(crowd, dataDir);
        expect(crowd.cuts).toBeGreaterThan(10);
      },
    );
  });

  describe("whose engine is killed", () => {
    it.concurrent.for(engines)(
      "on the %s engine lose nothing and get nothing twice, twenty times, and go on within seconds",
      {
        timeout: 240_000,
      },
      async (engine, context) => {
        const { crowd, dataDir } = gather(context, engine);
        crowd.begin();
        await until(() => crowd.calls > 40);
        const away: number[] = [];
        let killed: number | undefined;
        for (let n = 0; n < (long ? 100 : 20); n++) {
          // An answer that was on its way at the last kill does not say that there is an engine again.
          await until(() => livingEngine(dataDir, engine, killed) !== undefined, backWithinMs);
          const killedAt = Date.now();
          killed = livingEngine(dataDir, engine, killed)!;
          process.kill(killed, "SIGKILL");
          await until(() => crowd.lastAnswerAt > killedAt + 20, backWithinMs);
          away.push(crowd.lastAnswerAt - killedAt);
          // More than five ends in ten seconds are taken for a defect, and the supervisor gives up.
          await delay(engine === "redis-server" ? 1_900 : 200 + Math.random() * 300);
        }
        await expectNothingLostOrTwice(crowd, dataDir);
        away.sort((a, b) => a - b);
        process.stderr.write(
          `${engine} killed ${away.length} times: back after ${away[away.length >> 1]} ms (median), ${away.at(-1)} ms (longest)\n`,
        );
        expect(away.at(-1)).toBeLessThan(backWithinMs);
      },
    );
  });
});

function enginePid(dataDir: string, engine: Engine): number {
  if (engine === "redis-server") return Number(readFileSync(join(dataDir, "engine.pid"), "utf8"));
  const claim = readFileSync(join(dataDir, "supervisor.lock"), "utf8");
  return (JSON.parse(claim) as { owner: { pid: number } }).owner.pid;
}

/** The engine that serves now, if it is another than the one that was killed. */
function livingEngine(dataDir: string, engine: Engine, killed: number | undefined): number | undefined {
  try {
    const pid = enginePid(dataDir, engine);
    process.kill(pid, 0);
    return pid === killed ? undefined : pid;
  } catch {
    return undefined;
  }
}

/** Ends what serves a data directory that is about to be deleted. */
function end(dataDir: string, engine: Engine): void {
  for (const kind of new Set(["embedded", engine] as const))
    try {
      process.kill(enginePid(dataDir, kind), "SIGKILL");
    } catch {
      // It is gone already.
    }
}

/** What the mailboxes hold in the end: bodies that were inserted twice, and mail that is not settled. */
async function audit(
  dataDir: string,
): Promise<{ readonly twice: string[]; readonly unsettled: string[]; readonly insertions: number }> {
  const claim = JSON.parse(readFileSync(join(dataDir, "supervisor.lock"), "utf8")) as {
    facts: { socketPath: string };
  };
  const redis = new Redis({ path: claim.facts.socketPath });
  const twice: string[] = [];
  const unsettled: string[] = [];
  let insertions = 0;
  for (const key of await redis.keys("{default:mb:*}:messages")) {
    const mailbox = key.slice(0, -":messages".length);
    const bodies = new Set<string>();
    for (const text of Object.values(await redis.hgetall(key))) {
      const { body } = JSON.parse(text) as { body: string };
      insertions += 1;
      if (bodies.has(body)) twice.push(`${mailbox}: ${body}`);
      bodies.add(body);
    }
    const count = await redis.hget(`${mailbox}:meta`, "count");
    if (count !== "0") unsettled.push(`${mailbox}: ${count}`);
    for (const [id, record] of Object.entries(await redis.hgetall(`${mailbox}:deliveries`)))
      if (!record.startsWith("settled|")) unsettled.push(`${mailbox} ${id}: ${record}`);
    for (const set of [
      "open",
      "delayed",
      "ready:0",
      "ready:1",
      "ready:2",
      "ready:3",
      "outbox",
      "runs",
      "expiring",
    ])
      if ((await redis.exists(`${mailbox}:${set}`)) > 0) unsettled.push(`${mailbox}:${set} is not empty`);
  }
  redis.disconnect();
  return { twice, unsettled, insertions };
}

async function until(condition: () => boolean, withinMs = 30_000): Promise<void> {
  const end = Date.now() + withinMs;
  while (!condition()) {
    if (Date.now() > end) throw new Error("it did not come to that in time");
    await delay(5);
  }
}
