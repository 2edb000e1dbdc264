import { afterEach, expect, it } from "vitest";
import { defaultLockLimits } from "../../src/locks/index.js";
import { lockKeys } from "../../src/redis/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { type Locker, type LockHouse, openLocks, passTime, rawStore, soon } from "./open-locks.js";

/** Clients whose server lives, and that are not seen any more themselves. */
describeOnEachStore("an absent client", (store) => {
  let house: LockHouse;
  let carl: Locker;
  afterEach(() => house.close());
  const open = async (): Promise<[Locker, Locker]> => {
    house = await openLocks(store().url);
    carl = await house.as("carl");
    return [await house.as("anna"), await house.as("ben")];
  };
  const note = ({ caller }: Locker, isAbsent: boolean): Promise<void> =>
    house.house.rooms.locks.noteAbsence(caller, isAbsent);
  const absent = async (): Promise<readonly string[]> => {
    const redis = rawStore(store().url);
    const runs = await redis.smembers(lockKeys(house.namespace).absent);
    redis.disconnect();
    return runs;
  };

  it("is passed over when its turn comes, keeps its place, and gets the lock when it calls again", async () => {
    const [anna, ben] = await open();
    const { lock_id: held } = await anna.acquire("x");
    const { ticket } = await ben.acquire("x");
    const next = await carl.acquire("x");
    await note(ben, true);
    expect(await anna.release(held!)).toMatchObject({ next: ["carl"] });
    await note(ben, false);
    expect(await ben.claim(ticket!)).toMatchObject({ state: "queued", place: 1 });
    const { lock_id } = await carl.claim(next.ticket!);
    await carl.release(lock_id!);
    expect(await ben.claim(ticket!)).toMatchObject({ state: "granted" });
  });

  it("has its offer for seconds only, whether it was absent before or becomes so", async () => {
    const [anna, ben] = await open();
    const { lock_id: held } = await anna.acquire("x");
    const { ticket } = await ben.acquire("x");
    const waiting = carl.acquire("x", { wait_seconds: 40 });
    await soon(async () => expect((await anna.list()).waiters).toHaveLength(2));
    await anna.release(held!);
    await passTime(store().url, house.namespace, defaultLockLimits.deadOfferMs);
    expect((await carl.list("x")).holders).toMatchObject([{ agent: "ben" }]);
    await note(ben, true);
    expect(await waiting).toMatchObject({ state: "granted" });
    expect(await ben.claim(ticket!)).toMatchObject({ state: "queued" });
  });

  it("has the whole time of its offer once it is there again", async () => {
    const [anna, ben] = await open();
    const { lock_id: held } = await anna.acquire("x");
    const { ticket } = await ben.acquire("x");
    await anna.release(held!);
    await note(ben, true);
    await note(ben, false);
    await passTime(store().url, house.namespace, 2 * defaultLockLimits.deadOfferMs);
    expect(await carl.acquire("x")).toMatchObject({ state: "queued" });
    expect(await ben.claim(ticket!)).toMatchObject({ state: "granted" });
  });

  it("keeps what it holds, and is forgotten as absent when its run ends", async () => {
    const [anna, ben] = await open();
    await ben.acquire("x");
    await note(ben, true);
    expect(await absent()).toEqual([ben.caller.run.id]);
    expect(await anna.acquire("x")).toMatchObject({ state: "queued" });
    await ben.end();
    expect(await absent()).toEqual([]);
    expect(await anna.acquire("x")).toMatchObject({ state: "granted" });
  });

  it("is not noted where it has nothing that could be offered", async () => {
    const [anna] = await open();
    await note(anna, true);
    const { lock_id } = await anna.acquire("x");
    await anna.release(lock_id!);
    await note(anna, true);
    expect(await absent()).toEqual([]);
  });
});
