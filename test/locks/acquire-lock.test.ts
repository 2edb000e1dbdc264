import { afterAll, afterEach, describe, type ExpectStatic, expect, it, vi } from "vitest";
import { parseResource } from "../../src/addresses/index.js";
import { decideApproval } from "../../src/approvals/index.js";
import { operatorPrincipal, type RunId } from "../../src/identity/index.js";
import type { LockLimits } from "../../src/locks/index.js";
import type { Inbox } from "../../src/mailbox/index.js";
import { lockKeyList, lockKeys } from "../../src/redis/index.js";
import { changeGrants } from "../agents/change-grants.js";
import { describeOnEachStore } from "../stores/index.js";
import { oddNames } from "./hostile.js";
import { type Locker, type LockHouse, openLocks, passTime, rawStore, soon } from "./open-locks.js";

describeOnEachStore.concurrent("acquire_lock", (store) => {
  const houses: LockHouse[] = [];
  const open = async (
    limits: Partial<LockLimits> = {},
    namespace?: string,
    settings: Record<string, string> = {},
  ): Promise<LockHouse> => {
    const house = await openLocks(store().url, limits, namespace, settings);
    houses.push(house);
    return house;
  };
  const three = async (house: LockHouse): Promise<[Locker, Locker, Locker]> => [
    await house.as("alice"),
    await house.as("bob"),
    await house.as("carl"),
  ];
  afterAll(async () => {
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

  it("gives all of the resources or none", async () => {
    const [alice, bob, carl] = await three(await open());
    const { lock_id: held } = await alice.acquire(["b", "c"]);
    expect(await bob.acquire(["a", "b"])).toMatchObject({ state: "queued", resources: ["a", "b"] });
    // Bob waits for both and has neither; what is free goes to others only behind him.
    expect((await carl.list("a")).holders).toEqual([]);
    expect(await carl.acquire("a")).toMatchObject({ state: "queued", place: 2 });
    expect((await alice.release(held!)).next).toEqual(["bob"]);
  });

  it("lets readers share, and keeps them behind a writer that came first", async () => {
    const house = await open();
    const [alice, bob, carl] = await three(house);
    const dora = await house.as("dora");
    const a = await alice.acquire("x", { mode: "shared" });
    const b = await bob.acquire("x", { mode: "shared" });
    expect([a.state, b.state]).toEqual(["granted", "granted"]);
    const writer = await carl.acquire("x");
    expect(writer).toMatchObject({ state: "queued", place: 1 });
    expect(writer.holders!.map(({ agent }) => agent)).toEqual(["alice", "bob"]);
    const reader = await dora.acquire("x", { mode: "shared" });
    expect(reader).toMatchObject({ state: "queued", place: 2 });
    expect((await alice.release(a.lock_id!)).next).toEqual([]);
    expect((await bob.release(b.lock_id!)).next).toEqual(["carl"]);
    const w = await carl.claim(writer.ticket!);
    expect((await carl.release(w.lock_id!)).next).toEqual(["dora"]);
  });

  it("makes patterns wait for what they mean, and names for the patterns that mean them", async () => {
    const house = await open();
    const [alice, bob, carl] = await three(house);
    await alice.acquire("src/auth/**");
    expect(await bob.acquire("src/auth/login.ts")).toMatchObject({ state: "queued" });
    expect(await bob.acquire("src/authority")).toMatchObject({ state: "granted" });
    expect(await carl.acquire("src/*")).toMatchObject({ state: "queued" });
    expect(await carl.acquire("docs/**")).toMatchObject({ state: "granted" });
    const dora = await house.as("dora");
    expect(await dora.acquire("**")).toMatchObject({ state: "queued", place: 3 });
    // Bob holds what Carl waits for, and Carl would be before him.
    await expect(bob.acquire("**")).rejects.toThrow(/^lock\.deadlock/);
  });

  it("hands a free part of a pattern to nobody who would come before its waiter", async () => {
    const [alice, bob, carl] = await three(await open());
    const { lock_id: held } = await alice.acquire("src/a");
    const { ticket } = await bob.acquire("src/**");
    expect(await carl.acquire("src/b")).toMatchObject({ state: "queued", place: 2 });
    expect(await carl.acquire("src/b", { priority: 10 })).toMatchObject({ state: "granted" });
    await alice.release(held!);
    expect(await bob.claim(ticket!)).toMatchObject({ state: "queued", holders: [{ agent: "carl" }] });
  });

  it("answers already_held with the same token for what the run holds, never granted", async () => {
    const house = await open();
    const [alice] = await three(house);
    const first = await alice.acquire(["b", "a"], { lease_seconds: 60 });
    const again = await alice.acquire(["a", "./b"], { lease_seconds: 600 });
    expect(again).toMatchObject({ state: "already_held", lock_id: first.lock_id, token: first.token });
    expect(Date.parse(again.expires_at!)).toBeGreaterThan(Date.parse(first.expires_at!));
    expect(await alice.acquire(["a", "b"], { mode: "shared" })).toMatchObject({ state: "already_held" });
    const keyed = await alice.acquire("c", { idempotency_key: "k" });
    expect(await alice.acquire("c", { idempotency_key: "k" })).toMatchObject({
      state: "already_held",
      lock_id: keyed.lock_id,
      token: keyed.token,
    });
    await expect(alice.acquire("d", { idempotency_key: "k" })).rejects.toThrow(/^lock\.idempotency_conflict/);
    await alice.release(keyed.lock_id!);
    await expect(alice.acquire("c", { idempotency_key: "k" })).rejects.toThrow(/^lock\.not_yours/);
  });

  it("answers already_held for what lies within one lease, and says what else that covers", async () => {
    const [alice, bob] = await three(await open());
    const pair = await alice.acquire(["a", "b"], { lease_seconds: 60 });
    const wide = await alice.acquire("src/**", { lease_seconds: 3_600 });
    const part = await alice.acquire("a");
    expect(part).toMatchObject({
      ...{ state: "already_held", lock_id: pair.lock_id, token: pair.token, resources: ["a", "b"] },
      leases: [{ lock_id: pair.lock_id, resources: ["a", "b"], covers: ["a"] }],
    });
    expect(Date.parse(part.expires_at!)).toBeGreaterThan(Date.parse(pair.expires_at!));
    for (const below of ["src/a", "src", "src/a/**", "src/*/b*", "src/**/x", "src/**"])
      expect(await alice.acquire(below)).toMatchObject({
        ...{ state: "already_held", lock_id: wide.lock_id, token: wide.token },
      });
    // Of a weaker mode is less, and the lease keeps its own length.
    const short = await alice.acquire("src/a", { mode: "shared", lease_seconds: 1 });
    expect(short).toMatchObject({ state: "already_held", lock_id: wide.lock_id });
    expect(Date.parse(short.expires_at!)).toBeGreaterThanOrEqual(Date.parse(wide.expires_at!));
    expect((await alice.list()).holders).toHaveLength(2);
    expect(await bob.acquire("src/a/b")).toMatchObject({ state: "queued" });
  });

  it("answers already_held with each lock, where several hold what is asked for together", async () => {
    const [alice] = await three(await open());
    const p = await alice.acquire("p");
    const q = await alice.acquire(["q", "r"]);
    const both = await alice.acquire(["q", "p"]);
    expect(both).toMatchObject({
      state: "already_held",
      resources: ["p", "q"],
      leases: [
        { lock_id: p.lock_id, token: p.token, covers: ["p"], resources: ["p"] },
        { lock_id: q.lock_id, token: q.token, covers: ["q"], resources: ["q", "r"] },
      ],
    });
    expect([both.lock_id, both.token]).toEqual([undefined, undefined]);
    expect((await alice.list()).holders).toHaveLength(2);
  });

  it("grants what is held in part alone, and names what was held before: writes go with the newest token", async () => {
    const house = await open();
    const [alice] = await three(house);
    const wide = await alice.acquire("src/**");
    const p = await alice.acquire("p", { mode: "shared" });
    const more = await alice.acquire(["p", "src/a", "z"]);
    expect(more).toMatchObject({ state: "granted", resources: ["p", "src/a", "z"] });
    expect(new Map(more.older!.map((one) => [one.lock_id, one.resources]))).toEqual(
      new Map([
        [wide.lock_id, ["src/a"]],
        [p.lock_id, ["p"]],
      ]),
    );
    // Asked again, the newest is meant: what was written under it refuses the older tokens.
    expect(await alice.acquire("src/a")).toMatchObject({ lock_id: more.lock_id, token: more.token });
    expect(await alice.acquire("src/b")).toMatchObject({ lock_id: wide.lock_id, token: wide.token });
    const { putState } = house.house.rooms.state;
    const write = (resource: string, token: number) =>
      putState(alice.caller, { key: "k", value: "1", resource, fencing_token: token });
    expect(await write("src/a", more.token!)).toMatchObject({ state: "stored" });
    await expect(write("src/a", wide.token!)).rejects.toThrow(/^lock\.stale_token/);
    expect(await write("src/b/**", wide.token!)).toMatchObject({ state: "stored" });
    expect((await alice.acquire("elsewhere")).older).toBeUndefined();
    // What two patterns have in common has no name by which it could be written to.
    await alice.acquire("w/*.ts");
    expect((await alice.acquire("w/a*")).older).toBeUndefined();
  });

  it("gives a newer token to who releases what it shares and asks anew, and not to who asks again", async () => {
    const house = await open();
    const [alice, bob] = await three(house);
    const shared = { mode: "shared" as const };
    const [first, second] = [await alice.acquire("s", shared), await bob.acquire("s", shared)];
    const { putState } = house.house.rooms.state;
    const write = ({ caller }: Locker, token: number) =>
      putState(caller, { key: "shared", value: "1", resource: "s", fencing_token: token });
    await write(bob, second.token!);
    await expect(write(alice, first.token!)).rejects.toThrow(
      /release_lock what you still hold of the resource/,
    );
    expect((await alice.acquire("s", shared)).token).toBe(first.token);
    await alice.release(first.lock_id!);
    const anew = await alice.acquire("s", shared);
    expect(await write(alice, anew.token!)).toMatchObject({ state: "stored" });
  });

  it("treats a stronger mode, or more, as another wish that does not conflict with the own", async () => {
    const [alice] = await three(await open());
    const shared = await alice.acquire("a", { mode: "shared" });
    const exclusive = await alice.acquire("a");
    expect(exclusive.state).toBe("granted");
    expect(exclusive.token).toBeGreaterThan(shared.token!);
    expect(await alice.acquire(["a", "b"])).toMatchObject({ state: "granted" });
  });

  it("does not let two runs of one agent hold the same", async () => {
    const house = await open();
    const [one, other] = [await house.as("alice"), await house.as("alice")];
    await one.acquire("x");
    expect(await other.acquire("x")).toMatchObject({ state: "queued", holders: [{ agent: "alice" }] });
    expect((await other.list("x")).holders).toMatchObject([{ own: "another run" }]);
    expect((await one.list("x")).holders).toMatchObject([{ own: "this run" }]);
    expect((await (await house.as("bob")).list("x")).holders[0]).not.toHaveProperty("own");
  });

  it("lets a run give back what another run of its agent has, which is told once that it lost it", async ({
    expect,
  }) => {
    const here = await open();
    const there = await open({}, here.namespace);
    const [one, other] = [await here.as("alice"), await there.as("alice")];
    const bob = await there.as("bob");
    const held = await one.acquire("x");
    const { ticket } = await bob.acquire("x");
    expect(await one.news()).toEqual([]);
    // A client without a session is another run in each process, and releases wherever it comes to.
    expect(await other.release(held.lock_id!)).toEqual({
      ...{ state: "released", next: ["bob"], replayed: false },
      other_run: one.caller.run.id.slice("alice/".length),
    });
    await expect.poll(() => one.news()).toEqual([`lost ${held.lock_id}`]);
    expect(await one.news()).toEqual([]);
    expect(await other.news()).toEqual([]);
    expect(await bob.claim(ticket!)).toMatchObject({ state: "granted" });
    // A place in the queue likewise, with a key that is remembered.
    const place = await one.acquire("x");
    for (const replayed of [false, true])
      expect(await other.release(place.ticket!, { idempotency_key: "k" })).toEqual({
        ...{ state: "left_queue", next: [], replayed },
        other_run: one.caller.run.id.slice("alice/".length),
      });
    await expect.poll(() => one.news()).toEqual([`place lost ${place.ticket}`]);
  });

  it("keeps every odd name apart from every other, and gives it back as it was given", async () => {
    const house = await open();
    const [alice, bob] = await three(house);
    const held = new Map<string, string>();
    for (const name of oddNames) {
      const { state, lock_id: id, resources } = await alice.acquire(name);
      expect([name, state]).toEqual([name, "granted"]);
      expect(resources).toEqual([parseResource(name)]);
      held.set(name, id!);
    }
    for (const name of oddNames) {
      const { holders } = await bob.list(name);
      expect([name, holders.map(({ lock_id: id }) => id)]).toEqual([name, [held.get(name)]]);
    }
    for (const id of held.values()) expect(await alice.release(id)).toMatchObject({ state: "released" });
    const redis = rawStore(store().url);
    const { requests, index, anchors, due, runs, offers } = lockKeys(house.namespace);
    for (const key of [requests, index, anchors, due, runs, offers])
      expect([key, await redis.exists(key)]).toEqual([key, 0]);
    redis.disconnect();
  });

  it("queues 256 for one resource and refuses the next, naming the resource", {
    timeout: 60_000,
  }, async () => {
    const house = await open({ waiters: 256 });
    const holder = await house.as("holder");
    const { lock_id: held } = await holder.acquire("x");
    const crowd = await Promise.all(Array.from({ length: 256 }, (_, n) => house.as(`w${n}`)));
    for (const one of crowd) expect((await one.acquire("x")).state).toBe("queued");
    const late = await house.as("late");
    await expect(late.acquire(["a", "x"])).rejects.toThrow(
      /^lock\.too_many_waiters: 256 requests wait for resource 2 already/,
    );
    expect(await late.acquire("y")).toMatchObject({ state: "granted" });
    expect((await holder.release(held!)).next).toEqual(["w0"]);
  });

  it("lets a run and a namespace have so much and no more", async () => {
    const house = await open({ requestsOfRun: 2, requests: 3 });
    const [alice, bob, carl] = await three(house);
    for (const name of ["a", "b"]) await alice.acquire(name);
    await expect(alice.acquire("c")).rejects.toThrow(/^lock\.full: this run has 2 /);
    await bob.acquire("c");
    await expect(carl.acquire("d")).rejects.toThrow(/^lock\.full: this namespace has 3 /);
  });

  it("offers what becomes free to somebody who is not there at the moment, for two minutes", async () => {
    const house = await open();
    const [alice, bob, carl] = await three(house);
    const { lock_id: held } = await alice.acquire("x");
    const { ticket } = await bob.acquire("x");
    const { ticket: later } = await carl.acquire("x");
    expect(await bob.news()).toEqual([]);
    await alice.release(held!);
    const inTwoMinutes = (until: string): void => {
      expect(Date.parse(until) - house.house.store.now()).toBeGreaterThan(110_000);
      expect(Date.parse(until) - house.house.store.now()).toBeLessThanOrEqual(120_100);
    };
    // Everybody is told its true end, also although nobody has beaten since.
    inTwoMinutes((await alice.list("x")).holders[0]!.until);
    inTwoMinutes((await carl.claim(later!)).holders![0]!.until);
    const turn = await soon(async () => {
      const [one] = await house.house.rooms.locks.news(bob.caller);
      return one ?? Promise.reject(new Error("bob has not heard of his turn"));
    });
    expect(turn).toMatchObject({ what: "your turn", id: ticket });
    inTwoMinutes((turn as { until: string }).until);
    const beat = async (ms: number): Promise<void> => {
      // Bob's process beats as it does while somebody in it waits.
      for (let left = ms; left > 0; left -= 4_000) {
        await passTime(store().url, house.namespace, Math.min(4_000, left));
        await carl.claim(later!);
      }
    };
    // With room for the time that the test itself takes.
    await beat(95_000);
    expect(await carl.claim(later!)).toMatchObject({ holders: [{ agent: "bob", state: "offered" }] });
    await beat(26_000);
    expect((await carl.list("x")).holders).toMatchObject([{ agent: "carl", state: "held" }]);
    // Passed over, but with his place kept: before whoever came after him.
    const dora = await house.as("dora");
    await dora.acquire("x");
    expect((await dora.list("x")).waiters.map(({ agent, passed_over }) => [agent, passed_over])).toEqual([
      ["bob", true],
      ["dora", false],
    ]);
    expect(await bob.claim(ticket!)).toMatchObject({ state: "queued", place: 1 });
    expect(await bob.news()).toEqual([]);
  });

  it("offers to one whose process is silent for five seconds only, and at once to the next", async () => {
    const house = await open();
    const [alice, bob, carl] = await three(house);
    const { lock_id: held } = await alice.acquire("x");
    const { ticket } = await bob.acquire("x");
    await carl.acquire("x");
    await alice.release(held!);
    const redis = rawStore(store().url);
    const { requests, processes, due } = lockKeys(house.namespace);
    const record = (await redis.hget(requests, ticket!))!;
    await redis.hset(requests, ticket!, record.replace(/\|[^|]+\|/, "|gone|"));
    await redis.zadd(due, "1", ticket!);
    await redis.zadd(processes, "1", "gone");
    await passTime(store().url, house.namespace, 4_000);
    const [offered] = (await alice.list("x")).holders;
    expect(offered).toMatchObject({ agent: "bob", state: "offered" });
    expect(Date.parse(offered!.until) - house.house.store.now()).toBeLessThanOrEqual(1_000);
    await passTime(store().url, house.namespace, 1_100);
    await alice.acquire("elsewhere");
    expect((await alice.list("x")).holders).toMatchObject([{ agent: "carl", state: "offered" }]);
    redis.disconnect();
  });

  it("tells a run once that its turn came, that it passed, that a lease ends soon, and that one is lost", async ({
    expect,
  }) => {
    const house = await open({ beatMs: 300, aliveMs: 60_000 });
    const [alice, bob, carl] = await three(house);
    const { lock_id: held } = await alice.acquire("x");
    const { ticket } = await bob.acquire("x");
    expect(await bob.news()).toEqual([]);
    // Bob's process hears of it although no call of his waits.
    const waiting = carl.acquire("x", { wait_seconds: 20 });
    await expect.poll(async () => (await alice.list("x")).waiters.length).toBe(2);
    await alice.release(held!);
    await expect.poll(() => bob.news()).toEqual([`your turn ${ticket}`]);
    expect(await bob.news()).toEqual([]);
    await passTime(store().url, house.namespace, 120_001);
    expect((await waiting).state).toBe("granted");
    await expect.poll(() => bob.news()).toEqual([`passed over ${ticket}`]);
    expect(await bob.news()).toEqual([]);

    const short = await alice.acquire("short", { lease_seconds: 60 });
    expect(await alice.news()).toEqual([]);
    await passTime(store().url, house.namespace, 60_001);
    await expect.poll(() => alice.news()).toEqual([`lost ${short.lock_id}`]);
    expect(await alice.news()).toEqual([]);
    await expect(alice.renew(short.lock_id!)).rejects.toThrow(/^lock\.not_yours/);
  });

  it("releases what a run holds and takes it out of the queues when the run ends", async () => {
    const house = await open();
    const [alice, bob, carl] = await three(house);
    await alice.acquire(["x", "y"]);
    const { ticket } = await bob.acquire("x");
    const { ticket: later } = await carl.acquire("y");
    await bob.end();
    await expect(carl.claim(ticket!)).rejects.toThrow(/^lock\.ticket_unknown/);
    await alice.end();
    expect(await carl.claim(later!)).toMatchObject({ state: "granted" });
    expect((await carl.list()).holders).toHaveLength(1);
    expect((await carl.list()).waiters).toEqual([]);
  });

  it("lets what a lost lease protected rest, where that is configured", async () => {
    const house = await open({}, undefined, { LLM_MAILBOX_LOCK_DELAY_SECONDS: "30" });
    const [alice, bob] = await three(house);
    const { lock_id: held } = await alice.acquire("x", { lease_seconds: 10 });
    expect(await alice.release(held!)).toMatchObject({ state: "released" });
    await alice.acquire("x", { lease_seconds: 10 });
    await passTime(store().url, house.namespace, 10_001);
    const queued = await bob.acquire("x");
    expect(queued).toMatchObject({ state: "queued", holders: [{ agent: "alice", state: "resting" }] });
    await passTime(store().url, house.namespace, 29_000);
    expect(await bob.claim(queued.ticket!)).toMatchObject({ state: "queued" });
    await passTime(store().url, house.namespace, 1_001);
    expect(await bob.claim(queued.ticket!)).toMatchObject({ state: "granted" });
  });

  it("lets it rest as the process of its holder was set, whoever finds that it ran out", async () => {
    const careful = await open({}, undefined, { LLM_MAILBOX_LOCK_DELAY_SECONDS: "30" });
    const other = await open({}, careful.namespace);
    const [alice, bob] = [await careful.as("alice"), await other.as("bob")];
    await alice.acquire("x", { lease_seconds: 10 });
    const { lock_id: id } = await bob.acquire("y", { lease_seconds: 10 });
    await passTime(store().url, careful.namespace, 10_001);
    expect(await bob.acquire("x")).toMatchObject({
      state: "queued",
      holders: [{ agent: "alice", state: "resting" }],
    });
    expect(await alice.acquire("y")).toMatchObject({ state: "granted" });
    await expect(bob.renew(id!)).rejects.toThrow(/^lock\.not_yours/);
  });

  it("waits for what rests, whatever its last holder waits for: that is no circle", async () => {
    const house = await open({}, undefined, { LLM_MAILBOX_LOCK_DELAY_SECONDS: "20" });
    const [alice, bob] = await three(house);
    await alice.acquire("x", { lease_seconds: 2 });
    const { lock_id: y } = await bob.acquire("y");
    await passTime(store().url, house.namespace, 2_001);
    expect(await alice.acquire("y")).toMatchObject({ state: "queued" });
    const { ticket, holders } = await bob.acquire("x");
    expect(holders).toMatchObject([{ agent: "alice", state: "resting" }]);
    await passTime(store().url, house.namespace, 20_001);
    expect(await bob.claim(ticket!)).toMatchObject({ state: "granted" });
    expect((await bob.release(y!)).next).toEqual(["alice"]);
  });

  it("is not moved by a jump of the store's clock, and tokens still grow", async () => {
    const house = await open();
    const [alice, bob] = await three(house);
    const redis = rawStore(store().url);
    const { meta } = lockKeys(house.namespace);
    const first = await alice.acquire("x", { lease_seconds: 60 });
    const jumped = async (hours: number): Promise<number> => {
      const { time, clock } = (await redis.hgetall(meta)) as { time: string; clock: string };
      await redis.hset(meta, "clock", String(Number(clock) - hours * 3_600_000));
      await bob.acquire("elsewhere");
      return Number(await redis.hget(meta, "time")) - Number(time);
    };
    const forward = await jumped(1);
    expect(forward).toBeGreaterThanOrEqual(0);
    expect(forward).toBeLessThanOrEqual(15_000);
    // The clock an hour back: lock time stands still, and goes on from there.
    expect(await jumped(-1)).toBe(0);
    await redis.hset(meta, "token", String(Date.now() * 1_000 + 3_600_000_000));
    expect(await bob.acquire("x")).toMatchObject({ state: "queued", holders: [{ agent: "alice" }] });
    await alice.release(first.lock_id!);
    const tokens = [(await bob.acquire("x")).token!, (await bob.acquire("z")).token!];
    expect(tokens[0]).toBeGreaterThan(first.token!);
    expect(tokens[1]).toBe(tokens[0]! + 1);
    redis.disconnect();
  });

  it("ends a wait with the call that is cancelled, and never undoes what was granted", async ({ expect }) => {
    const house = await open();
    const [alice, bob] = await three(house);
    const { lock_id: held } = await alice.acquire("x");
    const cancelled = new AbortController();
    const waiting = bob.acquire("x", { wait_seconds: 30 }, cancelled.signal);
    await expect.poll(async () => (await alice.list("x")).waiters.length).toBe(1);
    cancelled.abort();
    const { ticket } = await waiting;
    await alice.release(held!);
    expect(await bob.acquire("x")).toMatchObject({ state: "granted", lock_id: ticket });
    expect(await bob.acquire("x")).toMatchObject({ state: "already_held", lock_id: ticket });
  });

  it("tells a call that waits at once that its place was given up by another call of its run", async ({
    expect,
  }) => {
    const house = await open();
    const [alice, bob] = await three(house);
    await alice.acquire("x");
    const { ticket } = await bob.acquire("x");
    const from = Date.now();
    const waiting = bob.claim(ticket!, { wait_seconds: 30 }).catch((error: Error) => error.message);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await bob.release(ticket!)).toMatchObject({ state: "left_queue" });
    expect(await waiting).toMatch(/^lock\.ticket_unknown: /);
    expect(Date.now() - from).toBeLessThan(4_000);
    await expect.poll(() => bob.news()).toEqual([]);
  });

  it("tells a call that waits, and a holder, within a heartbeat that the store forgot everything", async ({
    expect,
  }) => {
    const house = await open({ beatMs: 300 });
    const [alice, bob] = await three(house);
    const { lock_id: held } = await alice.acquire("x");
    const from = Date.now();
    const waiting = bob.acquire("x", { wait_seconds: 30 }).catch((error: Error) => error.message);
    await expect.poll(async () => (await alice.list("x")).waiters.length).toBe(1);
    const redis = rawStore(store().url);
    await redis.del(...lockKeyList(lockKeys(house.namespace)));
    redis.disconnect();
    expect(await waiting).toMatch(/^lock\.ticket_unknown: /);
    expect(Date.now() - from).toBeLessThan(6_000);
    expect(await alice.news()).toEqual([`lost ${held}`]);
  });

  it("is shown by my_status: what is held, by which tokens, and every place in a queue", async ({
    expect,
  }) => {
    const house = await open();
    const [alice, bob] = await three(house);
    const status = async ({ caller }: Locker) => (await house.house.rooms.agents.myStatus(caller, {})).locks;
    expect(await status(alice)).toBeUndefined();
    const long = await alice.acquire(["a", "b"]);
    const short = await alice.acquire("c", { mode: "shared", lease_seconds: 60 });
    const theirs = await bob.acquire(["x", "y"]);
    const { ticket } = await alice.acquire("x");
    const other = await house.as("alice");
    const { ticket: second } = await other.acquire("x");
    const at = { own: "this run", mode: "exclusive" };
    expect(await status(alice)).toEqual({
      held: [
        {
          ...{ ...at, mode: "shared", lock_id: short.lock_id, token: short.token },
          ...{ resources: ["c"], until: expect.stringMatching(/Z$/) },
        },
        {
          ...{ ...at, lock_id: long.lock_id, token: long.token },
          ...{ resources: ["a", "b"], until: expect.stringMatching(/Z$/) },
        },
      ],
      waiting: [
        { ...at, ticket, resources: ["x"], place: 1, state: "waiting" },
        { ...at, own: "another run", ticket: second, resources: ["x"], place: 2, state: "waiting" },
      ],
      more: 0,
    });
    expect((await status(bob))!.held).toMatchObject([{ lock_id: theirs.lock_id, own: "this run" }]);
    await bob.release(theirs.lock_id!);
    const { waiting } = (await status(alice))!;
    expect(waiting).toMatchObject([{ ticket, state: "your turn" }, { ticket: second }]);
    expect(Date.parse(waiting[0]!.until!) - house.house.store.now()).toBeGreaterThan(100_000);
  });

  it("answers queued when the time is over, and keeps the place", async () => {
    const house = await open();
    const [alice, bob] = await three(house);
    await alice.acquire("x");
    const from = Date.now();
    const first = await bob.acquire("x", { wait_seconds: 1 });
    expect(Date.now() - from).toBeGreaterThanOrEqual(990);
    expect(first).toMatchObject({ state: "queued", timed_out: true, place: 1 });
    expect(await bob.claim(first.ticket!)).toMatchObject({ ticket: first.ticket, place: 1 });
  });

  it("wakes a waiter when the lease it waits for runs out, although nobody does anything", async () => {
    // No heartbeat comes before bob's time is over.
    const seldom = { beatMs: 60_000, aliveMs: 120_000 };
    const house = await open(seldom);
    const there = await open(seldom, house.namespace);
    const [alice, bob] = [await house.as("alice"), await there.as("bob")];
    const from = Date.now();
    await alice.acquire("x", { lease_seconds: 2 });
    expect(await bob.acquire("x", { wait_seconds: 20 })).toMatchObject({ state: "granted" });
    expect(Date.now() - from).toBeGreaterThan(1_500);
  });

  it("refuses a circle that is closed by coming before others, although the run has nothing else", async () => {
    const house = await open();
    const [alice, bob, carl] = await three(house);
    const dora = await house.as("dora");
    await alice.acquire("y");
    await bob.acquire("z");
    await carl.acquire(["y", "x"]);
    await bob.acquire("x");
    // Bob waits for Carl, who would wait for Dora, who would wait for Bob.
    await expect(dora.acquire(["y", "z"], { priority: 10 })).rejects.toThrow(/^lock\.deadlock/);
    expect(await dora.acquire(["y", "z"], { priority: 0 })).toMatchObject({ state: "queued" });
    await expect(dora.acquire(["y", "z"], { priority: 10 })).rejects.toThrow(/^lock\.deadlock/);
  });

  it("refuses a circle through what the run waits for elsewhere, queued or free to be granted", async () => {
    const house = await open();
    const [alice, bob, carl] = await three(house);
    await carl.acquire(["w", "y"]);
    await bob.acquire("x");
    await bob.acquire(["y", "z"]);
    // Alice waits for Bob, who would wait for Alice where she comes before him.
    await alice.acquire("x");
    await expect(alice.acquire("y", { priority: 10 })).rejects.toThrow(/^lock\.deadlock/);
    await expect(alice.acquire("z", { priority: 10 })).rejects.toThrow(/^lock\.deadlock/);
    expect(await alice.acquire("y")).toMatchObject({ state: "queued", place: 2 });
  });

  it("finds no circle through a place that was passed over, of the run that asks or of another", async () => {
    const house = await open();
    const [alice, bob, carl] = await three(house);
    const dora = await house.as("dora");
    const held = await dora.acquire("o2");
    await bob.acquire("o1");
    const { ticket } = await bob.acquire("o2");
    await carl.acquire("o2");
    await dora.release(held.lock_id!);
    await passTime(store().url, house.namespace, 120_001);
    await alice.acquire("elsewhere");
    expect((await alice.list("o2")).holders).toMatchObject([{ agent: "carl", state: "offered" }]);
    // Bob was passed over for what Carl is offered, and Carl waits for Bob: so Bob does not wait for Carl.
    expect(await carl.acquire("o1")).toMatchObject({ state: "queued" });
    expect(await bob.acquire("free")).toMatchObject({ state: "granted" });
    expect(await bob.acquire("another/**")).toMatchObject({ state: "granted" });
    await expect(bob.claim(ticket!)).rejects.toThrow(/^lock\.deadlock/);
    expect(await bob.acquire("one/more")).toMatchObject({ state: "granted" });
  });

  it("falls back on the resources when the ticket is no more", async () => {
    const house = await open();
    const [alice, bob] = await three(house);
    await alice.acquire("x");
    const { ticket } = await bob.acquire("x");
    await bob.release(ticket!);
    expect(await bob.claim(ticket!, { resources: ["x"] })).toMatchObject({ state: "queued", place: 1 });
    await expect(bob.claim(ticket!)).rejects.toThrow(/^lock\.ticket_unknown/);
  });

  describe("a circle that a message or a decision would open", () => {
    const reads = (house: LockHouse, { caller }: Locker, from: string): Promise<Inbox> =>
      house.house.rooms.mail.readInbox(caller, { wait_seconds: 20, sender: from }, { maxChars: 1_000 });
    const isNoted = (house: LockHouse, expect: ExpectStatic): Promise<void> =>
      expect.poll(() => house.house.store.command("HLEN", lockKeys(house.namespace).awaiting)).toBe(1);
    const send = (house: LockHouse, { caller }: Locker, to: string): Promise<unknown> =>
      house.house.rooms.mail.sendMessage(caller, { to: [to], body: "go on" });

    it("is told at once to who waits for what is held by somebody that waits for their mail", async ({
      expect,
    }) => {
      const house = await open();
      const [alice, bob] = await three(house);
      await alice.acquire("x");
      const reading = reads(house, alice, "bob");
      await isNoted(house, expect);
      const asked = await bob.acquire("x", { wait_seconds: 30 });
      expect(asked).toMatchObject({ state: "queued", awaits_you: "alice", timed_out: false });
      expect(asked.circle).toBe(
        'you wait for "x", where alice is before you; alice waits for a message or a decision of yours',
      );
      // Who was told and waits all the same may wait.
      expect(await bob.claim(asked.ticket!, { wait_seconds: 1 })).toMatchObject({
        awaits_you: "alice",
        timed_out: true,
      });
      await send(house, bob, "alice");
      expect((await reading).messages).toHaveLength(1);
      await expect.poll(async () => (await bob.acquire("x")).circle).toBeUndefined();
    });

    it("is told at once to both where the one waits for the lock before the other waits for the mail", async ({
      expect,
    }) => {
      const house = await open();
      const [alice, bob] = await three(house);
      await alice.acquire("x");
      const { ticket } = await bob.acquire("x");
      const waiting = bob.claim(ticket!, { wait_seconds: 30 });
      expect(await reads(house, alice, "bob")).toMatchObject({ messages: [] });
      expect(await alice.news()).toEqual([
        'circle you wait for a message or a decision of bob; bob waits for "x", where you are before it',
      ]);
      expect(await waiting).toMatchObject({ state: "queued", awaits_you: "alice", timed_out: false });
      expect(await alice.news()).toEqual([]);
      // Who was told and waits all the same may wait; whoever looks meanwhile finds the circle.
      const reading = reads(house, alice, "bob");
      await isNoted(house, expect);
      expect(await bob.claim(ticket!)).toMatchObject({ awaits_you: "alice" });
      await send(house, bob, "alice");
      expect((await reading).messages).toHaveLength(1);
    });

    it("is told again when it was open meanwhile, however the sender is spelled", async ({ expect }) => {
      const house = await open();
      const [alice, bob] = await three(house);
      for (const spelled of ["bob", "@bob", "agent:bob", " BOB "]) {
        const { lock_id: lock } = await alice.acquire("x");
        const { ticket } = await bob.acquire("x");
        const waiting = bob.claim(ticket!, { wait_seconds: 30 });
        expect(await reads(house, alice, spelled), spelled).toMatchObject({ messages: [] });
        expect(await alice.news(), spelled).toHaveLength(1);
        expect(await waiting, spelled).toMatchObject({ state: "queued", awaits_you: "alice" });
        await bob.release(ticket!);
        await alice.release(lock!);
      }
    });

    it("is found through others that wait for locks", async ({ expect }) => {
      const house = await open();
      const [alice, bob, carl] = await three(house);
      await alice.acquire("m");
      await carl.acquire("n");
      const reading = reads(house, alice, "bob");
      await isNoted(house, expect);
      expect((await carl.acquire("m")).circle).toBeUndefined();
      const asked = await bob.acquire("n", { wait_seconds: 30 });
      expect(asked.awaits_you).toBe("alice");
      expect(asked.circle).toBe(
        'you wait for "n", where carl is before you; carl waits for "m", where alice is before it; alice waits for a message or a decision of yours',
      );
      await send(house, bob, "alice");
      await reading;
    });

    it("is told to who closes it without being waited for by message", async ({ expect }) => {
      const house = await open();
      const [alice, bob, carl] = await three(house);
      await alice.acquire("m");
      await carl.acquire("n");
      await bob.acquire("n");
      const reading = reads(house, alice, "bob");
      await isNoted(house, expect);
      const asked = await carl.acquire("m", { wait_seconds: 30 });
      expect(asked).toMatchObject({ state: "queued", timed_out: false });
      expect(asked.awaits_you).toBeUndefined();
      expect(asked.circle).toBe(
        'you wait for "m", where alice is before you; alice waits for a message or a decision of bob; bob waits for "n", where you are before it',
      );
      await send(house, bob, "alice");
      await reading;
    });

    it("is not seen where who is waited for waits for others only", async ({ expect }) => {
      const house = await open();
      const [alice, bob, carl] = await three(house);
      await alice.acquire("m");
      await carl.acquire("n");
      expect((await bob.acquire("n")).circle).toBeUndefined();
      const reading = reads(house, alice, "bob");
      await isNoted(house, expect);
      expect((await bob.acquire("n")).circle).toBeUndefined();
      await send(house, bob, "alice");
      expect((await reading).messages).toHaveLength(1);
      expect(await alice.news()).toEqual([]);
    });
  });

  it("warns the one who may decide and queues for what is held by somebody that waits for the decision", async ({
    expect,
  }) => {
    const house = await open();
    const [alice, bob] = await three(house);
    const { rooms, ruleBook, approvals, access } = house.house;
    const operator = {
      principal: operatorPrincipal(house.namespace),
      run: { id: "operator/test" as RunId },
    };
    await ruleBook.put(operator, {
      text: "version: 1\nrules:\n  - { id: ask, actions: [deploy], effect: require_approval, approval: { approvers: [bob] } }\n",
      over: 0,
    });
    await changeGrants(access, house.namespace, ["allow", "bob", "approval.decide", "*"]);
    const { approval } = await rooms.policy.checkPolicy(alice.caller, { action: "deploy" });
    await alice.acquire("x");
    const waiting = rooms.policy.checkPolicy(alice.caller, { approval_id: approval!.id, wait_seconds: 30 });
    await expect.poll(() => house.house.store.command("HLEN", lockKeys(house.namespace).awaiting)).toBe(1);
    expect((await bob.acquire("x")).awaits_you).toBe("alice");
    await decideApproval(approvals, bob.caller, { approval_id: approval!.id, decision: "approve" }, "tool");
    expect((await waiting).decision).toBe("allow");
    await expect.poll(async () => (await bob.acquire("x")).awaits_you).toBeUndefined();
  });
});

// Apart from the others, whose clock it sets too.
describeOnEachStore("acquire_lock, while time passes for the store and this process,", (store) => {
  afterEach(() => void vi.restoreAllMocks());

  it("prolongs a lease by the calls of its run, to an hour beyond its grant or renewal, and tells once when that is over", async () => {
    const house = await openLocks(store().url, {
      ...{ longestTouchedMs: 50_000, leaseMs: 40_000, aliveMs: 120_000 },
    });
    const now = Date.now.bind(Date);
    let passedMs = 0;
    vi.spyOn(Date, "now").mockImplementation(() => now() + passedMs);
    const pass = async (ms: number): Promise<void> => {
      passedMs += ms;
      await passTime(store().url, house.namespace, ms);
    };
    const alice = await house.as("alice");
    const { lock_id: id, expires_at: first } = await alice.acquire("x");
    const laterThanFirst = (until: string): number => Date.parse(until) + passedMs - Date.parse(first!);
    const prolongedBy = async (): Promise<number> =>
      laterThanFirst((await alice.list("x")).holders[0]!.until);
    await alice.news();
    expect(await prolongedBy()).toBeLessThan(100);
    await pass(21_000);
    expect(await alice.news()).toEqual([]);
    expect(await prolongedBy()).toBeGreaterThan(9_900);
    expect(await prolongedBy()).toBeLessThan(10_100);
    await pass(20_000);
    expect(await alice.news()).toEqual([`ends soon ${id}`]);
    expect(await alice.news()).toEqual([]);
    const renewed = await alice.renew(id!);
    expect(laterThanFirst(renewed.expires_at!)).toBeGreaterThan(39_900);
    await house.close();
  });
});
