import { afterEach, expect, it } from "vitest";
import { AcquireLock, type LockLimits, verifyToken } from "../../src/locks/index.js";
import { lockKeyList, lockKeys } from "../../src/redis/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { type Locker, type LockHouse, openLocks, passTime, rawStore } from "./open-locks.js";

/** What went wrong in the systems this one replaces, each by its name. */
describeOnEachStore("a defect of other locks that ours do not have:", (store) => {
  const houses: LockHouse[] = [];
  const open = async (limits: Partial<LockLimits> = {}, namespace?: string): Promise<LockHouse> => {
    const house = await openLocks(store().url, limits, namespace);
    houses.push(house);
    return house;
  };
  const three = async (house: LockHouse): Promise<[Locker, Locker, Locker]> => [
    await house.as("alice"),
    await house.as("bob"),
    await house.as("carl"),
  ];
  afterEach(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
  });

  it("a holder's expiry stranded the queue while a newcomer of low priority got the lock", async () => {
    const house = await open();
    const [alice, bob, carl] = await three(house);
    await alice.acquire("x", { lease_seconds: 60 });
    const { ticket } = await bob.acquire("x", { priority: 5 });
    await passTime(store().url, house.namespace, 60_001);
    expect(await carl.acquire("x", { priority: 0 })).toMatchObject({
      state: "queued",
      place: 1,
      holders: [{ agent: "bob", state: "offered" }],
    });
    expect(await bob.claim(ticket!)).toMatchObject({ state: "granted" });
  });

  it("ties were broken by name instead of arrival", async () => {
    const house = await open();
    const holder = await house.as("holder");
    const { lock_id: held } = await holder.acquire("x");
    const names = ["zoe", "mia", "abe"];
    for (const name of names) await (await house.as(name)).acquire("x");
    expect((await holder.list("x")).waiters.map(({ agent }) => agent)).toEqual(names);
    expect((await holder.release(held!)).next).toEqual(["zoe"]);
  });

  it.each(["deadlock", "customer:lock", "lock", "x/lock", "held"])(
    'a resource whose name ends in "lock", such as %s, was never handed on',
    async (name) => {
      const house = await open();
      const [alice, bob] = await three(house);
      const { lock_id: held } = await alice.acquire(name);
      const { ticket } = await bob.acquire(name);
      expect((await alice.release(held!)).next).toEqual(["bob"]);
      expect(await bob.claim(ticket!)).toMatchObject({ state: "granted" });
    },
  );

  it("a waiter that retried and acquired was granted again by its own release", async () => {
    const house = await open();
    const [alice, bob, carl] = await three(house);
    const { lock_id: held } = await alice.acquire("x");
    const first = await bob.acquire("x");
    expect((await bob.acquire("x")).ticket).toBe(first.ticket);
    await alice.release(held!);
    const granted = await bob.acquire("x");
    expect(granted).toMatchObject({ state: "granted", lock_id: first.ticket });
    expect(await bob.release(granted.lock_id!)).toMatchObject({ state: "released", next: [] });
    expect(await carl.acquire("x")).toMatchObject({ state: "granted" });
  });

  it("a cancel with nothing queued killed the next legitimate acquire", async () => {
    const house = await open();
    const [alice] = await three(house);
    expect(await alice.release("lk-000000000000")).toMatchObject({ state: "gone" });
    const { lock_id: held } = await alice.acquire("x");
    expect(await alice.acquire("x")).toMatchObject({ state: "already_held", lock_id: held });
  });

  it("a cancel after the grant left the lock held", async () => {
    const house = await open();
    const [alice, bob, carl] = await three(house);
    const { lock_id: held } = await alice.acquire("x");
    const { ticket } = await bob.acquire("x");
    await alice.release(held!);
    await bob.claim(ticket!);
    expect(await bob.release(ticket!)).toMatchObject({ state: "released" });
    expect(await carl.acquire("x")).toMatchObject({ state: "granted" });
  });

  it("asking again with a higher priority kept the old place", async () => {
    const house = await open();
    const [alice, bob, carl] = await three(house);
    await alice.acquire("x");
    await bob.acquire("x", { priority: 5 });
    expect(await carl.acquire("x", { priority: 5 })).toMatchObject({ place: 2 });
    expect(await carl.acquire("x", { priority: 6 })).toMatchObject({ place: 1 });
    expect(await carl.acquire("x", { priority: 1 })).toMatchObject({ place: 1 });
  });

  it("the grant had the default lease, not the one asked for", async () => {
    const house = await open();
    const [alice, bob] = await three(house);
    const { lock_id: held } = await alice.acquire("x");
    const { ticket } = await bob.acquire("x", { lease_seconds: 7_200 });
    await alice.release(held!);
    const { expires_at: until } = await bob.claim(ticket!);
    expect(Date.parse(until!) - house.house.store.now()).toBeGreaterThan(7_190_000);
  });

  it("a release without ownership worked for anyone who knew the id", async () => {
    const house = await open();
    const [alice, bob, carl] = await three(house);
    const { lock_id: held } = await alice.acquire("x");
    const { ticket } = await bob.acquire("x");
    // It is not told either that there is such a one.
    const never = await carl.release("lk-000000000000");
    expect(never).toMatchObject({ state: "gone" });
    for (const id of [held!, ticket!]) expect(await carl.release(id)).toEqual(never);
    await expect(carl.renew(held!)).rejects.toThrow(/^lock\.not_yours/);
    await expect(carl.claim(ticket!)).rejects.toThrow(/^lock\.ticket_unknown/);
    expect(await alice.acquire("x")).toMatchObject({ state: "already_held" });
    expect(await bob.claim(ticket!)).toMatchObject({ state: "queued", place: 1 });
  });

  it('a queued ticket reported "expired"', async () => {
    const house = await open();
    const [alice, bob] = await three(house);
    await alice.acquire("x", { lease_seconds: 86_400 });
    const { ticket } = await bob.acquire("x", { lease_seconds: 1 });
    await passTime(store().url, house.namespace, 7_200_000);
    expect(await bob.claim(ticket!)).toMatchObject({ state: "queued", place: 1, ticket });
  });

  it("extending by 10 s shortened a lease of 300 s", async () => {
    const house = await open();
    const [alice] = await three(house);
    const { lock_id: held, expires_at: first } = await alice.acquire("x", { lease_seconds: 300 });
    const renewed = await alice.renew(held!, 10);
    expect(Date.parse(renewed.expires_at!)).toBeGreaterThanOrEqual(Date.parse(first!) - 5);
    const again = await alice.acquire("x", { lease_seconds: 1 });
    expect(Date.parse(again.expires_at!)).toBeGreaterThanOrEqual(Date.parse(first!) - 5);
  });

  it.each([-1, 0, 86_401, 1.5, Number.NaN])("a lease of %s s became a raw store error", (seconds) => {
    const asked = AcquireLock.safeParse({ resources: ["x"], lease_seconds: seconds });
    expect(asked.success).toBe(false);
    expect(asked.error?.issues[0]?.path).toEqual(["lease_seconds"]);
  });

  it("(a:b, c) and (a, b:c) were one lock", async () => {
    const house = await open();
    const [alice, bob] = await three(house);
    expect(await alice.acquire(["a:b", "c"])).toMatchObject({ state: "granted" });
    expect(await bob.acquire(["a", "b:c"])).toMatchObject({ state: "granted" });
    expect(await alice.acquire(["c", "a:b"])).toMatchObject({ state: "already_held" });
    expect(await bob.acquire(["a:b:c"])).toMatchObject({ state: "granted" });
  });

  it("f and f/../f were two", async () => {
    const house = await open();
    const [alice, bob] = await three(house);
    await alice.acquire("src/f");
    for (const name of ["src/f/../f", "/src//./f", "src/g/../f/"])
      expect(await bob.acquire(name)).toMatchObject({ state: "queued" });
  });

  it("one instance's shutdown deleted everyone's locks", async () => {
    const here = await open();
    const there = await open({}, here.namespace);
    const [alice, bob] = [await here.as("alice"), await there.as("bob")];
    const { lock_id: own } = await alice.acquire("a");
    const { lock_id: kept } = await bob.acquire("b");
    const again = await here.as("alice");
    const { lock_id: sister } = await again.acquire("c");
    await alice.end();
    expect((await bob.list()).holders.map(({ lock_id: id }) => id).sort()).toEqual([kept!, sister!].sort());
    await houses.shift()!.close();
    expect((await bob.list()).holders.map(({ lock_id: id }) => id)).toEqual([kept]);
    expect(own).not.toBe(sister);
  });

  it("a grant went to a dead waiter", async () => {
    const house = await open();
    const [alice, bob, carl] = await three(house);
    const { lock_id: held } = await alice.acquire("x");
    const { ticket: dead } = await bob.acquire("x");
    const { ticket } = await carl.acquire("x");
    // Bob's process is another one, and has been silent for longer than two heartbeats.
    const redis = rawStore(store().url);
    const { requests, processes } = lockKeys(house.namespace);
    const record = await redis.hget(requests, dead!);
    const time = Number(await redis.hget(lockKeys(house.namespace).meta, "time"));
    await redis.hset(requests, dead!, record!.replace(/\|[^|]+\|/, "|gone|"));
    await redis.zadd(processes, String(time - 11_000), "gone");
    redis.disconnect();
    expect((await alice.release(held!)).next).toEqual(["carl"]);
    expect(await carl.claim(ticket!)).toMatchObject({ state: "granted" });
  });

  it("a grant announced before the waiter listened was lost", async () => {
    const house = await open();
    const [alice, bob] = await three(house);
    for (let n = 0; n < 5; n++) {
      const { lock_id: held } = await alice.acquire("x");
      // Released at the same moment: whichever comes first, bob gets it without waiting his whole time.
      const from = Date.now();
      const [granted] = await Promise.all([bob.acquire("x", { wait_seconds: 30 }), alice.release(held!)]);
      expect(granted.state).toBe("granted");
      expect(Date.now() - from).toBeLessThan(4_000);
      await bob.release(granted.lock_id!);
    }
  });

  it("there was no fencing", async () => {
    const house = await open();
    const [alice, bob] = await three(house);
    const old = await alice.acquire("x", { lease_seconds: 1 });
    const check = (resource: string, token: number) =>
      verifyToken(house.house.locks, bob.caller, resource, token);
    expect(await check("x", old.token!)).toMatchObject({ valid: true, agent: "alice" });
    await passTime(store().url, house.namespace, 1_001);
    expect(await check("x", old.token!)).toEqual({ valid: false, because: "not now" });
    const next = await bob.acquire("x");
    expect(next.token).toBeGreaterThan(old.token!);
    expect(await check("x", old.token!)).toEqual({ valid: false, holder: "bob", because: "not now" });
    expect(await check("x", next.token!)).toMatchObject({ valid: true, agent: "bob" });
    expect(await check("y", next.token!)).toEqual({ valid: false, because: "not now" });
  });

  it("a token came again after the tail of the store's log was lost", async () => {
    const house = await open();
    const [alice, bob] = await three(house);
    const redis = rawStore(store().url);
    const { meta } = lockKeys(house.namespace);
    await alice.acquire("a");
    const before = (await redis.hget(meta, "token"))!;
    const lost = await bob.acquire("b");
    await redis.hset(meta, "token", before);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await alice.acquire("c")).token).toBeGreaterThan(lost.token!);
    redis.disconnect();
  });

  it("keys were not declared, so there was no Cluster", async () => {
    const house = await open();
    const [alice, bob] = await three(house);
    const { lock_id: held } = await alice.acquire(["x/**", "y"]);
    await bob.acquire("x/*");
    await alice.renew(held!);
    await alice.list("x");
    await alice.release(held!);
    const redis = rawStore(store().url);
    const found = (await redis.keys(`*${house.namespace}*`)).filter((key) => key.includes(":lk"));
    redis.disconnect();
    expect(found.length).toBeGreaterThan(4);
    for (const key of found) expect(lockKeyList(lockKeys(house.namespace))).toContain(key);
  });

  it("there was no ageing", async () => {
    const house = await open({ ageingMs: 10_000, aliveMs: 300_000 });
    const [alice, bob, carl] = await three(house);
    await alice.acquire("x");
    const { ticket } = await bob.acquire("x", { priority: 0 });
    await passTime(store().url, house.namespace, 85_000);
    expect(await carl.acquire("x", { priority: 9 })).toMatchObject({ place: 1 });
    await carl.release((await carl.acquire("x", { priority: 9 })).ticket!);
    await passTime(store().url, house.namespace, 5_100);
    expect(await carl.acquire("x", { priority: 9 })).toMatchObject({ place: 2 });
    expect(await bob.claim(ticket!)).toMatchObject({ place: 1 });
  });

  it("there was no deadlock detection", async () => {
    const house = await open();
    const [alice, bob] = await three(house);
    await alice.acquire("x");
    await bob.acquire("y");
    await alice.acquire("y");
    await expect(bob.acquire("x")).rejects.toThrow(
      'lock.deadlock: this wait would never end: you wait for "x", where alice is before you; alice waits for "y", where you are before it. Nothing was queued',
    );
    expect((await bob.list("x")).waiters).toEqual([]);
  });
});
