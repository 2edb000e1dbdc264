import { afterEach, expect, it } from "vitest";
import { type AuditQuery, queryAudit } from "../../src/audit/index.js";
import { forceRelease, listForced } from "../../src/locks/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { type LockHouse, openLocks, operatorOf, soon } from "./open-locks.js";

describeOnEachStore("a release by force", (store) => {
  const houses: LockHouse[] = [];
  const open = async (): Promise<LockHouse> => {
    const house = await openLocks(store().url);
    houses.push(house);
    return house;
  };
  const found = async ({ house, namespace }: LockHouse, query: AuditQuery): Promise<readonly object[]> => {
    const events: object[] = [];
    for await (const { action, resource, outcome, because } of queryAudit(
      house.store,
      house.places,
      namespace,
      query,
    ))
      if (action === "admin.locks") events.push({ resource, outcome, because });
    return events;
  };
  afterEach(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
  });

  it("is found in the audit by each resource, with its id and whose it was, and by the id its reason", async () => {
    const house = await open();
    const bob = await house.as("bob");
    const { lock_id: id } = await bob.acquire(["src/a.ts", "src/b.ts"]);
    expect(await forceRelease(house.house.locks, operatorOf(house), id!, "it hangs")).toEqual({
      agent: "bob",
      next: [],
      replayed: false,
    });
    for (const resource of ["lock:src/a.ts", "lock:src/b.ts"])
      expect(await found(house, { resource })).toEqual([
        { resource, outcome: "allow", because: `operator; ${id} of bob` },
      ]);
    expect(await listForced(house.house.locks, operatorOf(house), 5)).toMatchObject([
      { lockId: id, agent: "bob", reason: "it hangs" },
    ]);
    expect(JSON.stringify(await found(house, {}))).not.toContain("it hangs");
  });

  it("that finds nothing is recorded as one that found nothing, and a look as a look", async () => {
    const house = await open();
    const carol = operatorOf(house);
    expect(await forceRelease(house.house.locks, carol, "lk-0123456789ab", "x")).toBeUndefined();
    expect(await forceRelease(house.house.locks, carol, 'odd "id"', "x")).toBeUndefined();
    await listForced(house.house.locks, carol, 5);
    expect(await found(house, {})).toEqual([
      { resource: "*", outcome: "allow", because: "operator" },
      { resource: "*", outcome: "refuse", because: "nothing to release: with that id" },
      { resource: "*", outcome: "refuse", because: "nothing to release: lk-0123456789ab" },
    ]);
  });

  it("is listed page by page, newest first, and not after what is not there", async () => {
    const house = await open();
    const bob = await house.as("bob");
    const ids: string[] = [];
    for (const reason of ["first", "second", "third"]) {
      const { lock_id: id } = await bob.acquire("x");
      ids.unshift(id!);
      await forceRelease(house.house.locks, operatorOf(house), id!, reason);
    }
    const page = async (most: number, before?: string) =>
      (await listForced(house.house.locks, operatorOf(house), most, before))?.map(({ reason }) => reason);
    expect(await page(1)).toEqual(["third"]);
    expect(await page(1, ids[0])).toEqual(["second"]);
    expect(await page(5, ids[0])).toEqual(["second", "first"]);
    expect(await page(5, ids[2])).toEqual([]);
    expect(await page(5, "lk-000000000000")).toBeUndefined();
  });

  it("of a place in the queue names what was waited for, and who waited", async () => {
    const house = await open();
    await (await house.as("bob")).acquire("x");
    const { ticket } = await (await house.as("carol")).acquire("x");
    await forceRelease(house.house.locks, operatorOf(house), ticket!, "it waits in vain");
    expect(await found(house, { resource: "lock:x" })).toMatchObject([
      { outcome: "allow", because: `operator; ${ticket} of carol` },
    ]);
  });

  it("is open to an agent that is an admin, and whoever lost it is told once by whom and why", async () => {
    const house = await open();
    const [bob, carol, root] = [
      await house.as("bob"),
      await house.as("carol"),
      await house.as("root", "admin"),
    ];
    const news = () => house.house.rooms.locks.news(bob.caller);
    const { lock_id: id } = await bob.acquire("src/a.ts");
    const { ticket } = await carol.acquire("src/a.ts");
    for (const agent of [bob, carol]) expect(await agent.news()).toEqual([]);
    expect(await root.release(id!, { reason: "it hangs" })).toEqual({
      ...{ state: "released", taken_from: "bob", next: ["carol"], replayed: false },
    });
    const force = { by: "root", reason: "it hangs" };
    await soon(async () => expect(await news()).toMatchObject([{ what: "lost", id, force }]));
    expect(await news()).toEqual([]);
    expect(await root.release(ticket!, { reason: "nobody is there" })).toMatchObject({ taken_from: "carol" });
    const placeLost = { what: "place lost", force: { by: "root", reason: "nobody is there" } };
    await soon(async () =>
      expect(await house.house.rooms.locks.news(carol.caller)).toMatchObject([placeLost]),
    );
    expect(await found(house, { resource: "lock:src/a.ts" })).toMatchObject([
      { outcome: "allow", because: expect.stringContaining(`${ticket} of carol`) },
      { outcome: "allow", because: expect.stringContaining(`${id} of bob`) },
    ]);
    expect(await listForced(house.house.locks, operatorOf(house), 5)).toMatchObject([
      { by: "root", agent: "carol", reason: "nobody is there" },
      { by: "root", agent: "bob", reason: "it hangs" },
    ]);
  });

  it("is told to the next run of whoever lost it, where its run ended before it could be", async () => {
    const house = await open();
    const [bob, root] = [await house.as("bob"), await house.as("root", "admin")];
    const { lock_id: id } = await bob.acquire("x");
    await root.release(id!, { reason: "it hangs" });
    await house.house.runs.end(bob.caller, "cut short");
    const next = await house.as("bob");
    expect(await house.house.rooms.locks.news(next.caller)).toMatchObject([
      { what: "lost with its run", id, force: { by: "root", reason: "it hangs" } },
    ]);
  });

  it("is refused to every other agent alike, whether there is something or not", async () => {
    const house = await open();
    const [bob, eve] = [await house.as("bob"), await house.as("eve")];
    const { lock_id: id } = await bob.acquire("x");
    for (const named of [id!, "lk-0123456789ab"])
      await expect(eve.release(named, { reason: "I want it" })).rejects.toMatchObject({
        code: "access.denied",
        message: expect.stringContaining("admin.locks"),
      });
    expect(await eve.acquire("x")).toMatchObject({ state: "queued" });
    expect(await found(house, {})).toMatchObject([{ outcome: "deny" }, { outcome: "deny" }]);
  });

  it("that is repeated takes nothing more: not from who got it next, nor under the same key", async () => {
    const house = await open();
    const [bob, carol, root] = [
      await house.as("bob"),
      await house.as("carol"),
      await house.as("root", "admin"),
    ];
    const { lock_id: id } = await bob.acquire("x");
    const { ticket } = await carol.acquire("x");
    const force = { reason: "it hangs", idempotency_key: "k" };
    // Without a reason it is nothing of the caller's.
    expect(await root.release(id!)).toMatchObject({ state: "gone" });
    const first = await root.release(id!, force);
    expect(await carol.claim(ticket!)).toMatchObject({ state: "granted" });
    expect(await root.release(id!, force)).toEqual({ ...first, replayed: true });
    expect(await root.release(id!, { reason: "it hangs" })).toMatchObject({ state: "gone" });
    await expect(root.release(id!, { idempotency_key: "k" })).rejects.toMatchObject({
      code: "lock.idempotency_conflict",
    });
    expect(await carol.news()).toEqual([]);
    expect((await root.list("x")).holders).toMatchObject([{ agent: "carol", state: "held" }]);
  });

  it("is none where the lock is the caller's own", async () => {
    const house = await open();
    const [eve, root] = [await house.as("eve"), await house.as("root", "admin")];
    for (const agent of [eve, root]) {
      const { lock_id: id } = await agent.acquire("x");
      const own = { reason: "done", idempotency_key: "own" };
      const released = await agent.release(id!, own);
      expect(released).toMatchObject({ state: "released", replayed: false });
      expect(released.taken_from).toBeUndefined();
      expect(await agent.release(id!, own)).toMatchObject({ state: "released", replayed: true });
      // Also where it is not any more, as with every release that is repeated.
      expect(await agent.release(id!, { reason: "done" })).toMatchObject({ state: "gone" });
    }
    expect(await listForced(house.house.locks, operatorOf(house), 5)).toEqual([]);
  });
});
