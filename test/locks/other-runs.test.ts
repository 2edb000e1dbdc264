import { afterAll, expect, it } from "vitest";
import { queryAudit } from "../../src/audit/index.js";
import type { LockLimits } from "../../src/locks/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { type Locker, type LockHouse, openLocks, passTime } from "./open-locks.js";

describeOnEachStore.concurrent("what another run of its agent names", (store) => {
  const houses: LockHouse[] = [];
  const open = async (limits: Partial<LockLimits> = {}, namespace?: string): Promise<LockHouse> => {
    const house = await openLocks(store().url, limits, namespace);
    houses.push(house);
    return house;
  };
  afterAll(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
  });

  /** Two runs of alice in two processes, and bob. */
  const three = async (limits: Partial<LockLimits> = {}): Promise<[Locker, Locker, Locker, LockHouse]> => {
    const here = await open(limits);
    const there = await open(limits, here.namespace);
    return [await here.as("alice"), await there.as("alice"), await there.as("bob"), there];
  };
  const newsOf = (house: LockHouse, { caller }: Locker) => house.house.rooms.locks.news(caller);

  it("passes to it with its renewal, token and all, and does not end with the run that had it", async ({
    expect,
  }) => {
    const [one, other, bob] = await three();
    const held = await one.acquire(["x", "y"]);
    expect(await one.news()).toEqual([]);
    const renewed = await other.renew(held.lock_id!, 3_600);
    expect(renewed).toEqual({
      ...{ state: "renewed", lock_id: held.lock_id, token: held.token, resources: ["x", "y"] },
      expires_at: expect.stringMatching(/Z$/),
    });
    expect((await other.list("x")).holders).toMatchObject([{ own: "this run" }]);
    await expect.poll(() => one.news()).toEqual([`elsewhere ${held.lock_id}`]);
    expect(await one.news()).toEqual([]);
    await one.end();
    expect(await bob.acquire("x")).toMatchObject({ state: "queued", holders: [{ agent: "alice" }] });
    expect(await other.renew(held.lock_id!)).toMatchObject({ state: "renewed", token: held.token });
    expect(await other.news()).toEqual([]);
    await other.end();
    expect(await bob.acquire("x")).toMatchObject({ state: "granted" });
  });

  it("is told with what it was for when that run loses it", async ({ expect }) => {
    const [one, other, bob, there] = await three();
    const { lock_id: id } = await one.acquire(["x", "y"], { lease_seconds: 60 });
    expect(await one.news()).toEqual([]);
    await other.renew(id!, 60);
    expect(await other.news()).toEqual([]);
    await passTime(store().url, there.namespace, 60_001);
    await bob.acquire("elsewhere");
    await expect.poll(() => newsOf(there, other)).toEqual([{ what: "lost", id, resources: ["x", "y"] }]);
    await expect.poll(() => one.news()).toEqual([`lost ${id}`]);
  });

  it("passes to it with its ticket and keeps its place, and a call that waits with it is answered at once", async ({
    expect,
  }) => {
    const [one, other, bob] = await three();
    const carl = bob;
    const held = await bob.acquire("x");
    const { ticket } = await one.acquire("x", { lease_seconds: 300 });
    const from = Date.now();
    const waiting = one.claim(ticket!, { wait_seconds: 30 }).catch((error: Error) => error.message);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await other.claim(ticket!)).toMatchObject({ state: "queued", ticket, place: 1, resources: ["x"] });
    expect(await waiting).toBe(
      `lock.ticket_unknown: no ticket ${ticket} of yours: another run of yours called with it, and has it now. Call acquire_lock with it again to take it back.`,
    );
    expect(Date.now() - from).toBeLessThan(4_000);
    expect(await one.news()).toEqual([]);
    await one.end();
    expect((await carl.release(held.lock_id!)).next).toEqual(["alice"]);
    const granted = await other.claim(ticket!, { resources: ["x"] });
    expect(granted).toMatchObject({ state: "granted", lock_id: ticket });
    expect(Date.parse(granted.expires_at!) - Date.now()).toBeLessThan(301_000);
  });

  it("tells the run that had a place once, and lets it take that back", async ({ expect }) => {
    const [one, other, bob] = await three();
    await bob.acquire("x");
    const { ticket } = await one.acquire("x");
    await one.news();
    await other.claim(ticket!);
    expect(await other.news()).toEqual([]);
    await expect.poll(() => one.news()).toEqual([`elsewhere ${ticket}`]);
    expect(await one.news()).toEqual([]);
    expect(await one.claim(ticket!)).toMatchObject({ state: "queued", place: 1 });
    await expect.poll(() => other.news()).toEqual([`elsewhere ${ticket}`]);
  });

  it("passes also by the key of the call that got it, and as what became of its ticket", async () => {
    const [one, other, bob, there] = await three();
    const key = { idempotency_key: "k" };
    const held = await one.acquire("x", key);
    const again = await other.acquire("x", key);
    expect(again).toMatchObject({ state: "already_held", lock_id: held.lock_id, token: held.token });
    await one.end();
    expect((await bob.list("x")).holders).toHaveLength(1);
    const third = await (await open({}, there.namespace)).as("alice");
    expect(await third.claim(held.lock_id!)).toMatchObject({ state: "already_held", token: held.token });
    await other.end();
    expect((await bob.list("x")).holders).toHaveLength(1);
  });

  it("is named as another run where it is in the way, and in a circle with it", async ({ expect }) => {
    const [one, other, bob] = await three();
    await one.acquire("a");
    await other.acquire("b");
    const queued = await one.acquire("b");
    expect(queued.holders).toMatchObject([
      { agent: "alice", own: "another run", lock_id: expect.stringMatching(/^lk-/) },
    ]);
    const deadlock =
      'you wait for "a", where another run of yours is before you; another run of yours waits for "b", where you are before it';
    await expect(other.acquire("a")).rejects.toMatchObject({ facts: { circle: deadlock } });
    const strangers = await bob.acquire("a");
    expect(strangers.holders).toEqual([expect.not.objectContaining({ own: expect.anything() })]);
  });

  it("is no other run's to the run that repeats by its key what another one released", async ({ expect }) => {
    const [one, other] = await three();
    const { lock_id: id } = await one.acquire("x");
    const key = { idempotency_key: "k" };
    expect(await other.release(id!, key)).toMatchObject({ state: "released", other_run: expect.any(String) });
    expect(await one.release(id!, key)).toEqual({ state: "released", next: [], replayed: true });
  });

  it("is named in the audit when it gives that back, a lease and a place", async ({ expect }) => {
    const [one, other, bob, there] = await three();
    const { lock_id: lease } = await one.acquire(["x", "y"]);
    await bob.acquire("z");
    const { ticket } = await one.acquire("z");
    const { store: opened, places } = there.house;
    const releases = async (id: string): Promise<readonly string[]> => {
      const query = { agent: "alice", action: "lock.release" };
      const before = await fromAudit(query);
      expect(await other.release(id)).toMatchObject({ state: id === lease ? "released" : "left_queue" });
      const after = await fromAudit(query);
      return after.slice(0, after.length - before.length);
    };
    const fromAudit = async (query: object): Promise<readonly string[]> => {
      const resources: string[] = [];
      for await (const { resource } of queryAudit(opened, places, there.namespace, query))
        resources.push(resource);
      return resources;
    };
    expect((await releases(lease!)).toSorted()).toEqual(["lock:x", "lock:y"]);
    expect(await releases(ticket!)).toEqual(["lock:z"]);
  });

  it("never passes to another agent, which is answered as if there were no such id", async () => {
    const [one, other, bob] = await three();
    const { lock_id: id } = await one.acquire("x");
    const { ticket } = await other.acquire("x");
    const none = "lk-000000000000";
    const said = (call: Promise<unknown>, name: string): Promise<string> =>
      call.then(
        () => "let pass",
        (error: Error) => error.message.replace(name, "ID"),
      );
    for (const name of [id!, ticket!]) {
      expect(await said(bob.renew(name), name)).toBe(await said(bob.renew(none), none));
      expect(await said(bob.claim(name), name)).toBe(await said(bob.claim(none), none));
      expect(await said(bob.claim(name, { mode: "shared" }), name)).toBe(await said(bob.claim(none), none));
    }
    expect((await one.list("x")).holders).toMatchObject([{ own: "this run" }]);
    expect(await other.claim(ticket!)).toMatchObject({ state: "queued", place: 1 });
  });

  it("takes along what the run holds of the same, which would stand in its way", async ({ expect }) => {
    const [one, other, bob, there] = await three();
    const a = await one.acquire("x", { mode: "shared" });
    const b = await one.acquire(["x", "y"]);
    const apart = await one.acquire("z");
    await one.news();
    expect(await other.renew(a.lock_id!)).toMatchObject({ state: "renewed", token: a.token });
    await expect
      .poll(async () => [...(await one.news())].sort())
      .toEqual([`elsewhere ${a.lock_id}`, `elsewhere ${b.lock_id}`].sort());
    await one.end();
    expect((await bob.list()).holders.map(({ lock_id }) => lock_id).sort()).toEqual(
      [a.lock_id, b.lock_id].sort(),
    );
    expect(await other.acquire("y")).toMatchObject({ state: "already_held", lock_id: b.lock_id });
    expect(apart.state).toBe("granted");
    // A place takes along the lease that does not stand in its own run's way.
    const shared = await bob.acquire("w", { mode: "shared" });
    const mine = await other.acquire("w", { mode: "shared" });
    const { ticket } = await other.acquire("w");
    const third = await (await open({}, there.namespace)).as("alice");
    expect((await third.claim(ticket!)).holders!.map(({ agent }) => agent)).toEqual(["bob"]);
    await bob.release(shared.lock_id!);
    expect(await third.claim(ticket!)).toMatchObject({
      state: "granted",
      older: [{ lock_id: mine.lock_id, resources: ["w"] }],
    });
  });

  it("does not stand in that run's way any more", async ({ expect }) => {
    const [one, other] = await three();
    const { lock_id: held, token } = await one.acquire(["x", "y"]);
    const waiting = other.acquire("x", { wait_seconds: 20 });
    await expect.poll(async () => (await one.list("x")).waiters.length).toBe(1);
    await other.renew(held!);
    expect(await waiting).toMatchObject({ state: "already_held", lock_id: held, token });
  });

  it("stays where it is when that run waits for somebody who waits for it, or has as much as it may", async () => {
    const [one, other, bob] = await three({ requestsOfRun: 2 });
    const { lock_id: x } = await one.acquire("x");
    await bob.acquire("y");
    const { ticket } = await bob.acquire("x");
    const place = await other.acquire("y");
    await expect(other.renew(x!)).rejects.toThrow(
      'lock.deadlock: this wait would never end: you wait for "y", where bob is before you; bob waits for "x", where you are before it.',
    );
    await other.release(place.ticket!);
    for (const name of ["a", "b"]) await other.acquire(name);
    await expect(other.renew(x!)).rejects.toThrow(/^lock\.full: this run has 2 /);
    await expect(other.claim(x!)).rejects.toThrow(/^lock\.full/);
    expect((await one.list("x")).holders).toMatchObject([{ lock_id: x, own: "this run" }]);
    expect(await one.news()).toEqual([]);
    await one.end();
    expect(await bob.claim(ticket!)).toMatchObject({ state: "granted" });
  });

  it("refuses a ticket that would close a circle there, and leaves the place where it is", async () => {
    const [one, other, bob] = await three();
    await bob.acquire("y");
    const { ticket } = await one.acquire("y");
    await other.acquire("x");
    await bob.acquire("x");
    await expect(other.claim(ticket!)).rejects.toThrow(/^lock\.deadlock/);
    expect((await one.list("y")).waiters).toMatchObject([{ ticket, own: "this run" }]);
    expect(await one.claim(ticket!)).toMatchObject({ state: "queued", place: 1 });
  });

  it("is prolonged where an edit hook has it, and stays with that, which gives it back", async ({
    expect,
  }) => {
    const [one, , bob, there] = await three();
    const { guardFiles, guardStop } = there.house.rooms.locks;
    const { principal } = one.caller;
    await guardFiles(principal, { files: ["a.ts"], take: { session: "s", lease_seconds: 60 } });
    const [{ lock_id: id }] = (await one.list("a.ts")).holders as unknown as [{ lock_id: string }];
    const renewed = await one.renew(id, 3_600);
    expect(renewed).toMatchObject({ state: "renewed", own_edit_hook: true, resources: ["a.ts"] });
    expect(Date.parse(renewed.expires_at!)).toBeGreaterThan(Date.now() + 3_000_000);
    await expect(one.claim(id)).rejects.toThrow(/^lock\.ticket_unknown/);
    await guardStop(principal, "s");
    expect((await bob.list("a.ts")).holders).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await one.news()).toEqual([]);
  });

  it("is held already where it goes on with a place for it: it is not told of its turn, and granted nothing twice", async ({
    expect,
  }) => {
    const [one, other, bob] = await three();
    const held = await one.acquire("x");
    const { ticket } = await other.acquire("x");
    const waiting = await bob.acquire("x");
    await other.renew(held.lock_id!);
    expect(await other.news()).toEqual([]);
    const same = { state: "already_held", lock_id: held.lock_id, token: held.token };
    for (let n = 0; n < 2; n++) expect(await other.claim(ticket!)).toMatchObject(same);
    expect((await other.list("x")).holders).toMatchObject([{ lock_id: held.lock_id }]);
    expect(await other.news()).toEqual([]);
    await other.release(held.lock_id!);
    expect(await bob.claim(waiting.ticket!)).toMatchObject({ state: "granted" });
  });

  it("and what one of several places of a run got is held already for the others", async ({ expect }) => {
    const [alice, , bob] = await three();
    const held = await bob.acquire(["v", "w"]);
    const first = await alice.acquire("w");
    const wider = await alice.acquire(["v", "w"]);
    const shared = await alice.acquire("w", { mode: "shared" });
    const later = await bob.acquire("w");
    expect(later.state).toBe("already_held");
    await bob.release(held.lock_id!);
    const { lock_id: id, token } = await alice.claim(wider.ticket!);
    expect(await alice.news()).toEqual([]);
    for (const { ticket } of [first, shared])
      expect(await alice.claim(ticket!)).toMatchObject({ state: "already_held", lock_id: id, token });
    expect(await bob.acquire("w")).toMatchObject({ state: "queued", holders: [{ agent: "alice" }] });
    expect(await alice.release(id!)).toMatchObject({ next: ["bob"] });
    // What it holds no more it may wait for again, in a place that stood in nobody's way.
    expect(await alice.claim(first.ticket!)).toMatchObject({ state: "queued" });
  });
});

describeOnEachStore("a ticket or a lock_id", (store) => {
  it("is refused beside other resources, or another mode, than it is for, before anything changes", async () => {
    const house = await openLocks(store().url);
    const [alice, bob] = [await house.as("alice"), await house.as("bob")];
    const held = await bob.acquire("a");
    const { ticket } = await alice.acquire(["b", "a"], { priority: 1 });
    const is = (id: string | undefined, what: string): string =>
      `input.invalid: ${id} is for ${what}, exclusive; to go on with that name it alone, for something else leave it out.`;
    const refusal = (call: Promise<unknown>): Promise<string> =>
      call.then(
        () => "let pass",
        (error: Error) => error.message.slice(0, error.message.indexOf("out.") + 4),
      );
    for (const other of [{ resources: ["b"] }, { mode: "shared" as const }, { resources: ["a", "b", "c"] }])
      expect(await refusal(alice.claim(ticket!, { ...other, priority: 9 }))).toBe(is(ticket, '"a", "b"'));
    expect((await alice.list("a")).waiters).toMatchObject([{ priority: 1 }]);
    await bob.release(held.lock_id!);
    const same = { resources: ["./a", "b"], mode: "exclusive" as const };
    const { expires_at: until } = await alice.claim(ticket!, same);
    for (const other of [{ resources: ["ZZZ"] }, { mode: "shared" as const }])
      expect(
        await refusal(
          alice.acquire([], {
            resources: undefined,
            lock_id: ticket,
            lease_seconds: 3_600,
            ...other,
          } as never),
        ),
      ).toBe(is(ticket, '"a", "b"'));
    expect((await alice.list("a")).holders[0]!.until).toBe(until);
    expect(await alice.acquire(same.resources, { lock_id: ticket! })).toMatchObject({ state: "renewed" });
    await expect(alice.claim(ticket!, { lock_id: "lk-000000000000" })).rejects.toThrow(
      /^input\.invalid: .*not both/,
    );
    await house.close();
  });
});
