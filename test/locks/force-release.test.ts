import { afterEach, expect, it } from "vitest";
import { type AuditQuery, queryAudit } from "../../src/audit/index.js";
import { forceRelease, listForced } from "../../src/locks/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { type LockHouse, openLocks, operatorOf } from "./open-locks.js";

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
});
