import { afterAll, type ExpectStatic, expect, it } from "vitest";
import { forceRelease, type GuardFindings, type LockLimits, releaseAgent } from "../../src/locks/index.js";
import { lockKeys } from "../../src/redis/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { checkHistory, readHistory } from "./check-history.js";
import { type HookAgent, hookAgents } from "./hook-agents.js";
import { type LockHouse, openLocks, operatorOf, passTime, rawStore } from "./open-locks.js";
import { recordHistory } from "./record-history.mjs";

describeOnEachStore.concurrent("what an edit hook reserves", (store) => {
  const houses: LockHouse[] = [];
  const two = async (limits: Partial<LockLimits> = {}): Promise<[HookAgent, HookAgent, LockHouse]> => {
    const house = await openLocks(store().url, limits);
    houses.push(house);
    const [alice, bob] = await hookAgents(house, "alice", "bob");
    return [alice!, bob!, house];
  };
  const areHeld = async (
    expect: ExpectStatic,
    agent: HookAgent,
    file: string,
    count: number,
  ): Promise<void> => expect((await agent.list(file)).holders).toHaveLength(count);
  afterAll(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
  });

  it("stays reserved until the last of the sessions of its agent that edited it gives it back", async ({
    expect,
  }) => {
    const [alice, bob] = await two();
    for (const session of ["one", "two", "one"]) await alice.edits("a.ts", 900, session);
    await areHeld(expect, alice, "a.ts", 2);
    await alice.endsTurn("one");
    await expect(bob.edits("a.ts")).rejects.toThrow(/"agent":"alice"/);
    await alice.edits("a.ts", 900, "two");
    await alice.endsTurn("two");
    await bob.edits("a.ts");
  });

  it("stays reserved where its model gives back what it held before, by a pattern too", async ({
    expect,
  }) => {
    const [alice, bob] = await two();
    for (const [held, file] of [
      ["a.ts", "a.ts"],
      ["web/**", "web/b.ts"],
    ] as const) {
      const { lock_id: id, token } = await alice.acquire(held);
      await alice.edits(file);
      expect(await alice.acquire(held)).toMatchObject({ state: "already_held", token });
      await alice.release(id!);
      await expect(bob.edits(file)).rejects.toThrow(/"agent":"alice"/);
      expect(await bob.acquire(held)).toMatchObject({ state: "queued", holders: [{ agent: "alice" }] });
    }
  });

  it("is no obstacle to its model, which gets a lease of its own that outlasts the turn", async ({
    expect,
  }) => {
    const [alice, bob] = await two();
    await alice.edits("a.ts");
    const granted = await alice.acquire("a.ts");
    expect(granted).toMatchObject({ state: "granted", resources: ["a.ts"] });
    await alice.endsTurn();
    await expect(bob.edits("a.ts")).rejects.toThrow(/"agent":"alice"/);
    await alice.release(granted.lock_id!);
    await bob.edits("a.ts");
  });

  it("does not outdate the token under which its model writes", async ({ expect }) => {
    const [alice, , { house }] = await two();
    const put = async (value: string, token: number | undefined): Promise<string> => {
      const under = { resource: "a.ts", fencing_token: token! };
      return (await house.rooms.state.putState(alice.caller, { key: "k/a", value, ...under })).state;
    };
    const { token } = await alice.acquire("a.ts");
    expect(await put("1", token)).toBe("stored");
    await alice.edits("a.ts");
    await alice.edits("a.ts", 900, "two");
    expect(await put("2", token)).toBe("stored");
    await alice.endsTurn();
    expect(await put("3", token)).toBe("stored");
  });

  it("comes after others who wait: not reserved where a run of its agent holds it, refused where only another session does", async ({
    expect,
  }) => {
    const [alice, bob] = await two();
    const { lock_id: id } = await alice.acquire("a.ts");
    const { ticket } = await bob.acquire("a.ts");
    await alice.edits("a.ts");
    await areHeld(expect, alice, "a.ts", 1);
    await alice.release(id!);
    expect(await bob.claim(ticket!)).toMatchObject({ state: "granted" });

    await alice.edits("b.ts", 900, "one");
    await bob.acquire("b.ts");
    await expect(alice.edits("b.ts", 900, "two")).rejects.toThrow(/"path":"b.ts","agent":"bob"/);
    await alice.edits("b.ts", 900, "one");
    await areHeld(expect, alice, "b.ts", 1);
  });

  it("is no way past others for runs of the agent that exclude each other", async ({ expect }) => {
    const [alice, bob, house] = await two();
    await alice.edits("a.ts");
    await alice.acquire("a.ts");
    const other = await house.as("alice");
    expect(await other.acquire("a.ts")).toMatchObject({ state: "queued", holders: [{ agent: "alice" }] });
    expect(await bob.acquire("a.ts")).toMatchObject({ state: "queued", place: 2 });
  });

  it("is in the checker's eyes no conflict with its own agent, whatever order they come in", async ({
    expect,
  }) => {
    const [alice, bob, house] = await two({ delayMs: 5_000 });
    recordHistory(house.house.store);
    const { lock_id: id } = await alice.acquire("web/**");
    for (const session of ["one", "two"]) await alice.edits("web/a.ts", 60, session);
    const { ticket } = await bob.acquire("web/a.ts");
    await alice.edits("web/a.ts", 60, "one");
    await alice.release(id!);
    await alice.endsTurn("one");
    expect(await bob.claim(ticket!)).toMatchObject({ state: "queued", holders: [{ agent: "alice" }] });
    await passTime(store().url, house.namespace, 60_001);
    expect(await bob.claim(ticket!)).toMatchObject({ state: "queued", holders: [{ state: "resting" }] });
    const redis = rawStore(store().url);
    const history = await readHistory(redis, house.namespace);
    redis.disconnect();
    expect(history.length).toBeGreaterThan(20);
    // Lock time was set by hand.
    const wrong = checkHistory(history, house.house.locks.limits);
    expect(wrong.filter((line) => line !== "lock time jumped")).toEqual([]);
  });

  it("rests when it was lost, for its own agent as for others", async ({ expect }) => {
    const [alice, bob, house] = await two({ delayMs: 600_000 });
    await alice.edits("a.ts", 60);
    await passTime(store().url, house.namespace, 60_001);
    for (const agent of [alice, bob])
      expect(await agent.acquire("a.ts")).toMatchObject({ state: "queued", holders: [{ state: "resting" }] });
  });

  it("is edited by no session while it rests, nor by the one that lost it, and looked at without", async ({
    expect,
  }) => {
    const [alice, , house] = await two({ delayMs: 600_000 });
    const { guardFiles } = house.house.rooms.locks;
    const look = (...files: string[]): Promise<GuardFindings> =>
      guardFiles(alice.caller.principal, { files });
    const resting = [{ path: "a.ts", agent: "alice", rests: true }];
    await alice.edits("a.ts", 60);
    await alice.edits("b.ts", 3_600);
    expect(await look("a.ts")).toMatchObject({ reserved: [] });
    await passTime(store().url, house.namespace, 60_001);
    for (const session of ["s", "two"])
      await expect(alice.edits("a.ts", 60, session)).rejects.toThrow(/"path":"a.ts".*"rests":true/);
    await alice.edits("b.ts", 60);
    // What is asked of several files stands for each of them.
    expect(await look("b.ts", "a.ts", "c.ts")).toMatchObject({ reserved: resting });
    expect((await alice.list("a.ts")).waiters).toEqual([]);
    await passTime(store().url, house.namespace, 600_001);
    await alice.edits("a.ts", 60, "two");
    await areHeld(expect, alice, "a.ts", 1);
  });

  it("rests for the run that lost it, too", async ({ expect }) => {
    const [alice, bob, house] = await two({ delayMs: 600_000 });
    await alice.acquire("web/**", { lease_seconds: 60 });
    await alice.acquire("x", { lease_seconds: 60 });
    await bob.acquire("y", { lease_seconds: 60 });
    await passTime(store().url, house.namespace, 60_001);
    const { state, ticket, holders } = await alice.acquire("x");
    expect([state, holders]).toMatchObject(["queued", [{ agent: "alice", state: "resting" }]]);
    // Also by a name that no lock can have.
    for (const file of ["x", "web/a "]) await expect(alice.edits(file)).rejects.toThrow(/"rests":true/);
    expect(await bob.acquire("y")).toMatchObject({ state: "queued" });
    await passTime(store().url, house.namespace, 600_001);
    expect(await alice.claim(ticket!)).toMatchObject({ state: "granted" });
  });

  it("rests for a run whose turn it was by then for more than that", async ({ expect }) => {
    const [alice, bob, house] = await two({ delayMs: 600_000 });
    recordHistory(house.house.store);
    await alice.acquire("web/a.ts", { lease_seconds: 60 });
    const { lock_id: his } = await bob.acquire("web/b.ts");
    const { ticket } = await alice.acquire("web/**", { notify: "alice" });
    await bob.release(his!);
    expect((await bob.list("web/a.ts")).holders).toMatchObject([{ state: "held" }, { state: "offered" }]);
    await passTime(store().url, house.namespace, 60_001);
    expect(await alice.claim(ticket!)).toMatchObject({
      state: "queued",
      holders: [{ agent: "alice", state: "resting" }],
    });
    await passTime(store().url, house.namespace, 600_001);
    expect(await alice.claim(ticket!)).toMatchObject({ state: "granted", resources: ["web/**"] });
    const redis = rawStore(store().url);
    const history = await readHistory(redis, house.namespace);
    redis.disconnect();
    const wrong = checkHistory(history, house.house.locks.limits);
    expect(wrong.filter((line) => line !== "lock time jumped")).toEqual([]);
  });

  it("is edited where a run of its agent holds it all the while, although another lease of that on it rests", async ({
    expect,
  }) => {
    const [alice, bob, house] = await two({ delayMs: 600_000 });
    await alice.acquire("a.ts", { lease_seconds: 60 });
    const outer = await alice.acquire(["a.ts", "b.ts"]);
    await passTime(store().url, house.namespace, 60_001);
    expect(await alice.acquire("a.ts")).toMatchObject({ state: "already_held", lock_id: outer.lock_id });
    const { guardFiles } = house.house.rooms.locks;
    expect(await guardFiles(alice.caller.principal, { files: ["a.ts"] })).toMatchObject({ reserved: [] });
    await alice.edits("a.ts");
    await expect(bob.edits("a.ts")).rejects.toThrow(/"path":"a.ts"/);
    await alice.release(outer.lock_id!);
    await expect(alice.edits("a.ts")).rejects.toThrow(/"rests":true/);
  });

  it("is edited so also where its name is none that a lock can have", async ({ expect }) => {
    const [alice, bob, house] = await two({ delayMs: 600_000 });
    const file = "web/x/new\nline.ts";
    const { guardFiles } = house.house.rooms.locks;
    const reservedFor = async ({ caller }: HookAgent): Promise<readonly unknown[]> =>
      (await guardFiles(caller.principal, { files: [file] })).reserved;
    await alice.acquire("web/x/**", { lease_seconds: 60 });
    const outer = await alice.acquire("web/**");
    await passTime(store().url, house.namespace, 60_001);
    expect((await alice.list("web/x/*")).holders).toMatchObject([{ state: "resting" }, { state: "held" }]);
    expect(await reservedFor(alice)).toEqual([]);
    expect(await reservedFor(bob)).toMatchObject([{ path: file, agent: "alice" }]);
    await alice.release(outer.lock_id!);
    expect(await reservedFor(alice)).toMatchObject([{ path: file, rests: true }]);
    expect(await reservedFor(bob)).toMatchObject([{ path: file, rests: true }]);
  });

  it("is asked by the rules for itself, and not again where its agent holds it already", async ({
    expect,
  }) => {
    const [alice, , house] = await two();
    const rules =
      "version: 1\notherwise: allow\nunknown: allow\nrules: [{ id: ask, actions: [lock.acquire], resources: ['lock:live/**'], effect: deny }]";
    const { lock_id: id } = await alice.acquire("live/**");
    await house.house.ruleBook.put(operatorOf(house), { text: rules, over: 0 });
    await alice.edits("live/a.ts");
    await areHeld(expect, alice, "live/a.ts", 2);
    await alice.release(id!);
    // What the session has itself it has, whatever is edited along with it.
    await alice.edits("live/a.ts");
    await expect(alice.edits("live/b.ts")).rejects.toThrow(/policy\.denied/);
    await alice.edits("live/a.ts");
    await alice.endsTurn();
    await expect(alice.edits("live/a.ts")).rejects.toThrow(/policy\.denied/);
  });
});

/** A hook has no replies by which it could be told, so it is at the next edit of that file. */
describeOnEachStore.concurrent("what an edit hook lost", (store) => {
  const houses: LockHouse[] = [];
  const two = async (limits: Partial<LockLimits> = {}): Promise<[HookAgent, HookAgent, LockHouse]> => {
    const house = await openLocks(store().url, limits);
    houses.push(house);
    const [alice, bob] = await hookAgents(house, "alice", "bob");
    return [alice!, bob!, house];
  };
  const edit = (house: LockHouse, { caller }: HookAgent, ...files: string[]): Promise<GuardFindings> =>
    house.house.rooms.locks.guardFiles(caller.principal, {
      files,
      take: { session: "s", lease_seconds: 60 },
    });
  const lapse = ({ namespace }: LockHouse): Promise<void> => passTime(store().url, namespace, 60_001);
  const untold = (house: LockHouse): Promise<unknown> =>
    house.house.store.command("HLEN", lockKeys(house.namespace).untold);
  const nothing = { reserved: [], wanted: [], refused: [], untold: [], unnameable: [] };
  const lost = (...paths: string[]): GuardFindings => ({
    ...nothing,
    lost: paths.map((path) => ({ path, lost_at: expect.stringMatching(/^20.*Z$/) as string })),
  });
  afterAll(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
  });

  it("is told once at the next edit of it where others were granted anything since, and reserved again by then", async ({
    expect,
  }) => {
    const [alice, bob, house] = await two();
    await edit(house, alice, "a.ts", "b.ts", "c.ts");
    await lapse(house);
    await bob.edits("a.ts");
    await bob.endsTurn();
    expect(await edit(house, alice, "a.ts", "b.ts")).toEqual(lost("a.ts", "b.ts"));
    await expect(bob.edits("a.ts")).rejects.toThrow(/"agent":"alice"/);
    expect(await edit(house, alice, "a.ts", "b.ts", "new.ts")).toEqual(nothing);
    expect(await edit(house, alice, "c.ts")).toEqual(lost("c.ts"));
    expect(await untold(house)).toBe(0);
  });

  it("is told too where another run of its agent gave it back, or holds it while somebody waits", async ({
    expect,
  }) => {
    const [alice, bob, house] = await two();
    await edit(house, alice, "a.ts");
    const [held] = (await alice.list("a.ts")).holders;
    await alice.release(held!.lock_id);
    await bob.edits("a.ts");
    await bob.endsTurn();
    await alice.acquire("a.ts");
    await bob.acquire("a.ts");
    expect(await edit(house, alice, "a.ts")).toEqual(lost("a.ts"));
    expect(await edit(house, alice, "a.ts")).toEqual(nothing);
    expect(await untold(house)).toBe(0);
  });

  it("is not used up by an edit that is refused, for whatever reason, but told at the one that passes", async ({
    expect,
  }) => {
    for (const isOtherGranted of [false, true]) {
      const [alice, bob, house] = await two();
      const carol = await house.as("carol");
      await edit(house, alice, "a.ts");
      await lapse(house);
      const held = await carol.acquire("b.ts");
      const { ticket } = await bob.acquire(["a.ts", "b.ts"]);
      if (isOtherGranted) await carol.acquire("c.ts");
      const wanted = [{ path: "a.ts", agent: "bob" }];
      for (let n = 0; n < 2; n++) {
        const found = await edit(house, alice, "a.ts");
        expect(found).toMatchObject({ wanted });
        expect(found).not.toHaveProperty("lost");
      }
      await carol.release(held.lock_id!);
      const theirs = await bob.claim(ticket!);
      expect(theirs.state).toBe("granted");
      expect(await edit(house, alice, "a.ts")).toMatchObject({ reserved: [{ agent: "bob" }] });
      await bob.release(theirs.lock_id!);
      expect(await edit(house, alice, "a.ts")).toEqual(lost("a.ts"));
      expect(await edit(house, alice, "a.ts")).toEqual(nothing);
    }
  });

  it("is told after an edit that passed because a run of its agent held it, where others changed it only then", async ({
    expect,
  }) => {
    const [alice, bob, house] = await two();
    const mine = await alice.acquire("a.ts");
    await edit(house, alice, "a.ts");
    const [hooks] = (await alice.list("a.ts")).holders.filter(({ lock_id }) => lock_id !== mine.lock_id);
    const { ticket } = await bob.acquire("a.ts");
    await forceRelease(house.house.locks, operatorOf(house), hooks!.lock_id, "hangs");
    expect(await edit(house, alice, "a.ts")).toEqual(nothing);
    await alice.release(mine.lock_id!);
    await bob.release((await bob.claim(ticket!)).lock_id!);
    expect(await edit(house, alice, "a.ts")).toEqual(lost("a.ts"));
    expect(await edit(house, alice, "a.ts")).toEqual(nothing);
  });

  it("is told also where its agent was stopped, and goes on later", async ({ expect }) => {
    const [alice, bob, house] = await two();
    await edit(house, alice, "a.ts", "b.ts");
    await releaseAgent(house.house.locks, house.namespace, "alice");
    await bob.edits("a.ts");
    await bob.endsTurn();
    expect(await edit(house, alice, "a.ts")).toEqual(lost("a.ts"));
    expect(await edit(house, alice, "a.ts")).toEqual(nothing);
    await alice.endsTurn();
    expect(await untold(house)).toBe(0);
  });

  it("is told by when it was lost, also where it was taken by force", async ({ expect }) => {
    const [alice, bob, house] = await two();
    await alice.edits("a.ts");
    const [held] = (await alice.list("a.ts")).holders;
    const before = Date.now();
    await forceRelease(house.house.locks, operatorOf(house), held!.lock_id, "hangs");
    const after = Date.now();
    await bob.edits("a.ts");
    // Somebody else has it: that is what is told first.
    expect(await edit(house, alice, "a.ts")).toMatchObject({ reserved: [{ path: "a.ts", agent: "bob" }] });
    await bob.endsTurn();
    const [told] = (await edit(house, alice, "a.ts")).lost!;
    expect(Date.parse(told!.lost_at)).toBeGreaterThanOrEqual(before - 50);
    expect(Date.parse(told!.lost_at)).toBeLessThanOrEqual(after + 50);
  });

  it("is taken again without a word where nobody else was granted anything, whatever its session edits meanwhile", async ({
    expect,
  }) => {
    const [alice, bob, house] = await two();
    await edit(house, alice, "a.ts", "b.ts");
    await lapse(house);
    for (const file of ["new.ts", "a.ts", "a.ts", "b.ts"])
      expect(await edit(house, alice, file)).toEqual(nothing);
    await expect(bob.edits("b.ts")).rejects.toThrow(/"agent":"alice"/);
    expect(await untold(house)).toBe(0);
  });

  it("is forgotten at the end of the turn, and never told to another session or run", async ({ expect }) => {
    const [alice, bob, house] = await two();
    await alice.edits("a.ts", 60);
    await lapse(house);
    await bob.edits("b.ts");
    await alice.edits("a.ts", 60, "other");
    expect(await alice.news()).toEqual([]);
    expect(await untold(house)).toBe(1);
    await alice.endsTurn();
    expect(await untold(house)).toBe(0);
    expect(await edit(house, alice, "a.ts")).toEqual(nothing);
  });

  it("is kept for a day of a session that never ends, until others lose something", async ({ expect }) => {
    const [alice, bob, house] = await two();
    await alice.edits("a.ts", 60);
    await lapse(house);
    await bob.edits("b.ts", 60);
    const raw = rawStore(store().url);
    const { untold: key } = lockKeys(house.namespace);
    const [run] = await raw.hkeys(key);
    await raw.hset(key, run!, `${Date.now() - 86_400_001}|1\ta.ts\n`);
    await lapse(house);
    await alice.edits("c.ts", 60, "other");
    const left = await raw.hkeys(key);
    raw.disconnect();
    expect(left).toEqual([expect.stringMatching(/^bob\//)]);
  });

  it("is told also where the answer of the store was lost and it is asked again", async ({ expect }) => {
    const [alice, bob, house] = await two();
    const { store: used } = house.house;
    const run = used.run.bind(used);
    used.run = async (script, ...given) => {
      if (script.name === "acquire-lock") await run(script, ...given);
      return run(script, ...given);
    };
    await edit(house, alice, "a.ts");
    await lapse(house);
    await bob.acquire("b.ts");
    expect(await edit(house, alice, "a.ts")).toEqual(lost("a.ts"));
    expect(await edit(house, alice, "a.ts")).toEqual(nothing);
    // Where a run of its agent holds it, and another agent waits.
    const mine = await alice.acquire("a.ts");
    await bob.acquire("a.ts");
    const [hooks] = (await alice.list("a.ts")).holders.filter(({ lock_id }) => lock_id !== mine.lock_id);
    await forceRelease(house.house.locks, operatorOf(house), hooks!.lock_id, "hangs");
    await bob.acquire("c.ts");
    expect(await edit(house, alice, "a.ts")).toEqual(lost("a.ts"));
    expect(await edit(house, alice, "a.ts")).toEqual(nothing);
  });

  it("is not asked for by a store command of its own", async ({ expect }) => {
    const [alice, , house] = await two();
    const scripts: string[] = [];
    const { store: used } = house.house;
    const run = used.run.bind(used);
    used.run = (script, ...given) => {
      if (script.name !== "beat-locks") scripts.push(script.name);
      return run(script, ...given);
    };
    await alice.edits("a.ts");
    expect(scripts.filter((name) => /lock/.test(name))).toEqual(["list-locks", "acquire-lock"]);
  });
});
