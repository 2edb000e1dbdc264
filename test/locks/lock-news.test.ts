import { afterEach, expect, it } from "vitest";
import {
  forceRelease,
  keepNews,
  type LockLimits,
  type LockNews,
  lockNews,
  releaseAgent,
  releaseRun,
} from "../../src/locks/index.js";
import { lockKeys } from "../../src/redis/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { hookAgents } from "./hook-agents.js";
import {
  type Locker,
  type LockHouse,
  openLocks,
  operatorOf,
  passTime,
  rawStore,
  soon,
} from "./open-locks.js";

/** What a run is told of its locks: each loss once, and none counts as told before it was. */
describeOnEachStore("the news of locks", (store) => {
  const houses: LockHouse[] = [];
  const open = async (limits: Partial<LockLimits> = {}): Promise<LockHouse> => {
    const house = await openLocks(store().url, limits);
    houses.push(house);
    return house;
  };
  const reason = "it is needed";
  /** By whom and why something was taken is told of whatever was taken here, and of nothing else. */
  const taken = new Set<string>();
  const newsOf = async (house: LockHouse, { caller }: Locker): Promise<readonly LockNews[]> =>
    (await lockNews(house.house.locks, caller)).map((one) => {
      const { force, ...rest } = { force: undefined, ...one };
      const isTaken = "id" in one && taken.has(one.id);
      expect(force).toEqual(isTaken && one.what.includes("lost") ? { by: "operator", reason } : undefined);
      return rest as LockNews;
    });
  const force = (house: LockHouse, id: string): Promise<unknown> => {
    taken.add(id);
    return forceRelease(house.house.locks, operatorOf(house), id, reason);
  };
  /** Takes so many leases of a minute, and lets them run out. */
  const loseMany = async (house: LockHouse, one: Locker, count: number): Promise<string[]> => {
    const ids: string[] = [];
    for (let n = 0; n < count; n++) ids.push((await one.acquire(`x${n}`, { lease_seconds: 60 })).lock_id!);
    await one.news();
    await passTime(store().url, house.namespace, 60_001);
    await (await house.as("carol")).acquire("elsewhere");
    // Its process has heard of all of them.
    const leases = house.house.locks.known(one.caller)!.leases;
    await soon(() => expect([...leases.values()].every(({ isDoubtful }) => isDoubtful)).toBe(true));
    return ids;
  };
  const idsIn = (news: readonly LockNews[]): string[] => news.flatMap((one) => ("id" in one ? [one.id] : []));
  afterEach(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
  });

  it("name 20 losses at once and count the rest, which the next calls name", async () => {
    const house = await open();
    const bob = await house.as("bob");
    const ids = await loseMany(house, bob, 45);
    const told: string[] = [];
    for (const left of [25, 5]) {
      const news = await newsOf(house, bob);
      expect(news.at(-1)).toEqual({ what: "more lost", count: left });
      expect(idsIn(news)).toHaveLength(20);
      told.push(...idsIn(news));
    }
    const last = await newsOf(house, bob);
    expect(last.every(({ what }) => what === "lost")).toBe(true);
    expect([...told, ...idsIn(last)].sort()).toEqual([...ids].sort());
    expect(await newsOf(house, bob)).toEqual([]);
  });

  it("name each loss in one of several calls made at once", async () => {
    const house = await open();
    const bob = await house.as("bob");
    const ids = await loseMany(house, bob, 25);
    const told: string[] = [];
    for (let n = 0; n < 2; n++)
      told.push(
        ...(await Promise.all(Array.from({ length: 4 }, () => newsOf(house, bob)))).flatMap((news) =>
          idsIn(news),
        ),
      );
    expect(told.sort()).toEqual(ids.sort());
  });

  it("leave to the next run what the run was not told when it ended", async () => {
    const house = await open();
    const bob = await house.as("bob");
    const ids = await loseMany(house, bob, 25);
    const told = idsIn(await newsOf(house, bob));
    await releaseRun(house.house.locks, house.namespace, bob.caller.run.id, false, true);
    const rest = await newsOf(house, await house.as("bob"));
    expect(rest.map(({ what }) => what)).toEqual(Array(5).fill("lost with its run"));
    expect([...told, ...idsIn(rest)].sort()).toEqual([...ids].sort());
  });

  it("are told again by the next reply where one did not reach its client, or by the next run", async () => {
    const house = await open();
    const bob = await house.as("bob");
    const [id] = await loseMany(house, bob, 1);
    const again = async (): Promise<readonly LockNews[]> => {
      const news = await newsOf(house, bob);
      keepNews(house.house.locks, bob.caller, news);
      return news;
    };
    const lost = [{ what: "lost", id, resources: ["x0"] }];
    expect(await again()).toEqual(lost);
    expect(await again()).toEqual(lost);
    await releaseRun(house.house.locks, house.namespace, bob.caller.run.id, false, true);
    const next = await house.as("bob");
    const told = await newsOf(house, next);
    expect(told).toEqual([{ what: "lost with its run", id, resources: ["x0"] }]);
    keepNews(house.house.locks, next.caller, told);
    expect(await newsOf(house, next)).toEqual(told);
    expect(await newsOf(house, next)).toEqual([]);
  });

  it("are told by a later call where the store could not be asked", async () => {
    const house = await open();
    const bob = await house.as("bob");
    const { lock_id: id } = await bob.acquire("x");
    await bob.news();
    await force(house, id!);
    const { store: used } = house.house;
    const run = used.run.bind(used);
    let failed = 0;
    used.run = (script, ...given) => {
      if (script.name !== "renew-locks" || failed > 0) return run(script, ...given);
      failed += 1;
      return Promise.reject(new Error("the store is away"));
    };
    const told: LockNews[] = [];
    await soon(async () => {
      told.push(...(await newsOf(house, bob).catch(() => [])));
      expect([failed, told.length]).toEqual([1, 1]);
    });
    expect(told).toEqual([{ what: "lost", id, resources: ["x"] }]);
  });

  it("name what the run still has of that under another lease, so that nobody else gets it", async () => {
    const house = await open();
    const bob = await house.as("bob");
    const inside = await bob.acquire(["d2"], { lease_seconds: 60 });
    const outer = await bob.acquire(["d2", "d3"]);
    const half = await bob.acquire(["d3", "e"]);
    await bob.news();
    await force(house, inside.lock_id!);
    await soon(async () =>
      expect(await newsOf(house, bob)).toEqual([
        { what: "lost", id: inside.lock_id, resources: ["d2"], still_under: outer.lock_id },
      ]),
    );
    await force(house, half.lock_id!);
    await soon(async () =>
      expect(await newsOf(house, bob)).toEqual([{ what: "lost", id: half.lock_id, resources: ["d3", "e"] }]),
    );
  });

  it("name no weaker lease as what the run still has of it, nor one it got again", async () => {
    const house = await open();
    const [bob, carol] = [await house.as("bob"), await house.as("carol")];
    const shared = await bob.acquire("x", { mode: "shared" });
    const lostOf = async (): Promise<LockNews[]> => {
      const { lock_id: id } = await bob.acquire("x");
      await bob.news();
      await force(house, id!);
      expect(await carol.acquire("x", { mode: "shared" })).toMatchObject({ state: "granted" });
      return [{ what: "lost", id: id!, resources: ["x"] }];
    };
    const expected = await lostOf();
    await soon(async () => expect(await newsOf(house, bob)).toEqual(expected));
    // A shared lease is not missed where the run has another one.
    const wide = await bob.acquire(["x", "y"], { mode: "shared" });
    await bob.news();
    await force(house, shared.lock_id!);
    await soon(async () =>
      expect(await newsOf(house, bob)).toEqual([
        {
          ...{ what: "lost", id: shared.lock_id, resources: ["x"] },
          shared: true,
          still_under: wide.lock_id,
        },
      ]),
    );
  });

  it("tell of what another run gave back that the run still has it under another lease, and the next run nothing", async () => {
    const house = await open();
    const [bob, other] = [await house.as("bob"), await house.as("bob")];
    const inside = await bob.acquire("d2");
    const outer = await bob.acquire(["d2", "d3"]);
    await bob.news();
    await other.release(inside.lock_id!);
    await soon(async () =>
      expect(await newsOf(house, bob)).toEqual([
        { what: "lost", id: inside.lock_id, resources: ["d2"], still_under: outer.lock_id },
      ]),
    );
    await other.release(outer.lock_id!);
    await releaseRun(house.house.locks, house.namespace, bob.caller.run.id, false, true);
    expect(await newsOf(house, other)).toEqual([]);
    expect(await newsOf(house, await house.as("bob"))).toEqual([]);
  });

  it("are told again as they are by then: of what the run got again, gave back or took back", async () => {
    const house = await open();
    const [bob, other] = [await house.as("bob"), await house.as("bob")];
    const inVain = async (id: string): Promise<void> => {
      await soon(async () => {
        const news = await newsOf(house, bob);
        expect(idsIn(news)).toEqual([id]);
        keepNews(house.house.locks, bob.caller, news);
      });
    };
    const { lock_id: id } = await bob.acquire("x");
    await bob.news();
    await force(house, id!);
    await inVain(id!);
    const { lock_id: anew } = await bob.acquire("x");
    expect(await newsOf(house, bob)).toEqual([{ what: "lost", id, resources: ["x"], again_under: anew }]);

    const inside = await bob.acquire("d2");
    const outer = await bob.acquire(["d2", "d3"]);
    await bob.news();
    await force(house, inside.lock_id!);
    await inVain(inside.lock_id!);
    await inVain(inside.lock_id!);
    await bob.release(outer.lock_id!);
    expect(await newsOf(house, bob)).toEqual([{ what: "lost", id: inside.lock_id, resources: ["d2"] }]);

    await other.renew(anew!);
    await inVain(anew!);
    await bob.renew(anew!);
    expect(await newsOf(house, bob)).toEqual([]);
  });

  it("are no losses while the run calls, also of a lease that was renewed for less than was left of it", async () => {
    const house = await open();
    const bob = await house.as("bob");
    const { lock_id: id } = await bob.acquire("x", { lease_seconds: 6 });
    await bob.renew(id!, 1);
    const told: string[] = [];
    const end = performance.now() + 7_500;
    while (performance.now() < end) {
      told.push(...(await bob.news()));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(told).toEqual([`ends soon ${id}`]);
    expect(await bob.acquire("x")).toMatchObject({ state: "already_held", lock_id: id });
  });

  it("say that others may have had it in between where the run got it again only since", async () => {
    const house = await open();
    const [bob, carol] = [await house.as("bob"), await house.as("carol")];
    for (const [lost, again] of [
      ["f1", "f1"],
      ["f2/a", "f2/**"],
    ] as const) {
      const { lock_id: id } = await bob.acquire(lost, { lease_seconds: 60 });
      await bob.news();
      await passTime(store().url, house.namespace, 60_001);
      const theirs = await carol.acquire(lost);
      expect(theirs.state).toBe("granted");
      await carol.release(theirs.lock_id!);
      const anew = await bob.acquire(again);
      expect(anew.state).toBe("granted");
      expect(await newsOf(house, bob)).toEqual([
        { what: "lost", id, resources: [lost], again_under: anew.lock_id },
      ]);
      expect(await newsOf(house, bob)).toEqual([]);
      await bob.release(anew.lock_id!);
    }
  });

  it("are told again where the answer or the refusal that told of them did not reach its client", async () => {
    const house = await open();
    const [bob, carol] = [await house.as("bob"), await house.as("carol")];
    const { locks } = house.house.rooms;
    const calls: Record<string, (id: string, tells: (one: LockNews) => void) => Promise<unknown>> = {
      released: (id, tells) => locks.releaseLock(bob.caller, { lock_id: id }, { tells }),
      renewed: (id, tells) => locks.acquireLock(bob.caller, { lock_id: id }, { tells }),
      claimed: (id, tells) => locks.acquireLock(bob.caller, { ticket: id }, { tells }),
    };
    for (const [resource, call] of Object.entries(calls)) {
      const { lock_id: id } = await bob.acquire(resource, { lease_seconds: 60 });
      await bob.news();
      await passTime(store().url, house.namespace, 60_001);
      const told: LockNews[] = [];
      await call(id!, (one) => told.push(one)).catch(() => undefined);
      const lost = [{ what: "lost", id, resources: [resource] }];
      expect(told).toEqual(lost);
      keepNews(house.house.locks, bob.caller, told);
      expect(await newsOf(house, bob)).toEqual(lost);
      expect(await newsOf(house, bob)).toEqual([]);
      await carol.acquire(resource);
      const { ticket } = await bob.acquire(resource);
      await force(house, ticket!);
      const places: LockNews[] = [];
      await call(ticket!, (one) => places.push(one)).catch(() => undefined);
      expect(places).toEqual([{ what: "place lost", id: ticket, resources: [resource] }]);
      expect(await newsOf(house, bob)).toEqual([]);
    }
  });

  it("tell of a lease that is lost also where the call that names it goes on to take another", async () => {
    const house = await open();
    const bob = await house.as("bob");
    const { lock_id: id } = await bob.acquire("x", { lease_seconds: 60 });
    await bob.news();
    await passTime(store().url, house.namespace, 60_001);
    const anew = await bob.acquire("x", { ticket: id! });
    expect(anew.state).toBe("granted");
    expect(await newsOf(house, bob)).toEqual([
      { what: "lost", id, resources: ["x"], again_under: anew.lock_id },
    ]);
    expect(await newsOf(house, bob)).toEqual([]);
  });

  it("say what the run still has of it also where a call names what was lost", async () => {
    const house = await open();
    const { locks } = house.house.rooms;
    const bob = await house.as("bob");
    const told: LockNews[] = [];
    const tells = (news: LockNews): void => void told.push(news);
    /** Within a wider lease, which is newer. */
    const lost = async (): Promise<{ id: string; expected: LockNews; outer: string }> => {
      const { lock_id: id } = await bob.acquire("d/x");
      const { lock_id: outer } = await bob.acquire("d/**");
      await bob.news();
      await force(house, id!);
      return {
        ...{ id: id!, outer: outer! },
        expected: { id: id!, what: "lost", resources: ["d/x"], still_under: outer! },
      };
    };
    const giveBack = async (outer: string): Promise<void> => {
      expect(await newsOf(house, bob)).toEqual([]);
      expect(told.splice(0)).toEqual([]);
      await bob.release(outer);
    };

    const goneOn = await lost();
    expect(await bob.acquire("d/x", { ticket: goneOn.id })).toMatchObject({
      state: "already_held",
      lock_id: goneOn.outer,
    });
    expect(await newsOf(house, bob)).toEqual([goneOn.expected]);
    await giveBack(goneOn.outer);

    const released = await lost();
    expect(await locks.releaseLock(bob.caller, { lock_id: released.id }, { tells })).toMatchObject({
      state: "lost",
      still_under: released.outer,
    });
    expect(told.splice(0)).toEqual([released.expected]);
    await giveBack(released.outer);

    for (const name of ["lock_id", "ticket"]) {
      const refused = await lost();
      await expect(locks.acquireLock(bob.caller, { [name]: refused.id }, { tells })).rejects.toThrow(
        /lock.not_yours|lock.ticket_unknown/,
      );
      expect(await newsOf(house, bob)).toEqual([refused.expected]);
      await giveBack(refused.outer);
    }
  });

  it("tell once of what is lost also where calls of the run end beside each other", async () => {
    const house = await open();
    const bob = await house.as("bob");
    const { lock_id: id } = await bob.acquire("d/x");
    const { lock_id: outer } = await bob.acquire("d/**");
    await bob.news();
    await force(house, id!);
    const { store: ours } = house.house;
    const run = ours.run.bind(ours);
    let goOn = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    let asks = 0;
    // The release asks what is left of it.
    ours.run = async (script, ...rest) => {
      if (script.name === "renew-locks" && ++asks === 1) await gate;
      return run(script, ...rest);
    };
    const told: LockNews[] = [];
    const released = house.house.rooms.locks.releaseLock(
      bob.caller,
      { lock_id: id! },
      { tells: (news) => void told.push(news) },
    );
    await expect.poll(() => asks).toBe(1);
    expect(await newsOf(house, bob)).toEqual([]);
    goOn();
    expect(await released).toMatchObject({ state: "lost", still_under: outer });
    expect(told).toMatchObject([{ id, still_under: outer }]);
  });

  it("tell of all that was taken when the agent was stopped, also of offers and places, and its next run where it was not told", async () => {
    const [house, elsewhere] = [await open(), await open()];
    const [bob, carol] = [await house.as("bob"), await house.as("carol")];
    const stopped = async (runOf: Locker): Promise<readonly LockNews[]> => {
      const { lock_id: held } = await runOf.acquire("x");
      const { lock_id: hers } = await carol.acquire("y");
      const { ticket: offered } = await runOf.acquire("y");
      await carol.release(hers!);
      await carol.acquire("z");
      const { ticket: waits } = await runOf.acquire("z");
      await runOf.news();
      await releaseAgent(elsewhere.house.locks, house.namespace, "bob");
      return [
        { what: "lost", id: held!, resources: ["x"] },
        { what: "place lost", id: offered!, resources: ["y"] },
        { what: "place lost", id: waits!, resources: ["z"] },
      ];
    };
    const expected = await stopped(bob);
    const told: LockNews[] = [];
    await soon(async () => {
      told.push(...(await newsOf(house, bob)));
      expect(told).toHaveLength(3);
    });
    expect(told).toEqual(expected);
    expect(await newsOf(house, bob)).toEqual([]);
    const { lock_id: last } = await bob.acquire("last");
    await releaseAgent(house.house.locks, house.namespace, "bob");
    await releaseRun(house.house.locks, house.namespace, bob.caller.run.id, false, true);
    expect(await newsOf(house, await house.as("bob"))).toEqual([
      { what: "lost with its run", id: last, resources: ["last"] },
    ]);
  });

  it("cost the store no more for each, however many were lost before or at once", async () => {
    const house = await open({ requests: 300 });
    const [bob, carol] = [await house.as("bob"), await house.as("carol")];
    const [alice] = await hookAgents(house, "alice");
    const redis = rawStore(store().url);
    const calls = async (command: string): Promise<number> =>
      Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(await redis.info("commandstats"))?.[1] ?? 0);
    const during = async (command: string, lose: () => Promise<unknown>): Promise<number> => {
      await passTime(store().url, house.namespace, 60_001);
      const before = await calls(command);
      await lose();
      return (await calls(command)) - before;
    };
    for (let n = 0; n < 150; n++) await bob.acquire(`x${n}`, { lease_seconds: 60 });
    // One for the run's own list each, and one for all that it was not told.
    expect(await during("hset", () => carol.acquire("y"))).toBeLessThan(200);
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < 150; n++) await alice!.edits(`${round}-${n}.ts`, 60, `session ${round}-${n}`);
      expect(await during("hget", () => carol.acquire(`y${round}`))).toBeLessThan(2_500);
    }
    redis.disconnect();
    // Of so many sessions the oldest are forgotten.
    const noted = (await house.house.store.command("HLEN", lockKeys(house.namespace).untold)) as number;
    expect(noted).toBeLessThanOrEqual(300);
    const { lost } = await house.house.rooms.locks.guardFiles(alice!.caller.principal, {
      files: ["2-7.ts"],
      take: { session: "session 2-7", lease_seconds: 60 },
    });
    expect(lost).toMatchObject([{ path: "2-7.ts" }]);
  });

  it("tell a call that waits at once, also where its agent was stopped and let go on before it heard of that", async () => {
    const house = await open();
    const { killSwitch } = house.house;
    const [bob, carol] = [await house.as("bob"), await house.as("carol")];
    await carol.acquire("x");
    for (const gapMs of [0, 100]) {
      const from = performance.now();
      const waiting = bob.acquire("x", { wait_seconds: 30 }).catch((error: Error) => error.message);
      await soon(async () => expect((await carol.list("x")).waiters).toHaveLength(1));
      await killSwitch.stop(operatorOf(house), "bob", "to look at it");
      await new Promise((resolve) => setTimeout(resolve, gapMs));
      await killSwitch.resume(operatorOf(house), "bob");
      expect(await waiting).toMatch(/^(lock\.ticket_unknown|access\.stopped)/);
      expect(performance.now() - from).toBeLessThan(10_000);
      await soon(async () => expect(await bob.acquire("free")).toBeDefined());
    }
  });

  it("tell of a place that was taken by force as of a place, also a call that waits with it", async () => {
    const house = await open();
    const [bob, carol] = [await house.as("bob"), await house.as("carol")];
    await carol.acquire("x");
    const { ticket } = await bob.acquire("x");
    await bob.news();
    await force(house, ticket!);
    await soon(async () =>
      expect(await newsOf(house, bob)).toEqual([{ what: "place lost", id: ticket, resources: ["x"] }]),
    );
    const { ticket: another } = await bob.acquire("x");
    const waiting = bob.claim(another!, { wait_seconds: 30 }).catch((error: Error) => error.message);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await force(house, another!);
    expect(await waiting).toBe(
      `lock.ticket_unknown: no ticket ${another} of yours: it was given up meanwhile, taken by force, or lost while this process stood still. Call acquire_lock with the resources again.`,
    );
    expect(await newsOf(house, bob)).toEqual([]);
  });

  it("name no lease as the one that is left of a lost one where that is over as well", async () => {
    const house = await open();
    const bob = await house.as("bob");
    const { lock_id: id } = await bob.acquire("web/a.ts", { lease_seconds: 60 });
    await bob.acquire("web/**", { lease_seconds: 60 });
    await bob.news();
    await passTime(store().url, house.namespace, 60_001);
    const answer = await bob.release(id!);
    expect(answer).toMatchObject({ state: "lost" });
    expect(answer).not.toHaveProperty("still_under");
  });
});
