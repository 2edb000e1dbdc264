import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";
import {
  forceRelease,
  guardRun,
  type LockLimits,
  type LockNews,
  lockNews,
  releaseRun,
} from "../../src/locks/index.js";
import { directoryKeys, lockKeys } from "../../src/redis/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";
import {
  type Locker,
  type LockHouse,
  openLocks,
  operatorOf,
  passTime,
  rawStore,
  soon,
} from "./open-locks.js";

const leaveUndone = fileURLToPath(new URL("../faults/leave-undone.mjs", import.meta.url));

/** What a run held or waited for when it ended without its client's doing is told to the next run of its agent, once. */
describeOnEachStore("what a run lost with its end", (store) => {
  const houses: LockHouse[] = [];
  const open = async (namespace?: string, limits: Partial<LockLimits> = {}): Promise<LockHouse> => {
    const house = await openLocks(store().url, limits, namespace);
    houses.push(house);
    return house;
  };
  const close = async (house: LockHouse): Promise<void> => {
    houses.splice(houses.indexOf(house), 1);
    await house.close();
  };
  const bury = (house: LockHouse, run: string): Promise<void> =>
    releaseRun(house.house.locks, house.namespace, run, false, true);
  const newsOf = (house: LockHouse, { caller }: Locker): Promise<readonly LockNews[]> =>
    lockNews(house.house.locks, caller);
  afterEach(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
  });

  it("is told to one run of its agent, once, when its process was stopped under it", async () => {
    const before = await open();
    const after = await open(before.namespace);
    const carol = await after.as("carol");
    const { lock_id: carols } = await carol.acquire("taken");
    const bob = await before.as("bob");
    const { lock_id: held } = await bob.acquire(["a", "b"]);
    const { ticket } = await bob.acquire("taken");
    await close(before);
    expect(await carol.news()).toEqual([]);
    const [one, other] = [await after.as("bob"), await after.as("bob")];
    expect(await newsOf(after, one)).toEqual([
      { what: "lost with its run", id: held, resources: ["a", "b"] },
      { what: "place lost with its run", id: ticket, resources: ["taken"] },
    ]);
    expect(await one.news()).toEqual([]);
    expect(await other.news()).toEqual([]);
    expect((await carol.release(carols!)).next).toEqual([]);
  });

  it("is told when a dead process was buried, also to a run that began and asked before", async () => {
    const house = await open();
    const elsewhere = await open(house.namespace);
    const dead = await elsewhere.as("bob");
    const { lock_id: held } = await dead.acquire("x");
    const bob = await house.as("bob");
    const carol = await house.as("carol");
    expect(await bob.news()).toEqual([]);
    expect(await carol.news()).toEqual([]);
    await bury(elsewhere, dead.caller.run.id);
    await soon(async () => expect(await bob.news()).toEqual([`lost with its run ${held}`]));
    expect(await bob.news()).toEqual([]);
    expect(await carol.news()).toEqual([]);
  });

  it("is told to the run after the one that was told it in vain, also where that one's client left", async () => {
    const house = await open();
    const { rooms } = house.house;
    for (const isLate of [false, true]) {
      const [before, bob] = [await house.as("bob"), await house.as("bob")];
      const { lock_id: held } = await before.acquire("x");
      await rooms.runs.end(before.caller, "cut short");
      const news = await rooms.locks.news(bob.caller);
      expect(news).toMatchObject([{ what: "lost with its run", id: held }]);
      await bob.acquire("own");
      if (isLate) await bob.end();
      rooms.locks.keepNews(bob.caller, news);
      if (!isLate) await bob.end();
      const after = await house.as("bob");
      await soon(async () => expect(await after.news()).toEqual([`lost with its run ${held}`]));
      await after.end();
    }
  });

  it("is told once, also where the store was away when the run ended that was told it in vain, or its answer was lost", async () => {
    const house = await open();
    const { rooms, store: ours } = house.house;
    const run = ours.run.bind(ours);
    const redis = rawStore(store().url);
    for (const isDone of [false, true]) {
      const [before, bob] = [await house.as("bob"), await house.as("bob")];
      const { lock_id: held } = await before.acquire("x");
      await rooms.runs.end(before.caller, "cut short");
      const news = await rooms.locks.news(bob.caller);
      expect(news).toMatchObject([{ what: "lost with its run", id: held }]);
      rooms.locks.keepNews(bob.caller, news);
      let isAway = true;
      ours.run = async (script, ...rest) => {
        if (!isAway || script.name !== "release-run-locks") return run(script, ...rest);
        if (isDone) await run(script, ...rest);
        throw new Error("away");
      };
      await expect(bob.end()).rejects.toThrow("away");
      isAway = false;
      const { runs } = directoryKeys(house.namespace);
      await expect.poll(() => redis.hlen(runs), { timeout: 20_000 }).toBe(0);
      const after = await house.as("bob");
      expect(await after.news()).toEqual([`lost with its run ${held}`]);
      await after.end();
    }
    redis.disconnect();
  });

  it("is told also to a run that named it before, and was only answered that it has no such lock", async () => {
    const house = await open();
    const carol = await house.as("carol");
    await carol.acquire("taken");
    for (const isNamed of ["released", "renewed", "gone on with"]) {
      const [dead, bob] = [await house.as("bob"), await house.as("bob")];
      const { lock_id: held } = await dead.acquire("x");
      const { ticket } = await dead.acquire("taken");
      await bob.acquire("own");
      expect(await bob.news()).toEqual([]);
      await bury(house, dead.caller.run.id);
      if (isNamed === "released") expect((await bob.release(held!)).state).toBe("gone");
      else if (isNamed === "renewed") await expect(bob.renew(held!)).rejects.toThrow("lock.not_yours");
      else await expect(bob.claim(ticket!)).rejects.toThrow("lock.ticket_unknown");
      const all = [`lost with its run ${held}`, `place lost with its run ${ticket}`];
      await soon(async () => expect(await bob.news()).toEqual(all));
      for (const one of [dead, bob]) await one.end();
    }
  });

  it("is given back also where the store was away when it ended", async () => {
    const house = await open();
    const [alice, bob] = [await house.as("alice"), await house.as("bob")];
    await bob.acquire("x");
    const { ticket } = await alice.acquire("x");
    const { store: ours } = house.house;
    const run = ours.run.bind(ours);
    let isAway = true;
    ours.run = async (script, ...rest) => {
      if (isAway && script.name === "release-run-locks") throw new Error("away");
      return run(script, ...rest);
    };
    await expect(bob.end()).rejects.toThrow("away");
    isAway = false;
    const turn = { agent: "alice", state: "offered" };
    await expect.poll(async () => (await alice.list("x")).holders, { timeout: 20_000 }).toMatchObject([turn]);
    expect(await alice.claim(ticket!)).toMatchObject({ state: "granted" });
    const redis = rawStore(store().url);
    await expect.poll(() => redis.hkeys(directoryKeys(house.namespace).runs)).toEqual([alice.caller.run.id]);
    redis.disconnect();
  });

  it("is given back by others where the process ended and could not do so", async () => {
    const house = await open();
    const alice = await house.as("alice");
    const child = spawn(process.execPath, [leaveUndone], {
      env: {
        ...{ PATH: process.env.PATH!, HOME: process.env.HOME!, REDIS_URL: store().url },
        LLM_MAILBOX_ALLOW_UNVERIFIED: "1",
        LLM_MAILBOX_NAMESPACE: house.namespace,
      },
      stdio: "ignore",
    });
    expect(await once(child, "exit")).toEqual([0, null]);
    for (const name of ["before", "with"])
      await expect.poll(async () => (await alice.list(name)).holders, { timeout: 20_000 }).toEqual([]);
    const redis = rawStore(store().url);
    const { runs, processes } = directoryKeys(house.namespace);
    await expect.poll(() => redis.hkeys(runs)).toEqual([alice.caller.run.id]);
    await expect.poll(() => redis.hlen(processes)).toBe(1);
    redis.disconnect();
  });

  it("is no news where its client left in good order, nor of what hooks reserve", async () => {
    const house = await open();
    const bob = await house.as("bob");
    await bob.acquire("x");
    await bob.end();
    const hook = { principal: bob.caller.principal, run: { id: guardRun("bob", "session") } };
    await house.house.rooms.locks.guardFiles(hook.principal, {
      files: ["f.ts"],
      take: { session: "session", lease_seconds: 60 },
    });
    await house.house.rooms.locks.guardStop(hook.principal, "session");
    expect(await (await house.as("bob")).news()).toEqual([]);
  });

  it("is told when it was lost before that end, by its time or by force, and the run was not told", async () => {
    const house = await open();
    const bob = await house.as("bob");
    const after = await house.as("bob");
    const { lock_id: ranOut } = await bob.acquire(["a", "b"], { lease_seconds: 60 });
    await passTime(store().url, house.namespace, 60_001);
    const { lock_id: forced } = await bob.acquire("c");
    await (await house.as("carol")).acquire("d");
    const { ticket } = await bob.acquire("d");
    for (const id of [forced, ticket])
      await forceRelease(house.house.locks, operatorOf(house), id!, "it is needed");
    expect(await after.news()).toEqual([]);
    await bury(house, bob.caller.run.id);
    const force = { by: "operator", reason: "it is needed" };
    await soon(async () =>
      expect(await newsOf(house, after)).toEqual([
        { what: "lost with its run", id: ranOut, resources: ["a", "b"] },
        { what: "lost with its run", id: forced, resources: ["c"], force },
        { what: "place lost with its run", id: ticket, resources: ["d"], force },
      ]),
    );
    expect(await after.news()).toEqual([]);
  });

  it("is no news of what the run was told itself, by its reply or because it asked", async () => {
    const house = await open();
    const bob = await house.as("bob");
    const leases: string[] = [];
    for (const name of ["x", "y", "z"])
      leases.push((await bob.acquire(name, { lease_seconds: 60 })).lock_id!);
    expect(await bob.news()).toEqual([]);
    await passTime(store().url, house.namespace, 60_001);
    await expect(bob.renew(leases[0]!)).rejects.toThrow("lock.not_yours");
    expect(await bob.release(leases[1]!)).toMatchObject({ state: "lost" });
    await soon(async () => expect(await bob.news()).toEqual([`lost ${leases[2]}`]));
    await bury(house, bob.caller.run.id);
    expect(await newsOf(house, await house.as("bob"))).toEqual([]);
  });

  it("is told by a release of it as well, which counts as told", async () => {
    const house = await open();
    const bob = await house.as("bob");
    const { lock_id: id } = await bob.acquire("x", { lease_seconds: 60 });
    await passTime(store().url, house.namespace, 60_001);
    expect(await bob.release(id!)).toMatchObject({ state: "lost" });
    expect(await bob.news()).toEqual([]);
    expect(await bob.release(id!)).toMatchObject({ state: "gone" });
    expect(await bob.release("lk-0123456789ab")).toMatchObject({ state: "gone" });
  });

  it("is told by the run itself, once, where others took it for gone and it goes on", async () => {
    const [house, elsewhere] = [await open(), await open()];
    const bob = await house.as("bob");
    const { lock_id: held } = await bob.acquire("a");
    const { lock_id: asked } = await bob.acquire("b");
    const leases: string[] = [];
    for (let n = 0; n < 25; n++) leases.push((await bob.acquire(`x${n}`)).lock_id!);
    expect(await bob.news()).toEqual([]);
    await releaseRun(elsewhere.house.locks, house.namespace, bob.caller.run.id, false, true);
    await expect(bob.renew(asked!)).rejects.toThrow("lock.not_yours");
    house.house.locks.returned(bob.caller);
    const told = [...(await bob.news()), ...(await bob.news()), ...(await bob.news())];
    // The first reply names twenty of the 26, and how many are left for the next.
    expect(told.sort()).toEqual([...[held, ...leases].map((id) => `lost ${id}`), "more lost 6"].sort());
    expect(await (await house.as("bob")).news()).toEqual([]);
  });

  it("is told one by one up to a bound, and then how many more there are", async () => {
    const house = await open();
    for (let run = 0; run < 2; run++) {
      const bob = await house.as("bob");
      for (let n = 0; n < 15; n++) await bob.acquire(`x${run}-${n}`);
      await bury(house, bob.caller.run.id);
    }
    const told = await newsOf(house, await house.as("bob"));
    expect(told).toHaveLength(21);
    expect(told.at(-1)).toEqual({ what: "more lost with their run", count: 10 });
  });

  it("is kept for a day", async () => {
    const house = await open();
    const bob = await house.as("bob");
    await bob.acquire("x");
    await bury(house, bob.caller.run.id);
    const redis = rawStore(store().url);
    const lifeMs = await redis.pttl(lockKeys(house.namespace).lost("bob"));
    redis.disconnect();
    expect(lifeMs).toBeGreaterThan(23 * 3_600_000);
    expect(lifeMs).toBeLessThanOrEqual(24 * 3_600_000);
  });

  it("is told to a run that began before the other one took anything", async () => {
    const namespace = newNamespace();
    const [house, elsewhere] = [
      await open(namespace, { lossesAgainMs: 300 }),
      await open(namespace, { lossesAgainMs: 300 }),
    ];
    const [bob, carol] = [await house.as("bob"), await house.as("carol")];
    for (const one of [bob, carol]) expect(await one.news()).toEqual([]);
    const dead = await elsewhere.as("bob");
    const { lock_id: held } = await dead.acquire("x");
    await bury(elsewhere, dead.caller.run.id);
    await soon(async () => expect(await bob.news()).toEqual([`lost with its run ${held}`]));
    expect(await carol.news()).toEqual([]);
    // Nor is it missed where it asked once while the other one held something.
    const next = await elsewhere.as("bob");
    const { lock_id: other } = await next.acquire("y");
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(await bob.news()).toEqual([]);
    await bury(elsewhere, next.caller.run.id);
    await soon(async () => expect(await bob.news()).toEqual([`lost with its run ${other}`]));
  });

  it("costs a run one store command at its first reply, and none afterwards", async () => {
    const house = await open();
    const bob = await house.as("bob");
    const { store: used } = house.house;
    const scripts: string[] = [];
    const run = used.run.bind(used);
    used.run = (script, ...given) => {
      // The heartbeats of the process are not the run's.
      if (/lock|loss/.test(script.name) && script.name !== "beat-locks") scripts.push(script.name);
      return run(script, ...given);
    };
    for (let n = 0; n < 5; n++) await bob.news();
    expect(scripts).toEqual(["take-losses"]);
  });
});
