import { createHash } from "node:crypto";
import { afterAll, it } from "vitest";
import type { Script, Store } from "../../src/redis/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { type LockHouse, openLocks } from "./open-locks.js";

/** What the run's own calls do for its leases they do whatever happens to the clock of the store. */
describeOnEachStore.concurrent("leases of a run that calls while the store's clock is set", (store) => {
  const houses: LockHouse[] = [];
  const hourMs = 3_600_000;
  afterAll(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
  });

  for (const [how, byMs, isKnown] of [
    ["back", -hourMs, true],
    ["back, of which the process does not know yet,", -hourMs, false],
    ["forward", hourMs, true],
  ] as const)
    it(`are prolonged where it is set ${how} and asked about no more often`, {
      timeout: 30_000,
    }, async ({ expect }) => {
      const house = await openLocks(store().url, { jumpMs: 100 });
      houses.push(house);
      const clock = settable(house.house.store);
      const bob = await house.as("bob");
      await bob.acquire("before", { lease_seconds: 2 });
      await bob.news();
      clock.set(byMs, isKnown);
      await bob.acquire("after", { lease_seconds: 2 });
      const [from, began] = [clock.touches(), performance.now()];
      const told: string[] = [];
      for (let n = 0; n < 30; n++) {
        told.push(...(await bob.news()));
        await new Promise((resolve) => setTimeout(resolve, 150));
      }
      expect(told).toEqual([]);
      expect((await bob.list()).holders.map(({ resources }) => resources[0]).sort()).toEqual([
        "after",
        "before",
      ]);
      expect(clock.touches() - from).toBeGreaterThan(2);
      // A busy machine takes longer for the thirty calls, in which it may be asked so much more often.
      const times = Math.max((performance.now() - began) / 4_500, 1);
      expect(clock.touches() - from).toBeLessThan(12 * times);
    });
});

interface SetClock {
  /** @param isKnown whether the process has asked the time since */
  set(byMs: number, isKnown: boolean): void;
  /** How often the store was asked about leases because their run called. */
  touches(): number;
}

/** Has the scripts of a store see another time than there is. */
function settable(store: Store): SetClock {
  const [run, now] = [store.run.bind(store), store.now.bind(store)];
  let [seconds, touches] = [0, 0];
  store.run = (script, ...given) => {
    if (script.name === "renew-locks") touches += 1;
    return run(seconds === 0 ? script : movedBy(seconds, script), ...given);
  };
  return {
    set: (byMs, isKnown) => {
      seconds = byMs / 1_000;
      if (isKnown) store.now = () => now() + byMs;
    },
    touches: () => touches,
  };
}

function movedBy(seconds: number, { name, source, plainSource }: Script): Script {
  const moved = (text: string): string =>
    text.replace(
      "redis.call('TIME')",
      `(function() local t = redis.call('TIME') return { tonumber(t[1]) + (${seconds}), t[2] } end)()`,
    );
  const [own, ownPlain] = [moved(source), moved(plainSource)];
  return { name, source: own, plainSource: ownPlain, sha: sha1(own), plainSha: sha1(ownPlain) };
}

function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}
