import { afterEach, expect, it } from "vitest";
import { lockKeys } from "../../src/redis/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { type LockHouse, openLocks, rawStore } from "./open-locks.js";

/** Whoever closes a session does not wait for its calls: what they do may reach the store after all was given back. */
describeOnEachStore("a call that its run's end overtakes", (store) => {
  const houses: LockHouse[] = [];
  const open = async (): Promise<LockHouse> => {
    const house = await openLocks(store().url);
    houses.push(house);
    return house;
  };
  afterEach(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
  });

  it("leaves no lock and no place, and no note where its client left in good order", async () => {
    const house = await open();
    const [alice, bob] = [await house.as("alice"), await house.as("bob")];
    await alice.acquire("hers");
    await bob.end();
    await bob.acquire("x").catch(() => undefined);
    await bob.acquire("hers").catch(() => undefined);
    const redis = rawStore(store().url);
    const { runs, due } = lockKeys(house.namespace);
    expect(await redis.hkeys(runs)).toEqual([alice.caller.run.id]);
    expect(await redis.zcard(due)).toBe(1);
    redis.disconnect();
    expect(house.house.locks.known(bob.caller)).toBeUndefined();
    expect(await (await house.as("bob")).news()).toEqual([]);
  });

  it("is told to the agent's next run where its session was ended under it", async () => {
    const house = await open();
    const bob = await house.as("bob");
    await house.house.rooms.runs.end(bob.caller, "cut short");
    const late = await bob.acquire("x").catch(() => undefined);
    expect((await bob.list("x")).holders).toEqual([]);
    expect(await (await house.as("bob")).news()).toEqual([`lost with its run ${late?.lock_id}`]);
  });
});
