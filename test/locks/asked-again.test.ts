import { afterEach, expect, it } from "vitest";
import { listApprovals } from "../../src/approvals/index.js";
import { queryAudit } from "../../src/audit/index.js";
import { lockKeys } from "../../src/redis/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { type LockHouse, openLocks, operatorOf, passTime, rawStore } from "./open-locks.js";

const rules = `
version: 1
otherwise: allow
unknown: allow
rules:
  - { id: ask, actions: [lock.acquire], resources: ["lock:stage/**"], effect: require_approval }
  - { id: no, actions: [lock.acquire], resources: ["lock:pre/**"], effect: deny }
`;

/** Rules are asked when a run gets something, and not again when it asks for what it has. */
describeOnEachStore("asking again for what the run holds", (store) => {
  const houses: LockHouse[] = [];
  const open = async (): Promise<LockHouse> => {
    const house = await openLocks(store().url);
    houses.push(house);
    return house;
  };
  const putRules = (house: LockHouse): Promise<unknown> =>
    house.house.ruleBook.put(operatorOf(house), { text: rules, over: 0 });
  const denied = { code: "policy.denied" };
  const openRequests = async (house: LockHouse): Promise<number> =>
    (await listApprovals(house.house.approvals, operatorOf(house))).length;
  afterEach(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
  });

  it("is already_held whatever the rules say by now, and asks nobody", async () => {
    const house = await open();
    const [alice, bob] = [await house.as("alice"), await house.as("bob")];
    const [pre, stage] = [await alice.acquire("pre/**"), await alice.acquire(["stage/1", "z"])];
    await putRules(house);
    for (const more of [{}, { wait_seconds: 5 }, { idempotency_key: "k" }, { mode: "shared" as const }]) {
      const of = { state: "already_held", lock_id: pre.lock_id, token: pre.token };
      expect(await alice.acquire("pre/**", more), JSON.stringify(more)).toMatchObject(of);
      expect(await alice.acquire("pre/a", more)).toMatchObject(of);
      const also = { state: "already_held", lock_id: stage.lock_id, token: stage.token };
      expect(await alice.acquire("stage/1", more)).toMatchObject(also);
    }
    expect(await alice.acquire(["pre/a", "stage/1"])).toMatchObject({
      state: "already_held",
      leases: [{ lock_id: pre.lock_id }, { lock_id: stage.lock_id }],
    });
    expect(await openRequests(house)).toBe(0);
    await expect(bob.acquire("pre/**")).rejects.toMatchObject(denied);
    await expect(alice.acquire(["pre/**", "y"])).rejects.toMatchObject(denied);
    await expect(alice.acquire("stage/2")).rejects.toMatchObject({ code: "policy.approval_required" });
    expect(await openRequests(house)).toBe(1);
  });

  it("is refused by the key of another call, whatever is held", async () => {
    const house = await open();
    const alice = await house.as("alice");
    const conflict = { code: "lock.idempotency_conflict" };
    await alice.acquire("one", { idempotency_key: "k" });
    await alice.acquire("two");
    await expect(alice.acquire("two", { idempotency_key: "k" })).rejects.toMatchObject(conflict);
    await expect(alice.acquire("one", { idempotency_key: "k", mode: "shared" })).rejects.toMatchObject(
      conflict,
    );
  });

  it("is refused by a grant that denies it", async () => {
    const house = await open();
    const alice = await house.as("alice");
    await alice.acquire("pre/**");
    await putRules(house);
    const grant = { who: "alice", action: "lock.acquire", resource: "*", effect: "deny" } as const;
    await house.house.grants.add(operatorOf(house), grant);
    await expect
      .poll(() => alice.acquire("pre/**").catch((error: { code: string }) => error.code))
      .toBe("access.denied");
  });

  it("asks the rules where it is not held any more, or only shared, though this process does not know it yet", async () => {
    const house = await open();
    const alice = await house.as("alice");
    await alice.acquire("pre/a", { lease_seconds: 60 });
    await alice.acquire("pre/b", { mode: "shared" });
    const { lock_id: forced } = await alice.acquire("pre/c");
    await alice.acquire("pre/d", { lease_seconds: 60, idempotency_key: "d" });
    await putRules(house);
    await expect(alice.acquire("pre/b")).rejects.toMatchObject(denied);
    await passTime(store().url, house.namespace, 60_001);
    await expect(alice.acquire("pre/a")).rejects.toMatchObject(denied);
    await expect(alice.acquire("pre/d", { idempotency_key: "d" })).rejects.toMatchObject(denied);
    const redis = rawStore(store().url);
    await redis.hset(lockKeys(house.namespace).runs, alice.caller.run.id, "");
    await redis.hdel(lockKeys(house.namespace).requests, forced!);
    redis.disconnect();
    await expect(alice.acquire("pre/c")).rejects.toMatchObject(denied);
    expect((await (await house.as("bob")).list()).holders.map(({ resources }) => resources)).toEqual([
      ["pre/b"],
    ]);
  });

  it("leaves in the audit what was decided about it, and no more", async () => {
    const house = await open();
    const alice = await house.as("alice");
    await alice.acquire("pre/a", { lease_seconds: 60 });
    await putRules(house);
    await alice.acquire("pre/a", { lease_seconds: 60 });
    await passTime(store().url, house.namespace, 60_001);
    await expect(alice.acquire("pre/a")).rejects.toMatchObject(denied);
    const outcomes = async (): Promise<string[]> => {
      const rows: string[] = [];
      const query = { agent: "alice", action: "lock.acquire" } as const;
      for await (const { outcome, resource } of queryAudit(
        house.house.store,
        house.house.places,
        house.namespace,
        query,
      ))
        rows.push(`${resource} ${outcome}`);
      return rows.sort();
    };
    await expect.poll(outcomes).toEqual(["lock:pre/a allow", "lock:pre/a allow", "lock:pre/a deny"]);
  });
});
