import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultLockLimits, type LockLimits } from "../../src/locks/index.js";
import { checkHistory, readHistory } from "../locks/check-history.js";
import { checkRecorded } from "../locks/check-recorded.js";
import { checkWrites } from "../locks/check-writes.js";
import { LockCrowd, type WriteOutcome } from "../locks/lock-crowd.js";
import { rawStore } from "../locks/open-locks.js";
import { readWrites } from "../locks/read-writes.js";
import { type StoreName, startStore, type TestStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";
import { Server } from "./crowd.js";
import { FaultyWay } from "./faulty-way.js";
import { putTogether } from "./put-together.js";

const program = await putTogether("locks-process.mjs");
const seconds = Number(
  process.env.MAILBOX_CHAOS_SECONDS ?? (process.env.MAILBOX_TEST_LONG === "1" ? 60 : 12),
);

/** Offers and signs of life are short, so that there are many of them in the time there is. */
const limits: LockLimits = {
  ...defaultLockLimits,
  ...{ offerMs: 1_500, deadOfferMs: 200, aliveMs: 1_000, beatMs: 300, ageingMs: 200 },
};

/** Of the crowd's leases one is as long as this and one a second longer. */
const leaseSeconds = 2;
/** Longer than any lease. */
const pauseMs = (leaseSeconds + 1) * 1_000 + 300;

const stores: readonly StoreName[] = ["redis-server", "embedded"];

describe.each(stores)("24 agents in 4 processes that lock (%s)", (name) => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startStore(name, "disk");
  });
  afterAll(() => store.stop());

  it("never hold or write in conflict, get tokens that only grow, and are all served once the faults stop", {
    timeout: seconds * 1_000 + 120_000,
  }, async () => {
    const namespace = newNamespace();
    const ways = await Promise.all(Array.from({ length: 4 }, () => FaultyWay.to(store.url)));
    const names = Array.from({ length: 24 }, (_, n) => `agent-${String.fromCharCode(97 + n).repeat(3)}`);
    const servers = ways.map(
      (way, n) =>
        new Server(
          "house",
          names.slice(n * 6, n * 6 + 6),
          {
            PATH: process.env.PATH!,
            REDIS_URL: way.url,
            LLM_MAILBOX_ALLOW_UNVERIFIED: "1",
            LLM_MAILBOX_NAMESPACE: namespace,
            LLM_MAILBOX_MAX_CALLS_PER_MINUTE: "1000000",
            LLM_MAILBOX_MAX_STATE_VERSIONS: "1000",
            // What runs out in some of them rests a while.
            LOCK_LIMITS: JSON.stringify({ ...limits, delayMs: n % 2 === 0 ? 0 : 300 }),
          },
          program,
        ),
    );
    const homes = new Map(
      servers.flatMap((server) => server.agents.map((agent) => [agent, server] as const)),
    );
    const crowd = new LockCrowd((agent, tool, input) => homes.get(agent)!.call(agent, tool, input), {
      ...{ leaseSeconds, waitSeconds: 3, keepMs: 40 },
    });
    for (const server of servers) server.start();
    const faults = new Map<string, number>();
    // What became of the writes of holders whose process stood still until after the end of their lease.
    const woken: WriteOutcome[] = [];
    try {
      crowd.begin(names);
      const begun = Date.now();
      // Longer where the machine has much else to do, until enough was done to tell something.
      const isEnough = (): boolean =>
        Date.now() >= begun + seconds * 1_000 &&
        faults.size === 6 &&
        crowd.granted > seconds &&
        woken.includes("refused");
      for (let n = 0; !isEnough() && Date.now() < begun + seconds * 1_000 + 40_000; n++) {
        await delay(200 + Math.random() * 500);
        const at = Math.floor(Math.random() * 4);
        const fault = await cause(n, servers[at]!, ways[at]!);
        faults.set(fault, (faults.get(fault) ?? 0) + 1);
      }
      await crowd.finish();
      const late = await crowd.everyoneServed(names, 45_000);
      const redis = rawStore(store.url);
      const history = await readHistory(redis, namespace);
      redis.disconnect();
      const reader = names[0]!;
      const writes = await readWrites(
        crowd.entries(),
        (key) => homes.get(reader)!.call(reader, "list_versions", { key }) as never,
      );
      process.stderr.write(
        `${name}, ${seconds} s: ${[...faults].map(([what, count]) => `${count} × ${what}`).join(", ")}; ${crowd.calls} calls answered, ${crowd.cuts} cut, ${crowd.granted} grants, ${crowd.deadlocks} circles refused, ${writes.length} writes, ${crowd.staleWrites} stale ones refused, ${woken.length} by holders that woke too late (${woken.join(", ")}), ${history.length} steps checked\n`,
      );
      expect(crowd.wrong).toEqual([]);
      expect(crowd.overlapping()).toEqual([]);
      expect(
        checkRecorded(
          history,
          crowd,
          servers.map(({ agents }) => agents),
        ),
      ).toEqual([]);
      expect(checkHistory(history, limits)).toEqual([]);
      expect(checkWrites(history, writes)).toEqual([]);
      expect(crowd.writes).toBeGreaterThan(seconds);
      expect(writes.length).toBeGreaterThanOrEqual(crowd.writes);
      expect(woken).toContain("refused");
      expect(woken).not.toContain("written");
      expect(late).toEqual([]);
      expect(crowd.granted).toBeGreaterThan(seconds);
      expect(faults.size).toBe(6);
    } finally {
      await Promise.all(servers.map((server) => server.kill()));
      await Promise.all(ways.map((way) => way.close()));
    }

    /**
     * The process of somebody that may write stands still until after that lease, and goes on with what it was asked: to
     * write, just after it stopped, or just before.
     */
    async function standStill(server: Server, writesAfter: boolean): Promise<void> {
      const write = await crowd.holder(server.agents, 5_000);
      const early = writesAfter ? undefined : write?.();
      server.pause();
      const late = writesAfter ? write?.() : undefined;
      await delay(pauseMs);
      server.goOn();
      if (late) woken.push(await late);
      await early;
    }

    /** One fault of each kind in turn. */
    async function cause(n: number, server: Server, way: FaultyWay): Promise<string> {
      switch (n % 6) {
        case 0:
          await server.kill();
          crowd.died(server.agents);
          server.start();
          return "server killed";
        case 1:
          way.cut();
          return "connections cut";
        case 2:
          await standStill(server, n % 12 === 2);
          return "server paused";
        case 3:
          await store.kill();
          await delay(100);
          await store.restart();
          return "store killed";
        case 4:
          way.swallow("replies");
          await delay(700);
          way.heal();
          return "replies swallowed";
        default:
          way.swallow("requests");
          await delay(700);
          way.heal();
          return "requests swallowed";
      }
    }
  });
});
