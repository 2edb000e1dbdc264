import { afterEach, expect, it } from "vitest";
import type { LockLimits } from "../../src/locks/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { type LockHouse, openLocks } from "./open-locks.js";

describeOnEachStore("acquire_lock", (store) => {
  const houses: LockHouse[] = [];
  const open = async (limits: Partial<LockLimits> = {}, namespace?: string): Promise<LockHouse> => {
    const house = await openLocks(store().url, limits, namespace);
    houses.push(house);
    return house;
  };
  afterEach(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
  });

  it("grants, tells the next one in another process when it is released, and wakes it there", async () => {
    const here = await open();
    const there = await open({}, here.namespace);
    const [alice, bob] = [await here.as("alice"), await there.as("bob")];
    const first = await alice.acquire("customer:123");
    expect(first).toMatchObject({ state: "granted", resources: ["customer:123"] });
    const queued = await bob.acquire("customer:123");
    expect(queued).toMatchObject({
      state: "queued",
      place: 1,
      holders: [{ agent: "alice", mode: "exclusive", state: "held", resource: "customer:123" }],
    });
    const waiting = bob.claim(queued.ticket!, { wait_seconds: 20 });
    expect(await alice.release(first.lock_id!)).toEqual({
      state: "released",
      next: ["bob"],
      replayed: false,
    });
    const second = await waiting;
    expect(second).toMatchObject({ state: "granted", lock_id: queued.ticket });
    expect(second.token).toBeGreaterThan(first.token!);
  });
});
