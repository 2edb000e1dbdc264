import { afterEach, expect, it } from "vitest";
import { parseResource } from "../../src/addresses/index.js";
import { type Caller, localPrincipal, type RunId } from "../../src/identity/index.js";
import { acquireLock, conflictsOf, guardRun, type LockLimits, verifyToken } from "../../src/locks/index.js";
import { lockKeys } from "../../src/redis/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";
import { type LockHouse, openLocks, rawStore } from "./open-locks.js";

describeOnEachStore.beside("lock time", (store) => {
  const houses: LockHouse[] = [];
  const open = async (limits: Partial<LockLimits> = {}, namespace?: string): Promise<LockHouse> => {
    const house = await openLocks(store().url, limits, namespace);
    houses.push(house);
    return house;
  };
  afterEach(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
  });
  /** By default a session of a client, as hooks have it: a run that lives in the store alone. */
  const session = (namespace: string, agent: string, run = guardRun(agent, "session")): Caller => ({
    principal: localPrincipal(namespace, agent),
    run: { id: run },
  });
  const take = ({ house, namespace }: LockHouse, seconds: number, run?: RunId) =>
    acquireLock(house.locks, session(namespace, "alice", run), { resources: ["x"], lease_seconds: seconds });
  /** A run of a process that beats, until it is killed. */
  const beating = "alice/beating" as RunId;
  const holders = async ({ house, namespace }: LockHouse): Promise<readonly string[]> => {
    const standing = await conflictsOf(
      house.locks,
      session(namespace, "bob"),
      [parseResource("x")],
      "exclusive",
    );
    return standing.map(({ agent }) => agent);
  };
  /** As if nobody had done anything for so long. */
  const silence = async ({ namespace }: LockHouse, seconds: number): Promise<void> => {
    const redis = rawStore(store().url);
    await redis.hincrby(lockKeys(namespace).meta, "clock", -seconds * 1_000);
    redis.disconnect();
  };

  it("ends a lease of a hook that is over, also where nobody does anything but look", async () => {
    const hook = await open();
    await take(hook, 60);
    await hook.close();
    const looker = await open({}, hook.namespace);
    await silence(looker, 50);
    expect(await holders(looker)).toEqual(["alice"]);
    await silence(looker, 61);
    expect(await holders(looker)).toEqual([]);
    expect(await take(looker, 1)).toMatchObject({ state: "granted" });
  });

  it("counts what passes after a hook was killed whole, because it was never to beat", async () => {
    const killed = await open();
    await take(killed, 20);
    const looker = await open({}, killed.namespace);
    await silence(looker, 21);
    expect(await holders(looker)).toEqual([]);
  });

  it("counts little of what passes after a process was killed, and the fourth look whole", async () => {
    const killed = await open();
    await take(killed, 20, beating);
    const looker = await open({}, killed.namespace);
    const seen: string[] = [];
    for (let look = 0; look < 4; look++) {
      await silence(looker, 21);
      seen.push((await holders(looker)).join());
    }
    expect(seen).toEqual(["alice", "alice", "alice", ""]);
  });

  it("ends it for who asks about its token alone, too", async () => {
    const killed = await open();
    const { token } = await take(killed, 20, beating);
    const looker = await open({}, killed.namespace);
    const seen: boolean[] = [];
    for (let look = 0; look < 4; look++) {
      await silence(looker, 21);
      const { house, namespace } = looker;
      seen.push((await verifyToken(house.locks, session(namespace, "bob"), "x", token!)).valid);
    }
    expect(seen).toEqual([true, true, true, false]);
  });

  it("is not held up by a process that was refused and has left", async () => {
    const hook = await open();
    await take(hook, 60);
    await hook.close();
    const refused = await open({}, hook.namespace);
    const { caller } = await refused.as("bob");
    await expect(
      acquireLock(refused.house.locks, caller, { ticket: "lk-000000000000" }),
    ).rejects.toMatchObject({ code: "lock.ticket_unknown" });
    await refused.close();
    const looker = await open({}, hook.namespace);
    await silence(looker, 61);
    expect(await holders(looker)).toEqual([]);
  });

  it("is cut for who slept and leaves before it beats again", async () => {
    const server = await open();
    await (await server.as("bob")).acquire("y");
    await take(server, 600);
    await silence(server, 3_600);
    await server.close();
    expect(await holders(await open({}, server.namespace))).toEqual(["alice"]);
  });

  it("goes on for leases without a process while any process of the namespace is there", {
    timeout: 20_000,
  }, async ({ expect }) => {
    const server = await open({ beatMs: 100 });
    await server.as("idle");
    const hook = await open({}, server.namespace);
    await take(hook, 600);
    await hook.close();
    const redis = rawStore(store().url);
    const { meta, processes } = lockKeys(server.namespace);
    const clock = async (): Promise<number> => Number(await redis.hget(meta, "clock"));
    const from = await clock();
    await expect.poll(clock, { timeout: 10_000 }).toBeGreaterThan(from);
    expect(await redis.zrange(processes, "0", "-1")).toEqual([server.house.locks.process]);
    // A clock that is set ends nothing then: the server was there before, and is there now.
    await redis.hincrby(meta, "clock", "-3600000");
    expect(await holders(server)).toEqual(["alice"]);
    redis.disconnect();
  });

  it("goes on, and is no slower, where a server has other namespaces in which only hooks ask it", {
    timeout: 30_000,
  }, async ({ expect }) => {
    const server = await open({ beatMs: 100 });
    const namespace = newNamespace();
    const take = { session: "s1", lease_seconds: 600 };
    const { guardFiles } = server.house.rooms.locks;
    expect(await guardFiles(localPrincipal(namespace, "alice"), { files: ["x"], take })).toMatchObject({
      reserved: [],
      refused: [],
    });
    const redis = rawStore(store().url);
    const { meta, processes } = lockKeys(namespace);
    const clock = async (): Promise<number> => Number(await redis.hget(meta, "clock"));
    const from = await clock();
    // Whoever beats once after a call, and then no more, is not there.
    await expect.poll(clock, { timeout: 15_000 }).toBeGreaterThan(from + 3_000);
    expect(await redis.zrange(processes, "0", "-1")).toEqual([server.house.locks.process]);
    // Neither does a clock that is set end what a hook has.
    await redis.hincrby(meta, "clock", "-3600000");
    const { reserved } = await guardFiles(localPrincipal(namespace, "bob"), { files: ["x"] });
    expect(reserved).toMatchObject([{ path: "x", agent: "alice" }]);
    redis.disconnect();
  });
});
