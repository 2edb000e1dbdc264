import { afterEach, expect, it } from "vitest";
import { StrayRuns } from "../../src/locks/index.js";
import { directoryKeys } from "../../src/redis/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { hookAgents } from "./hook-agents.js";
import { type LockHouse, openLocks, rawStore } from "./open-locks.js";

describeOnEachStore("a run that has locks and of which nobody knows", (store) => {
  const houses: LockHouse[] = [];
  const open = async (namespace?: string): Promise<LockHouse> => {
    const house = await openLocks(store().url, {}, namespace);
    houses.push(house);
    return house;
  };
  afterEach(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
  });

  /** The looks of the process that sweeps, and runs of another one of which some are in the directory no more. */
  const scene = async () => {
    const house = await open();
    const other = await open(house.namespace);
    const redis = rawStore(store().url);
    houses.push({ ...house, close: async () => redis.disconnect() });
    const { runs } = directoryKeys(house.namespace);
    const strays = new StrayRuns(house.house.locks, house.namespace, house.house.runs);
    const look = async (times: number): Promise<void> => {
      for (let n = 0; n < times; n++) await strays.sweep();
    };
    return { house, other, redis, runs, look };
  };

  it("is gone when several looks in a row find it so, and its agent's next run is told", async () => {
    const { house, other, redis, runs, look } = await scene();
    const [bob, carol] = [await other.as("bob"), await other.as("carol")];
    const dan = await house.as("dan");
    const { lock_id: id } = await bob.acquire("x");
    await carol.acquire("y");
    const wait = dan.acquire("x", { wait_seconds: 30 });
    // Others took it for gone, it went on, and was killed before it was noted again.
    await redis.hdel(runs, bob.caller.run.id);
    await look(3);
    expect((await dan.list("x")).holders).toMatchObject([{ agent: "bob" }]);
    await look(1);
    expect(await wait).toMatchObject({ state: "granted" });
    expect((await dan.list("y")).holders).toMatchObject([{ agent: "carol" }]);
    expect(await (await house.as("bob")).news()).toEqual([`lost with its run ${id}`]);
  });

  it("is left alone where it is noted again in between, as are the hooks of edits", async () => {
    const { house, other, redis, runs, look } = await scene();
    const [alice] = await hookAgents(other, "alice");
    await alice!.edits("a.ts");
    const bob = await other.as("bob");
    await bob.acquire("x");
    const noted = (await redis.hget(runs, bob.caller.run.id))!;
    for (let n = 0; n < 3; n++) {
      await redis.hdel(runs, bob.caller.run.id);
      await look(3);
      await redis.hset(runs, bob.caller.run.id, noted);
      await look(1);
    }
    expect((await bob.list()).holders.map(({ agent }) => agent).sort()).toEqual(["alice", "bob"]);
    expect(await house.house.runs.unknownOf([bob.caller.run.id, "bob/nowhere"])).toEqual(["bob/nowhere"]);
  });
});
