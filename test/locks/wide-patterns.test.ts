import fc from "fast-check";
import { afterEach, expect, it } from "vitest";
import { overlaps, parseResource, type Resource } from "../../src/addresses/index.js";
import type { LockLimits } from "../../src/locks/index.js";
import { conflictsOf } from "../../src/locks/list-locks.js";
import { lockKeys } from "../../src/redis/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { hookAgents } from "./hook-agents.js";
import { type LockHouse, openLocks, passTime, rawStore } from "./open-locks.js";

const codeOf = (error: unknown): unknown => (error as { readonly code?: unknown }).code;

describeOnEachStore("patterns that mean much", (store) => {
  const houses: LockHouse[] = [];
  const open = async (limits: Partial<LockLimits> = {}): Promise<LockHouse> => {
    const house = await openLocks(store().url, limits);
    houses.push(house);
    return house;
  };
  const sixteen = (n: number): string[] => Array.from({ length: 16 }, (_, k) => `**/q${n}-${k}`);
  afterEach(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
  });

  it("are looked for together, when they are asked for and when they run out", async () => {
    const house = await open();
    const [bob, carol, dan] = [await house.as("bob"), await house.as("carol"), await house.as("dan")];
    for (let n = 0; n < 50; n++) await carol.acquire(`name${n}`);
    const redis = rawStore(store().url);
    // The embedded engine keeps no such numbers.
    const looks = async (work: () => Promise<unknown>): Promise<number> => {
      const calls = async (): Promise<number> =>
        Number(/cmdstat_zrangebylex:calls=(\d+)/.exec(await redis.info("commandstats"))?.[1] ?? 0);
      const before = await calls();
      await work();
      return (await calls()) - before;
    };
    const take = async (n: number): Promise<void> =>
      void expect(await bob.acquire(sixteen(n), { lease_seconds: 60 })).toMatchObject({ state: "granted" });
    for (let n = 0; n < 19; n++) await take(n);
    expect(await looks(() => take(19))).toBeLessThan(8);
    const wait = dan.acquire("web/q7-3", { wait_seconds: 20 });
    await expect.poll(async () => (await carol.list("web/q7-3")).waiters.length).toBe(1);
    await passTime(store().url, house.namespace, 60_001);
    const [freed] = await Promise.all([looks(() => carol.acquire("elsewhere")), wait]);
    expect(freed).toBeLessThan(40);
    expect(await wait).toMatchObject({ state: "granted" });
    redis.disconnect();
  });

  it("are found by exactly those that overlap one of several", async () => {
    const house = await open();
    const letters = (most: number): fc.Arbitrary<string> =>
      fc.string({ unit: fc.constantFrom("a", "b", "é"), maxLength: most });
    const end = fc.oneof(
      { weight: 6, arbitrary: fc.tuple(letters(3), letters(3)).map((parts) => parts.join("*")) },
      { weight: 4, arbitrary: fc.tuple(letters(3), letters(1)).map((parts) => parts.join("") || "a") },
      { weight: 1, arbitrary: fc.constant("**") },
    );
    const resource = fc
      .tuple(fc.constantFrom("", "**/", "**/", "a/", "*/", "a/**/"), end)
      .map((parts) => parseResource(parts.join("")));
    const some = (seed: number, numRuns: number): Resource[][] =>
      fc.sample(fc.uniqueArray(resource, { minLength: 1, maxLength: 5 }), { seed, numRuns });
    const held = some(5, 80);
    const bob = await house.as("bob");
    for (const [n, resources] of held.entries()) {
      const run = n % 20 === 0 ? await house.as(`agent${n}`) : bob;
      await run.acquire(resources.slice(0, 1 + (n % 4)), { mode: "shared", lease_seconds: 3_600 + n });
    }
    const all = (await bob.list()).holders;
    let found = 0;
    for (const asked of some(6, 150)) {
      const expected = all.filter(({ resources }) =>
        resources.some((own) => asked.some((one) => overlaps(own as Resource, one))),
      );
      const conflicts = await conflictsOf(house.house.locks, bob.caller, asked, "exclusive");
      const nameOf = (one: { readonly lock_id: string }): string => one.lock_id;
      expect(conflicts.map(nameOf).sort()).toEqual(expected.map(nameOf).sort());
      found += conflicts.length;
    }
    expect(found).toBeGreaterThan(300);
  });

  it("cost not much more where they end in a wildcard, or differ only before their ends", async () => {
    const house = await open();
    const [bob, carol, dan] = [await house.as("bob"), await house.as("carol"), await house.as("dan")];
    const letters = "abcdefghijklmno";
    const fifteen = (n: number, end: string): string[] =>
      [...letters].map((letter) => `**/q${String(n).padStart(2, "0")}${letter}${end}`);
    await carol.acquire("hers");
    const tookMs = { plain: [] as number[], wild: [] as number[], before: [] as number[] };
    const wait = async (how: keyof typeof tookMs, run: typeof bob, resources: string[]): Promise<void> => {
      const from = performance.now();
      expect(await run.acquire(["hers", ...resources])).toMatchObject({ state: "queued" });
      tookMs[how].push(performance.now() - from);
    };
    // Whoever has something else as well is looked for circles by all that it waits for.
    await bob.acquire("his");
    await dan.acquire("dans");
    for (let n = 0; n < 24; n++) await wait("plain", dan, fifteen(n, ""));
    for (const { ticket } of (await dan.list("hers")).waiters) await dan.release(ticket);
    for (let n = 0; n < 24; n++) await wait("wild", bob, fifteen(n, "*"));
    for (const { ticket } of (await dan.list("hers")).waiters) await bob.release(ticket);
    for (let n = 0; n < 24; n++) await wait("before", bob, fifteen(n, "/x/y"));
    // The middle one: a machine that stands still for a while does so in one of them.
    const middleOf = (all: number[]): number => all.sort((a, b) => a - b)[all.length >> 1]!;
    const plainMs = middleOf(tookMs.plain);
    expect(middleOf(tookMs.wild)).toBeLessThan(8 * plainMs);
    expect(middleOf(tookMs.before)).toBeLessThan(25 * plainMs);
  });

  /** Sixteen of 32 segments, all alike but for the first and the last. */
  const long = (n: number): string[] =>
    Array.from({ length: 16 }, (_, k) => [`w${n}-${k}`, ...Array(30).fill("a*"), `e${n}-${k}`].join("/"));
  /** Sixteen that are looked for in each of those at every place, and are nowhere. */
  const middle = (n: number): string[] => Array.from({ length: 16 }, (_, k) => `**/a*/a*/a*/z${n}-${k}/**`);

  it("are refused where they are compared with too much, and nothing is done", async () => {
    const house = await open();
    const [bob, carol] = [await house.as("bob"), await house.as("carol")];
    await bob.acquire(long(0));
    await carol.acquire("own");
    const redis = rawStore(store().url);
    const { due } = lockKeys(house.namespace);
    const before = await redis.zrange(due, "0", "-1");
    await expect(carol.acquire(middle(0))).rejects.toMatchObject({ code: "lock.too_wide" });
    await expect(carol.acquire(middle(0), { wait_seconds: 5 })).rejects.toMatchObject({
      code: "lock.too_wide",
    });
    expect(await redis.zrange(due, "0", "-1")).toEqual(before);
    redis.disconnect();
    // What the remedy says.
    expect(await carol.acquire(middle(0).slice(0, 2))).toMatchObject({ state: "granted" });
    expect(await carol.acquire(middle(0).map((one) => `src/${one}`))).toMatchObject({ state: "granted" });
    // What is held is no new wish, whatever came beside it.
    const { lock_id: id } = await carol.acquire(middle(1).slice(0, 2));
    for (let n = 1; n < 4; n++) await bob.acquire(long(n));
    expect(await carol.acquire(middle(1).slice(0, 2))).toMatchObject({ state: "already_held", lock_id: id });
    expect(await carol.release(id!)).toMatchObject({ state: "released" });
  });

  it("are not looked for among too much at once", async () => {
    const house = await open();
    const bob = await house.as("bob");
    for (let n = 0; n < 110; n++) await bob.acquire(long(n));
    const asked = middle(0).map((one) => parseResource(one));
    expect(await conflictsOf(house.house.locks, bob.caller, asked.slice(0, 4), "exclusive")).toEqual([]);
    await expect(conflictsOf(house.house.locks, bob.caller, asked, "exclusive")).rejects.toMatchObject({
      code: "lock.too_wide",
    });
  });

  it("are handed on bit by bit where many of them wait", async () => {
    const house = await open();
    const [bob, carol, dan] = [await house.as("bob"), await house.as("carol"), await house.as("dan")];
    const alike = (n: number): string[] =>
      Array.from({ length: 15 }, (_, k) => `**/q${n}-${k}${"/x".repeat(20)}`);
    const { lock_id: id } = await carol.acquire(["hers", "his"]);
    for (let n = 0; n < 26; n++)
      expect(await bob.acquire(["hers", ...alike(n)])).toMatchObject({ state: "queued" });
    const wait = dan.acquire("his", { wait_seconds: 40 });
    await expect.poll(async () => (await carol.list("his")).waiters.length).toBe(1);
    expect(await carol.release(id!)).toMatchObject({ next: ["bob"] });
    const redis = rawStore(store().url);
    const { meta } = lockKeys(house.namespace);
    const unseen = String(await redis.hget(meta, "unseen")).split(" ");
    expect(unseen.length).toBeGreaterThan(10);
    // Whoever comes meanwhile comes after who is still to be looked at.
    expect(await carol.acquire("his")).toMatchObject({ state: "queued" });
    expect(await wait).toMatchObject({ state: "granted" });
    await expect.poll(() => redis.hmget(meta, "gone", "unseen"), { timeout: 20_000 }).toEqual([null, null]);
    redis.disconnect();
  });

  it("that mean everything end of what is over no more than others do, and have it all", async () => {
    const house = await open();
    const [bob, carol, dan] = [await house.as("bob"), await house.as("carol"), await house.as("dan")];
    const [alice] = await hookAgents(house, "alice");
    const ids: string[] = [];
    for (let n = 0; n < 460; n++)
      ids.push((await bob.acquire(`x${String(n).padStart(3, "0")}`, { lease_seconds: 600 })).lock_id!);
    await alice!.edits("z.ts", 700);
    const { lock_id: given } = await bob.acquire("zz", { lease_seconds: 3_600 });
    const { ticket } = await dan.acquire("zz");
    await bob.release(given!);
    await passTime(store().url, house.namespace, 700_001);
    const redis = rawStore(store().url);
    const { due, meta } = lockKeys(house.namespace);
    const isOver = async (): Promise<number> => redis.zcount(due, "-inf", (await redis.hget(meta, "time"))!);
    const before = (await isOver()) + 1;
    const { lock_id: all } = await carol.acquire("**");
    expect(all).toBeDefined();
    const after = await isOver();
    expect(after).toBeLessThan(before);
    expect(after).toBeGreaterThan(20);
    // What is over and not ended yet is nobody's.
    expect(await dan.claim(ticket!)).toMatchObject({ state: "queued", holders: [{ agent: "carol" }] });
    await expect(bob.renew(ids[459]!)).rejects.toMatchObject({ code: "lock.not_yours" });
    expect((await bob.release(ids[458]!)).state).toBe("lost");
    await carol.release(all!);
    // It may have been changed in between, whenever its end was noted.
    await expect.poll(isOver, { timeout: 20_000 }).toBe(0);
    const { lost } = await house.house.rooms.locks.guardFiles(alice!.caller.principal, {
      files: ["z.ts"],
      take: { session: "s", lease_seconds: 60 },
    });
    expect(lost).toMatchObject([{ path: "z.ts" }]);
    redis.disconnect();
  });

  it("wait for what has to rest after it is over, however much that is", async () => {
    const house = await open({ delayMs: 60_000 });
    const [bob, carol] = [await house.as("bob"), await house.as("carol")];
    for (let n = 0; n < 450; n++) await bob.acquire(`x${n}`, { lease_seconds: 600 });
    await passTime(store().url, house.namespace, 600_001);
    expect(await carol.acquire("**")).toMatchObject({ state: "queued" });
  });

  it("that run out, more than end at once, are had at once by whoever asks for one of them", async () => {
    const house = await open();
    const [bob, carol, dan] = [await house.as("bob"), await house.as("carol"), await house.as("dan")];
    for (let n = 0; n < 220; n++) await bob.acquire(sixteen(n), { lease_seconds: 600 });
    const { ticket } = await dan.acquire("d/q218-2");
    await passTime(store().url, house.namespace, 600_001);
    expect(await carol.acquire("c/q219-1")).toMatchObject({ state: "granted" });
    expect(await dan.claim(ticket!)).toMatchObject({ state: "granted" });
    expect(await carol.acquire("c/q0-1")).toMatchObject({ state: "granted" });
  });

  it("that are over are renewed, kept and given back by nobody, however much else ended with them", async () => {
    const house = await open();
    const bob = await house.as("bob");
    const last: string[] = [];
    for (const one of ["a", "b", "c", "d"])
      last.push((await bob.acquire(one, { lease_seconds: 600, idempotency_key: one })).lock_id!);
    const [renewed, released, touched] = last as [string, string, string];
    const redis = rawStore(store().url);
    const { due, meta } = lockKeys(house.namespace);
    // What has to be done away with before them, as if as many others had run out.
    for (let n = 0; n < 900; n++) await redis.zadd(due, 1, `gone${n}`);
    await passTime(store().url, house.namespace, 600_100);
    await expect(bob.renew(renewed)).rejects.toMatchObject({ code: "lock.not_yours" });
    expect((await bob.release(released)).state).toBe("lost");
    expect(await bob.acquire("d", { lease_seconds: 600, idempotency_key: "d" }).catch(codeOf)).toBe(
      "lock.not_yours",
    );
    house.house.locks.known(bob.caller)!.heard(undefined);
    expect(await bob.news()).toContain(`lost ${touched}`);
    // More is due even now.
    expect(await redis.zcount(due, "-inf", (await redis.hget(meta, "time"))!)).toBeGreaterThan(0);
    redis.disconnect();
  });

  it("that are over are in no circle of waits, and pass to no other run of their agent", async () => {
    const house = await open();
    const [bob, other, carol] = [await house.as("bob"), await house.as("bob"), await house.as("carol")];
    await carol.acquire("hers", { lease_seconds: 3_600 });
    const { lock_id: inner } = await bob.acquire("d/x", { lease_seconds: 3_600 });
    const { lock_id: outer } = await bob.acquire("d/**", { lease_seconds: 600 });
    await bob.acquire("his", { lease_seconds: 600 });
    await bob.news();
    expect(await carol.acquire("his")).toMatchObject({ state: "queued" });
    const redis = rawStore(store().url);
    const { due } = lockKeys(house.namespace);
    for (let n = 0; n < 900; n++) await redis.zadd(due, 1, `gone${n}`);
    redis.disconnect();
    await passTime(store().url, house.namespace, 600_100);
    expect(await bob.acquire("hers")).toMatchObject({ state: "queued" });
    expect(await other.renew(inner!)).toMatchObject({ state: "renewed" });
    expect(house.house.locks.known(other.caller)!.leases.has(outer!)).toBe(false);
  });

  it("keep no turn that is over in a circle of waits, however much else ended with it", async () => {
    const house = await open();
    const [alice, bob, carol] = [await house.as("alice"), await house.as("bob"), await house.as("carol")];
    const { lock_id: id } = await carol.acquire("x", { lease_seconds: 3_600 });
    const { ticket } = await alice.acquire("x");
    await bob.acquire("his", { lease_seconds: 3_600 });
    await bob.acquire("x");
    expect(await carol.release(id!)).toMatchObject({ next: ["alice"] });
    // While it is her turn she would wait for bob, and he for her.
    await expect(alice.acquire("his")).rejects.toMatchObject({ code: "lock.deadlock" });
    const redis = rawStore(store().url);
    const { due } = lockKeys(house.namespace);
    for (let n = 0; n < 900; n++) await redis.zadd(due, 1, `gone${n}`);
    redis.disconnect();
    await passTime(store().url, house.namespace, 600_000);
    expect(await alice.acquire("his")).toMatchObject({ state: "queued" });
    expect((await alice.list("x")).holders).toMatchObject([{ lock_id: ticket }]);
  });

  it("go with their run, however many there are", async () => {
    const house = await open();
    const [bob, carol] = [await house.as("bob"), await house.as("carol")];
    for (let n = 0; n < 60; n++) await bob.acquire(sixteen(n));
    const wait = carol.acquire("c/q59-1", { wait_seconds: 20 });
    await expect.poll(async () => (await bob.list("c/q59-1")).waiters.length).toBe(1);
    await bob.end();
    expect(await wait).toMatchObject({ state: "granted" });
    expect((await carol.list()).holders).toHaveLength(1);
  });
});
