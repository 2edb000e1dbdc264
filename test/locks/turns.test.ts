import { setTimeout as delay } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { defaultLockLimits, type LockLimits } from "../../src/locks/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { checkHistory, readHistory } from "./check-history.js";
import { type LockHouse, openLocks, rawStore } from "./open-locks.js";
import { recordHistory } from "./record-history.mjs";

/** Waiting at another scale: what takes minutes takes a fraction of a second here. */
describeOnEachStore("everybody gets a turn:", (store) => {
  const houses: LockHouse[] = [];
  const open = async (limits: Partial<LockLimits>): Promise<LockHouse> => {
    const house = await openLocks(store().url, limits);
    houses.push(house);
    return house;
  };
  const wrongOf = async (house: LockHouse, limits: Partial<LockLimits>): Promise<readonly string[]> => {
    const redis = rawStore(store().url);
    const history = await readHistory(redis, house.namespace);
    redis.disconnect();
    expect(history.length).toBeGreaterThan(100);
    return checkHistory(history, { ...defaultLockLimits, ...limits });
  };
  afterEach(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
  });

  it("sixty agents that think for longer than an offer lasts", { timeout: 240_000 }, async () => {
    const limits = { offerMs: 30, deadOfferMs: 10, aliveMs: 5_000, beatMs: 500 };
    const house = await open(limits);
    recordHistory(house.house.store);
    const served: string[] = [];
    await Promise.all(
      Array.from({ length: 60 }, async (_, n) => {
        const name = `agent-${n}`;
        const agent = await house.as(name);
        for (let answer = await agent.acquire("x"); ; answer = await agent.claim(answer.ticket!)) {
          if (answer.state === "granted") {
            await agent.release(answer.lock_id!);
            served.push(name);
            return;
          }
          await delay(45 + Math.random() * 15);
        }
      }),
    );
    expect(new Set(served).size).toBe(60);
    expect(await wrongOf(house, limits)).toEqual([]);
  });

  it("one of priority 0 in a stream of priority 9, passed by nobody who came later than is published", {
    timeout: 120_000,
  }, async () => {
    const limits = { ageingMs: 100 };
    const house = await open(limits);
    recordHistory(house.house.store);
    let going = true;
    let passed = 0;
    let since = 0;
    const stream = Array.from({ length: 5 }, async (_, n) => {
      const agent = await house.as(`eager-${n}`);
      while (going) {
        const { lock_id: id } = await agent.acquire("x", { priority: 9, wait_seconds: 20 });
        if (since > 0) passed++;
        await delay(5);
        await agent.release(id!);
      }
    });
    const patient = await house.as("patient");
    await delay(300);
    since = Date.now();
    const granted = await patient.acquire("x", { priority: 0, wait_seconds: 45 });
    const waitedMs = Date.now() - since;
    going = false;
    await patient.release(granted.lock_id!);
    await Promise.all(stream);
    expect(granted.state).toBe("granted");
    // It let pass whoever came within nine steps of priority, and then it was first.
    expect(passed).toBeGreaterThan(3);
    expect(waitedMs).toBeGreaterThan(700);
    expect(waitedMs).toBeLessThan(10_000);
    expect(await wrongOf(house, limits)).toEqual([]);
  });
});
