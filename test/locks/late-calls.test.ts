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

  /** What this process takes locks with is on its way until the answer is called. */
  const hold = (house: LockHouse): (() => void) => {
    const { store } = house.house;
    const run = store.run.bind(store);
    let goOn = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    store.run = async (script, ...rest) => {
      if (script.name === "acquire-lock") await gate;
      return run(script, ...rest);
    };
    return goOn;
  };

  it("takes nothing, keeps nothing and leaves what another run of its agent has", async () => {
    const house = await open();
    const [alice, bob, again] = [await house.as("alice"), await house.as("bob"), await house.as("bob")];
    await alice.acquire("hers");
    const { lock_id: id } = await again.acquire("x", { idempotency_key: "k" });
    await bob.end();
    for (const late of [
      () => bob.acquire("y"),
      () => bob.acquire("hers", { wait_seconds: 10 }),
      () => bob.acquire("x", { idempotency_key: "k" }),
      () => bob.renew(id!),
    ])
      await expect(late()).rejects.toMatchObject({ code: "lock.run_over" });
    const redis = rawStore(store().url);
    const { runs, due } = lockKeys(house.namespace);
    expect((await redis.hkeys(runs)).sort()).toEqual([alice.caller.run.id, again.caller.run.id].sort());
    expect(await redis.zcard(due)).toBe(2);
    redis.disconnect();
    expect(house.house.locks.known(bob.caller)).toBeUndefined();
    expect(await again.news()).toEqual([]);
    expect(await (await house.as("bob")).news()).toEqual([]);
  });

  it("gives back what it takes all the same, and the agent's next run is told where its session was ended under it", async () => {
    const house = await open();
    const bob = await house.as("bob");
    const goOn = hold(house);
    const late = bob.acquire("x");
    // By now it was sent.
    await new Promise((resolve) => setTimeout(resolve, 200));
    await house.house.rooms.runs.end(bob.caller, "cut short");
    goOn();
    const { state, lock_id: id } = await late;
    expect(state).toBe("granted");
    expect((await bob.list("x")).holders).toEqual([]);
    expect(await (await house.as("bob")).news()).toEqual([`lost with its run ${id}`]);
  });

  it("gives it back by a later beat where the store is away then", async () => {
    const house = await open();
    const bob = await house.as("bob");
    const goOn = hold(house);
    const late = bob.acquire("x");
    await new Promise((resolve) => setTimeout(resolve, 200));
    await bob.end();
    const { store: ours } = house.house;
    const run = ours.run.bind(ours);
    let fails = 1;
    ours.run = async (script, ...rest) => {
      if (script.name === "release-run-locks" && fails-- > 0) throw new Error("away");
      return run(script, ...rest);
    };
    goOn();
    expect((await late).state).toBe("granted");
    const carol = await house.as("carol");
    await expect.poll(async () => (await carol.list("x")).holders, { timeout: 20_000 }).toEqual([]);
    expect(fails).toBeLessThan(0);
  });

  it("that waits ends, and leaves no place", async () => {
    const house = await open();
    const [alice, bob] = [await house.as("alice"), await house.as("bob")];
    const { lock_id: id } = await alice.acquire("x");
    const wait = expect(bob.acquire("x", { wait_seconds: 2 })).rejects.toMatchObject({
      code: "lock.run_over",
    });
    await expect.poll(async () => (await alice.list("x")).waiters.length).toBe(1);
    await bob.end();
    expect((await alice.list("x")).waiters).toEqual([]);
    await alice.release(id!);
    await wait;
  });
});
