import { afterAll, describe, type ExpectStatic, it } from "vitest";
import type { LockAnswer } from "../../src/locks/index.js";
import type { Inbox } from "../../src/mailbox/index.js";
import { lockKeys } from "../../src/redis/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { type HookAgent, hookAgents } from "./hook-agents.js";
import { type LockHouse, openLocks } from "./open-locks.js";

describeOnEachStore.concurrent("a circle that only the end of a turn would open", (store) => {
  const houses: LockHouse[] = [];
  const open = async (): Promise<LockHouse> => {
    const house = await openLocks(store().url);
    houses.push(house);
    return house;
  };
  const three = (house: LockHouse): Promise<[HookAgent, HookAgent, HookAgent]> =>
    hookAgents(house, "alice", "bob", "carl") as Promise<[HookAgent, HookAgent, HookAgent]>;
  const isWaiting = (house: LockHouse, resource: string, expect: ExpectStatic): Promise<void> =>
    expect
      .poll(
        async () =>
          (await house.house.rooms.locks.listLocks((await house.as("onlooker")).caller, { resource }))
            .waiters,
      )
      .toHaveLength(1);
  afterAll(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
  });

  it("is told at once to both, whoever waits first, and is open when one of the turns ends", async ({
    expect,
  }) => {
    const house = await open();
    const [alice, bob] = await three(house);
    for (const [first, second, file] of [
      [alice, bob, "1"],
      [bob, alice, "2"],
    ] as const) {
      await first.edits(`a${file}`);
      await second.edits(`b${file}`);
      const waiting = first.acquire(`b${file}`, { wait_seconds: 30 });
      await isWaiting(house, `b${file}`, expect);
      const closing = await second.acquire(`a${file}`, { wait_seconds: 30 });
      const told = await waiting;
      const words = (own: string, theirs: string, other: string): string =>
        `you wait for "${theirs}${file}", where an edit hook of ${other} is before you until that turn ends; ${other} waits for "${own}${file}", where your own edit hook is before it until your turn ends`;
      const news = { state: "queued", timed_out: false, own_edit_hook: true };
      expect(closing).toMatchObject({ ...news, circle: words("b", "a", first.name) });
      expect(told).toMatchObject({ ...news, circle: words("a", "b", second.name) });
      // Who was told and waits all the same may wait, until it is open.
      const [again, other] = [first, second].map((one, n) =>
        one.claim([told, closing][n]!.ticket!, { wait_seconds: 30 }),
      );
      await first.endsTurn();
      const granted = await other!;
      expect(granted).toMatchObject({ state: "granted" });
      await second.endsTurn();
      expect(await again!).toMatchObject({ state: "granted" });
      await second.release(granted.lock_id!);
      await first.release(told.ticket!);
    }
    expect(await house.house.store.command("HLEN", lockKeys(house.namespace).awaiting)).toBe(0);
  });

  it("goes through three agents, and all of them are told", async ({ expect }) => {
    const house = await open();
    const agents = await three(house);
    const [alice, bob, carl] = agents;
    for (const agent of agents) await agent.edits(`of-${agent.name}`);
    const waits = [
      alice.acquire("of-bob", { wait_seconds: 30 }),
      bob.acquire("of-carl", { wait_seconds: 30 }),
    ];
    await isWaiting(house, "of-bob", expect);
    await isWaiting(house, "of-carl", expect);
    const closing = await carl.acquire("of-alice", { wait_seconds: 30 });
    expect(closing.circle).toBe(
      'you wait for "of-alice", where an edit hook of alice is before you until that turn ends; alice waits for "of-bob", where an edit hook of bob is before it until that turn ends; bob waits for "of-carl", where your own edit hook is before it until your turn ends',
    );
    for (const told of await Promise.all(waits))
      expect(told).toMatchObject({ state: "queued", timed_out: false, own_edit_hook: true });
  });

  it("goes through a pattern, also one that means what the asker's own hook has", async ({ expect }) => {
    const house = await open();
    const [alice, bob] = await three(house);
    await alice.edits("web/a.ts");
    await bob.edits("web/b.ts");
    const waiting = alice.acquire("web/b*", { wait_seconds: 30 });
    await isWaiting(house, "web/b.ts", expect);
    const closing = await bob.acquire("web/**", { wait_seconds: 30 });
    expect(closing).toMatchObject({ state: "queued", own_edit_hook: true, timed_out: false });
    // What its own hook has is in its way no more.
    expect(closing.circle).toBe(
      'you wait for "web/**", where alice is before you; alice waits for "web/b*", where your own edit hook is before it until your turn ends',
    );
    expect((await waiting).circle).toContain('bob waits for "web/**"');
  });

  it("goes through what is held by a run: to that one it says to release it", async ({ expect }) => {
    const house = await open();
    const [alice, bob] = await three(house);
    await alice.edits("a");
    await bob.acquire("x");
    const waiting = alice.acquire("x", { wait_seconds: 30 });
    await isWaiting(house, "x", expect);
    const closing = await bob.acquire("a", { wait_seconds: 30 });
    expect(closing.circle).toBe(
      'you wait for "a", where an edit hook of alice is before you until that turn ends; alice waits for "x", where you are before it',
    );
    expect(closing.own_edit_hook).toBeUndefined();
    expect(await waiting).toMatchObject({ state: "queued", own_edit_hook: true, timed_out: false });
    // Of what runs hold alone it is still refused.
    await alice.acquire("y");
    await expect(bob.acquire("y")).rejects.toThrow(/^lock\.deadlock/);
  });

  it("is told where a hook closes it by coming before who waits already", async ({ expect }) => {
    const house = await open();
    const [alice, bob, carl] = await three(house);
    await bob.edits("b");
    await carl.acquire("z");
    const waits: Promise<LockAnswer>[] = [
      bob.acquire(["a", "z"], { priority: 0, wait_seconds: 30 }),
      alice.acquire("b", { wait_seconds: 30 }),
    ];
    await isWaiting(house, "a", expect);
    await isWaiting(house, "b", expect);
    await alice.edits("a");
    for (const told of await Promise.all(waits))
      expect(told).toMatchObject({ state: "queued", timed_out: false, own_edit_hook: true });
  });

  describe("and a message", () => {
    const reads = (house: LockHouse, { caller }: HookAgent, from: string): Promise<Inbox> =>
      house.house.rooms.mail.readInbox(caller, { wait_seconds: 20, sender: from }, { maxChars: 1_000 });
    const isNoted = (house: LockHouse, { caller }: HookAgent, expect: ExpectStatic): Promise<void> =>
      expect
        .poll(() => house.house.store.command("HEXISTS", lockKeys(house.namespace).awaiting, caller.run.id))
        .toBe(1);
    const send = (house: LockHouse, { caller }: HookAgent, to: string): Promise<unknown> =>
      house.house.rooms.mail.sendMessage(caller, { to: [to], body: "go on" });

    it("is told to who waits for what hooks of somebody reserved that waits for their mail", async ({
      expect,
    }) => {
      const house = await open();
      const [alice, bob] = await three(house);
      await alice.edits("a");
      const reading = reads(house, alice, "bob");
      await isNoted(house, alice, expect);
      const asked = await bob.acquire("a", { wait_seconds: 30 });
      expect(asked).toMatchObject({ state: "queued", awaits_you: "alice", timed_out: false });
      expect(asked.circle).toBe(
        'you wait for "a", where an edit hook of alice is before you until that turn ends; alice waits for a message or a decision of yours',
      );
      await send(house, bob, "alice");
      expect((await reading).messages).toHaveLength(1);
      await expect.poll(async () => (await bob.acquire("a")).circle).toBeUndefined();
    });

    it("is told to both where the lock is waited for before the mail, and through others", async ({
      expect,
    }) => {
      const house = await open();
      const [alice, bob, carl] = await three(house);
      await alice.edits("a");
      await carl.edits("c");
      const waits = [carl.acquire("a", { wait_seconds: 30 }), bob.acquire("c", { wait_seconds: 30 })];
      await isWaiting(house, "a", expect);
      await isWaiting(house, "c", expect);
      expect(await reads(house, alice, "bob")).toMatchObject({ messages: [] });
      expect(await house.house.rooms.locks.news(alice.caller)).toEqual([
        {
          what: "circle",
          circle:
            'you wait for a message or a decision of bob; bob waits for "c", where an edit hook of carl is before it until that turn ends; carl waits for "a", where your own edit hook is before it until your turn ends',
          own_edit_hook: true,
        },
      ]);
      for (const told of await Promise.all(waits))
        expect(told).toMatchObject({ state: "queued", timed_out: false });
      expect(await house.house.rooms.locks.news(alice.caller)).toEqual([]);
    });

    it("is none where neither the run nor a hook holds what others wait for", async ({ expect }) => {
      const house = await open();
      const [alice, bob, carl] = await three(house);
      await carl.edits("c");
      expect((await bob.acquire("c")).circle).toBeUndefined();
      const reading = reads(house, alice, "bob");
      expect((await bob.acquire("c", { wait_seconds: 1 })).timed_out).toBe(true);
      await alice.edits("a");
      expect((await bob.acquire(["c", "d"], { wait_seconds: 1 })).timed_out).toBe(true);
      await send(house, bob, "alice");
      expect((await reading).messages).toHaveLength(1);
      expect(await house.house.rooms.locks.news(alice.caller)).toEqual([]);
    });
  });

  it("is none where who reserved by hooks waits for nothing, or nobody waits for what that was", async ({
    expect,
  }) => {
    const house = await open();
    const [alice, bob, carl] = await three(house);
    await alice.edits("a");
    await bob.edits("b");
    await carl.edits("c");
    const first = await alice.acquire("b", { wait_seconds: 1 });
    expect([first.circle, first.timed_out]).toEqual([undefined, true]);
    const second = await bob.acquire("c", { wait_seconds: 1 });
    expect([second.circle, second.timed_out]).toEqual([undefined, true]);
    // What was reserved for alice's session is free again when its turn is over, and what it waits for is no way on.
    await alice.endsTurn();
    await alice.edits("elsewhere");
    const third = await carl.acquire("a2", { wait_seconds: 1 });
    expect(third.state).toBe("granted");
    await alice.edits("d");
    await alice.release(first.ticket!);
    const last = await bob.acquire("a", { wait_seconds: 1 });
    expect(last.state).toBe("granted");
  });

  it("is forgotten with what the hook had, however that ends", async ({ expect }) => {
    const house = await open();
    const [alice, bob] = await three(house);
    const noted = (): Promise<unknown> =>
      house.house.store.command("HLEN", lockKeys(house.namespace).awaiting);
    await alice.edits("a");
    expect(await noted()).toBe(1);
    const [held] = (await bob.list("a")).holders;
    await alice.release(held!.lock_id);
    expect(await noted()).toBe(0);
    await alice.edits("a", 1);
    expect(await noted()).toBe(1);
    expect(await bob.acquire("a", { wait_seconds: 10 })).toMatchObject({ state: "granted" });
    expect(await noted()).toBe(0);
  });
});
