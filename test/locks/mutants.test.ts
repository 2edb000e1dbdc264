import { readdirSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openHouse } from "../../src/compose.js";
import { readConfig } from "../../src/config/index.js";
import { type Caller, localPrincipal } from "../../src/identity/index.js";
import { defaultLockLimits, type LockLimits, verifyToken } from "../../src/locks/index.js";
import { openLog } from "../../src/observability/index.js";
import { loadScript, lockKeys, type Store } from "../../src/redis/index.js";
import { listVersions } from "../../src/state/index.js";
import { startStore, type TestStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";
import { checkHistory, readHistory } from "./check-history.js";
import { checkRecorded } from "./check-recorded.js";
import { checkWrites } from "./check-writes.js";
import { hookAgents } from "./hook-agents.js";
import { type CallTool, LockCrowd } from "./lock-crowd.js";
import { hookMutants, mutants } from "./mutants.js";
import { openLocks, rawStore } from "./open-locks.js";
import { readWrites } from "./read-writes.js";
import { type Mutant, recordHistory } from "./record-history.mjs";

/** Short, so that everything there is happens within a second. */
const limits: LockLimits = {
  ...defaultLockLimits,
  ...{ offerMs: 300, deadOfferMs: 50, aliveMs: 200, beatMs: 60, ageingMs: 40 },
};

const agents = Array.from({ length: 12 }, (_, n) => `agent-${String.fromCharCode(97 + n)}`);

const homeOf = (agent: string): 0 | 1 => (agents.indexOf(agent) % 2 === 0 ? 0 : 1);
const agentsAt = (home: number): readonly string[] => agents.filter((agent) => homeOf(agent) === home);

/**
 * A process that stands still now and then, whole, or between its look at a lease and the write under it.
 *
 * @returns what ends that
 */
function standStill(store: Store): () => void {
  const run = store.run.bind(store);
  let [still, until] = [true, 0];
  store.run = async (script, ...rest) => {
    if (still && Math.random() < 0.001) until = Date.now() + 400;
    const writes = still && script.name === "put-state" && Math.random() < 0.02;
    const ms = Math.max(until - Date.now(), writes ? 1_200 : 0);
    if (ms > 0) await delay(ms);
    return run(script, ...rest);
  };
  return () => {
    still = false;
  };
}

describe("the checker of lock histories", () => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startStore("redis-server");
  });
  afterAll(() => store.stop());

  const isWrong = (crowd: LockCrowd): boolean => crowd.wrong.length > 0 || crowd.overlapping().length > 0;

  /** What is wrong after a crowd has locked for a while, as far as it goes before the first is found. */
  async function noticed(mutant: Mutant | undefined, ms: number): Promise<readonly string[]> {
    const namespace = newNamespace();
    const settings = {
      LLM_MAILBOX_ALLOW_UNVERIFIED: "1",
      LLM_MAILBOX_NAMESPACE: namespace,
      LLM_MAILBOX_MAX_CALLS_PER_MINUTE: "1000000",
      LLM_MAILBOX_MAX_STATE_VERSIONS: "1000",
    };
    const config = readConfig({ REDIS_URL: store.url, ...settings });
    const houses = await Promise.all(
      // What runs out in the second one rests a while.
      [0, 200].map((delayMs) =>
        openHouse(config, openLog("silent"), { locks: { ...limits, delayMs }, callTimeoutMs: 1_500 }),
      ),
    );
    const sick = houses.map((house) => recordHistory(house.store, mutant));
    const wake = houses.map((house) => standStill(house.store));
    const callers = new Map<string, Promise<Caller>>();
    const movedTo = new Map<string, 0 | 1>();
    const placeOf = (agent: string): 0 | 1 => movedTo.get(agent) ?? homeOf(agent);
    const houseOf = (agent: string) => houses[placeOf(agent)]!;
    const callerOf = (agent: string): Promise<Caller> => {
      const known = callers.get(agent) ?? houseOf(agent).rooms.runs.begin(localPrincipal(namespace, agent));
      callers.set(agent, known);
      return known;
    };
    const call: CallTool = async (agent, tool, input) => {
      // Now and then it goes on in the other process with what it names: that passes, and its old run ends.
      if (tool === "acquire_lock" && ("ticket" in input || "lock_id" in input) && Math.random() < 0.05) {
        const [old, was] = [houseOf(agent), await callerOf(agent)];
        movedTo.set(agent, placeOf(agent) === 0 ? 1 : 0);
        callers.delete(agent);
        crowd.died([agent]);
        try {
          return { ...(await houseOf(agent).rooms.locks.acquireLock(await callerOf(agent), input as never)) };
        } finally {
          await old.rooms.runs.end(was);
        }
      }
      const { rooms, locks } = houseOf(agent);
      // Now and then a run ends, and the agent goes on with another.
      if (Math.random() < 0.03) {
        const ending = callerOf(agent);
        callers.delete(agent);
        crowd.died([agent]);
        await rooms.runs.end(await ending);
      }
      const caller = await callerOf(agent);
      const given = input as never;
      if (tool === "verify_token") {
        const { resource, token } = input as { resource: string; token: number };
        // A token that nobody was given is good for nothing.
        const made = await verifyToken(locks, caller, resource, token - 1);
        if (made.valid) throw new Error(`the token ${token - 1} was never given and is valid`);
        return { ...(await verifyToken(locks, caller, resource, token)) };
      }
      if (tool === "put_state") return { ...(await rooms.state.putState(caller, given)) };
      if (tool === "list_locks") return { ...(await rooms.locks.listLocks(caller, given)) };
      if (tool === "release_lock") return { ...(await rooms.locks.releaseLock(caller, given)) };
      return { ...(await rooms.locks.acquireLock(caller, given)) };
    };
    const crowd = new LockCrowd(call, { leaseSeconds: 1, waitSeconds: 1, keepMs: 8 });
    crowd.begin(agents);
    // Nothing has to be waited for once something is wrong.
    const until = Date.now() + ms;
    // What is right is looked at until enough has happened to see it.
    const isEnough = (): boolean =>
      Date.now() > until &&
      (mutant !== undefined || (crowd.granted > 60 && crowd.deadlocks > 0 && crowd.staleWrites > 0));
    while (!isEnough() && !isWrong(crowd)) await delay(100);
    await crowd.finish();
    for (const goOn of wake) goOn();
    const late = isWrong(crowd) ? [] : await crowd.everyoneServed(agents, 3_000);
    const redis = rawStore(store.url);
    const history = await readHistory(redis, namespace);
    const reader = await houses[0]!.rooms.runs.begin(localPrincipal(namespace, "reader"));
    const writes = await readWrites(crowd.entries(), (key) => listVersions(houses[0]!.state, reader, key));
    const at = `{${namespace}:lk}:`;
    const there = new Set(await redis.hkeys(`${at}requests`));
    const lists = [...(await redis.hvals(`${at}index`)), ...(await redis.hvals(`${at}runs`))];
    const stale = lists.flatMap((ids) => ids.split(" ")).filter((id) => !there.has(id));
    redis.disconnect();
    await Promise.all(houses.map((house) => house.close()));
    // What was not done in this time is no catch, and is given more.
    if (mutant && !sick.some(({ applied }) => applied())) return [];
    if (!mutant) {
      expect(history.length).toBeGreaterThan(500);
      expect(crowd.granted).toBeGreaterThan(50);
      expect(crowd.deadlocks).toBeGreaterThan(0);
      expect(crowd.staleWrites).toBeGreaterThan(0);
      expect(writes.length).toBeGreaterThan(20);
    }
    return [
      ...checkHistory(history, limits),
      ...checkWrites(history, writes),
      ...(mutant ? [] : checkRecorded(history, crowd, [0, 1].map(agentsAt))),
      ...crowd.wrong,
      ...crowd.overlapping(),
      ...late.map((agent) => `${agent} was not served`),
      ...stale.map((id) => `${id} is gone and still listed`),
    ];
  }

  it.each([...mutants, ...hookMutants])(
    "knows the text that one changes which $what",
    ({ script, from, to }) => {
      const files = ["locks", "state"].flatMap((room) => {
        const folder = new URL(`../../src/${room}/`, import.meta.url);
        return readdirSync(folder)
          .filter((file) =>
            script === "" ? room === "locks" && file.endsWith(".lua") : file === `${script}.lua`,
          )
          .map((file) => loadScript(new URL("index.ts", folder).href, file).source);
      });
      const changed = files.filter((source) => source.includes(from));
      expect(changed).not.toEqual([]);
      for (const source of changed) expect(source.replace(from, () => to)).not.toBe(source);
    },
  );

  it("finds nothing wrong with the scripts as they are", { timeout: 60_000 }, async () => {
    expect(await noticed(undefined, 4_000)).toEqual([]);
  });

  it("catches at least nine of ten scripts that were broken on purpose", { timeout: 400_000 }, async () => {
    const survivors: Mutant[] = [];
    // What happens seldom is given more time; each waits most of it. Those that need it come after all others.
    const left = [1_500, 4_000, 8_000].map((ms) => ({ ms, mutants: [] as Mutant[] }));
    left[0]!.mutants.push(...mutants);
    const next = (): (() => Promise<void>) | undefined => {
      const round = left.findIndex((one) => one.mutants.length > 0);
      const mutant = left[round]?.mutants.pop();
      if (!mutant) return undefined;
      return async () => {
        const found = await noticed(mutant, left[round]!.ms).catch((error: Error) => {
          if (/no longer fits/.test(error.message)) throw error;
          return [error.message];
        });
        if (found.length === 0) (left[round + 1]?.mutants ?? survivors).push(mutant);
        if (process.env.MUTANTS) process.stderr.write(`${mutant.what}: ${found[0] ?? "NOT CAUGHT"}\n`);
      };
    };
    const worker = async (): Promise<void> => {
      for (let work = next(); work; work = next()) await work();
    };
    await Promise.all(Array.from({ length: 6 }, worker));
    process.stderr.write(
      `${mutants.length - survivors.length} of ${mutants.length} broken lock scripts caught${survivors.map(({ script, what }) => `\n  not caught: ${script} ${what}`).join("")}\n`,
    );
    expect(mutants.length).toBeGreaterThan(40);
    expect(survivors.length).toBeLessThanOrEqual(mutants.length / 10);
  });

  /** What is wrong with what agents are told whose edits are guarded. */
  async function untold(mutant: Mutant | undefined): Promise<readonly string[]> {
    const house = await openLocks(store.url);
    const { applied } = recordHistory(house.house.store, mutant);
    const wrong: string[] = [];
    const names = ["alice", "bob", "carl", "dora", "eve", "fred"];
    const [alice, bob, carl, dora, eve, fred] = await hookAgents(house, ...names);
    await Promise.all([alice!.edits("a"), bob!.edits("b"), eve!.edits("e"), fred!.acquire("z")]);
    if ((await carl!.acquire("a", { wait_seconds: 1 })).circle)
      wrong.push("carl is told of a circle, and alice waits for nothing");
    // Alice waits, and bob closes it. Eve waits for what dora edits before her, which closes it too.
    const queued = [
      [alice!, await alice!.acquire("b")],
      [dora!, await dora!.acquire("e")],
      [eve!, await eve!.acquire(["d", "z"], { priority: 0 })],
    ] as const;
    const waiting = queued.map(([agent, { ticket }]) => agent.claim(ticket!, { wait_seconds: 4 }));
    await delay(500);
    if (!(await bob!.acquire("a", { wait_seconds: 1 })).circle)
      wrong.push("bob is not told of what he closes");
    await dora!.edits("d");
    for (const [n, { circle, timed_out }] of (await Promise.all(waiting)).entries())
      if (!circle || timed_out) wrong.push(`${queued[n]![0].name} is not told at once`);
    await Promise.all([alice!, bob!, eve!].map((agent) => agent.endsTurn()));
    const [edited] = (await dora!.list("d")).holders;
    await dora!.release(edited!.lock_id);
    const left = await house.house.store.command("HLEN", lockKeys(house.namespace).awaiting);
    if (left !== 0) wrong.push("turns that are over are waited for");
    if (mutant) expect(applied(), mutant.what).toBe(true);
    await house.close();
    return wrong;
  }

  it("tells of circles that only the end of a turn would open, and does not where it is broken on purpose", {
    timeout: 120_000,
  }, async () => {
    expect(await untold(undefined)).toEqual([]);
    const found = await Promise.all(hookMutants.map(untold));
    expect(hookMutants.filter((_, n) => found[n]!.length === 0).map(({ what }) => what)).toEqual([]);
  });
});
