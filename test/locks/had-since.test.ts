import { afterEach, expect, it } from "vitest";
import { forceRelease, type GuardFiles, type GuardFindings, releaseRun } from "../../src/locks/index.js";
import { lockKeys } from "../../src/redis/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { type LockHouse, openLocks, operatorOf, passTime, rawStore } from "./open-locks.js";

/** What an agent lost and somebody else was granted since: a guard lets none of its changes to that pass. */
describeOnEachStore("what somebody had since the agent lost it", (store) => {
  const houses: LockHouse[] = [];
  const open = async (): Promise<LockHouse> => {
    const house = await openLocks(store().url);
    houses.push(house);
    return house;
  };
  afterEach(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
  });
  const guard = async (
    { house }: LockHouse,
    { caller }: Awaited<ReturnType<LockHouse["as"]>>,
    files: string[],
    more: Partial<GuardFiles> = {},
  ): Promise<GuardFindings> => house.rooms.locks.guardFiles(caller.principal, { files, ...more });
  const refusedOf = ({ refused }: GuardFindings): unknown[] => refused.map(({ path, code }) => [path, code]);
  const lapse = (house: LockHouse): Promise<void> => passTime(store().url, house.namespace, 2_001);
  const brief = { lease_seconds: 2 };

  it("is refused until the agent takes it again", async () => {
    const house = await open();
    const [alice, bob] = [await house.as("alice"), await house.as("bob")];
    await alice.acquire("a.ts", brief);
    await lapse(house);
    expect(refusedOf(await guard(house, alice, ["a.ts"]))).toEqual([]);
    const { lock_id: bobs } = await bob.acquire("a.ts");
    expect(await guard(house, alice, ["a.ts"])).toMatchObject({
      reserved: [{ path: "a.ts", agent: "bob" }],
      refused: [],
    });
    await bob.release(bobs!);
    for (let n = 0; n < 2; n++) {
      const found = await guard(house, alice, ["a.ts", "b.ts"]);
      expect(refusedOf(found)).toEqual([["a.ts", "lock.lost_since"]]);
      expect(found.refused[0]!.message).toMatch(
        /your lock on it was lost at 20\S+Z, and bob got it at 20\S+Z.*acquire_lock/,
      );
    }
    expect(refusedOf(await guard(house, bob, ["a.ts"]))).toEqual([]);
    const { lock_id: again } = await alice.acquire("a.ts");
    expect(refusedOf(await guard(house, alice, ["a.ts"]))).toEqual([]);
    await alice.release(again!);
    expect(refusedOf(await guard(house, alice, ["a.ts"]))).toEqual([]);
    const { lock_id: later } = await bob.acquire("a.ts");
    await bob.release(later!);
    expect(refusedOf(await guard(house, alice, ["a.ts"]))).toEqual([]);
  });

  it.each([
    ["src/**", "src/a.ts"],
    ["src/a.ts", "**"],
    ["src/*.ts", "src/**"],
    ["src/a.ts", "src/a*"],
  ])("is found where %s was lost and %s granted", async (lost, granted) => {
    const house = await open();
    const [alice, bob] = [await house.as("alice"), await house.as("bob")];
    await alice.acquire(lost, brief);
    await lapse(house);
    const { lock_id: bobs } = await bob.acquire(granted);
    await bob.release(bobs!);
    expect(refusedOf(await guard(house, alice, ["src/a.ts", "lib/a.ts"]))).toEqual([
      ["src/a.ts", "lock.lost_since"],
    ]);
    const { lock_id: again } = await alice.acquire("src/a.ts");
    await alice.release(again!);
    expect(refusedOf(await guard(house, alice, ["src/a.ts"]))).toEqual([]);
  });

  it("is refused also where the lock was taken by force, or its run died or was stopped", async () => {
    const house = await open();
    const bob = await house.as("bob");
    const ways: ((run: string, lockId: string) => Promise<unknown>)[] = [
      (_, lockId) => forceRelease(house.house.locks, operatorOf(house), lockId, "why"),
      (run) => releaseRun(house.house.locks, house.namespace, run, false, true),
      (run) => releaseRun(house.house.locks, house.namespace, run, true, true),
    ];
    for (const [n, lose] of ways.entries()) {
      const alice = await house.as(`alice${n}`);
      const { lock_id: had } = await alice.acquire("a.ts");
      await lose(alice.caller.run.id, had!);
      const { lock_id: bobs } = await bob.acquire("a.ts");
      await bob.release(bobs!);
      expect(refusedOf(await guard(house, alice, ["a.ts"]))).toEqual([["a.ts", "lock.lost_since"]]);
    }
  });

  it("is nothing where it was given back, shared, or had by the agent alone", async () => {
    const house = await open();
    const [alice, bob, carol] = [await house.as("alice"), await house.as("bob"), await house.as("carol")];
    await carol.acquire("lost.ts", brief);
    const { lock_id: given } = await alice.acquire("a.ts");
    await alice.release(given!);
    await alice.acquire("s.ts", { ...brief, mode: "shared" });
    await alice.acquire("own.ts", brief);
    await lapse(house);
    for (const [resource, mode] of [
      ["a.ts", "exclusive"],
      ["s.ts", "shared"],
    ] as const)
      await bob.release((await bob.acquire(resource, { mode })).lock_id!);
    const other = await house.as("alice");
    await other.release((await other.acquire("own.ts")).lock_id!);
    expect(refusedOf(await guard(house, alice, ["a.ts", "s.ts", "own.ts"]))).toEqual([]);
  });

  it.each(["src/a\tb.ts", "src/a*b.ts", "src/a\nb/c.ts"])(
    "is refused of %j, whose name no lock can have, until its pattern is taken again",
    async (file) => {
      const house = await open();
      const [alice, bob] = [await house.as("alice"), await house.as("bob")];
      await alice.acquire("src/**", brief);
      await lapse(house);
      const take = { take: { session: "s1", lease_seconds: 60 } };
      expect(refusedOf(await guard(house, alice, [file]))).toEqual([]);
      await bob.release((await bob.acquire("src/**")).lock_id!);
      for (const more of [{}, take])
        expect(refusedOf(await guard(house, alice, [file, `lib/${file}`], more))).toEqual([
          [file, "lock.lost_since"],
        ]);
      expect(refusedOf(await guard(house, bob, [file]))).toEqual([]);
      const { lock_id: again } = await alice.acquire("src/**");
      expect(refusedOf(await guard(house, alice, [file]))).toEqual([]);
      await alice.release(again!);
      for (const more of [{}, take]) expect(refusedOf(await guard(house, alice, [file], more))).toEqual([]);
    },
  );

  it("stays ended however many others lock the same after it was taken again", async () => {
    const house = await open();
    const [alice, bob] = [await house.as("alice"), await house.as("bob")];
    await alice.acquire("src/**", brief);
    await lapse(house);
    await bob.release((await bob.acquire("src/a.ts")).lock_id!);
    await alice.release((await alice.acquire("src/a.ts")).lock_id!);
    expect(refusedOf(await guard(house, alice, ["src/a.ts"]))).toEqual([]);
    for (let n = 0; n < 17; n++) {
      const one = await house.as(`agent${n}`);
      await one.release((await one.acquire("src/a.ts")).lock_id!);
    }
    expect(refusedOf(await guard(house, alice, ["src/a.ts"]))).toEqual([]);
  });

  it("is told once, with who had it, to an edit that reserves it", async () => {
    const house = await open();
    const [alice, bob] = [await house.as("alice"), await house.as("bob")];
    await alice.acquire("a.ts", brief);
    await lapse(house);
    await bob.release((await bob.acquire("a.ts")).lock_id!);
    const take = { take: { session: "s1", lease_seconds: 60 } };
    expect((await guard(house, alice, ["a.ts"], take)).lost).toEqual([
      {
        path: "a.ts",
        lost_at: expect.stringMatching(/^20/),
        agent: "bob",
        since: expect.stringMatching(/^20/),
      },
    ]);
    expect((await guard(house, alice, ["a.ts"], take)).lost).toBeUndefined();
    expect(refusedOf(await guard(house, alice, ["a.ts"]))).toEqual([]);
  });

  it("is forgotten after a day, costs nothing where nobody lost anything, and stays within its bounds", async () => {
    const house = await open();
    const [alice, bob] = [await house.as("alice"), await house.as("bob")];
    const redis = rawStore(store().url);
    const { since } = lockKeys(house.namespace);
    try {
      await bob.release((await bob.acquire("x.ts")).lock_id!);
      expect(await redis.exists(since)).toBe(0);
      await alice.acquire("a.ts", brief);
      await lapse(house);
      for (let n = 0; n < 3; n++) await bob.release((await bob.acquire("a.ts")).lock_id!);
      for (let n = 0; n < 20; n++) {
        const one = await house.as(`agent${n}`);
        await one.release((await one.acquire("a.ts")).lock_id!);
      }
      const noted = (await redis.hget(since, "l|a.ts/"))!.split("\n");
      expect(noted.filter((line) => line.startsWith("l|"))).toHaveLength(1);
      expect(noted.filter((line) => line.startsWith("g|"))).toHaveLength(16);
      const long = String(Date.now() - 86_400_001);
      await redis.hset(since, "l|a.ts/", noted.map((line) => line.replace(/\d+\t/, `${long}\t`)).join("\n"));
      expect(refusedOf(await guard(house, alice, ["a.ts"]))).toEqual([]);
      await bob.release((await bob.acquire("new.ts")).lock_id!);
      expect(await redis.hkeys(since)).toEqual(["l|new.ts/"]);
    } finally {
      redis.disconnect();
    }
  });

  it("refuses a token that does not hold what it is for, and says who has or had it", async () => {
    const house = await open();
    const [alice, bob] = [await house.as("alice"), await house.as("bob")];
    const { token: old } = await alice.acquire("src/**", brief);
    const given = (fencing_token: number, resource = "src/a.ts"): Partial<GuardFiles> => ({
      tokens: [{ resource, fencing_token }],
    });
    const messageOf = async (token: number, resource?: string): Promise<string> => {
      const found = await guard(house, alice, ["src/a.ts"], given(token, resource));
      return found.refused.map(({ path, code, message }) => `${path} ${code} ${message}`).join("\n");
    };
    expect(await messageOf(old!)).toBe("");
    expect(await messageOf(old!, "other")).toMatch(/^other lock\.token_refused .*nobody holds it now/);
    await lapse(house);
    const bobs = await bob.acquire("src/a.ts");
    expect(await messageOf(old!)).toMatch(/^src\/a\.ts lock\.token_refused .*bob holds it now/);
    expect(await messageOf(bobs.token!)).toMatch(/lock\.token_refused .*it is bob's/);
    expect(await messageOf(bobs.token! + 9_000_000_000)).toMatch(/no token that high was given/);
    await bob.release(bobs.lock_id!);
    expect(await messageOf(old!)).toMatch(
      /lock\.token_refused .*nobody holds it now, and bob got it at 20\S+Z.*acquire_lock/,
    );
  });
});
