import { setTimeout as delay } from "node:timers/promises";
import type { House } from "../src/compose.js";
import type { Caller } from "../src/identity/index.js";
import { type Kind, measureAtOnce, measureRested, restMs, type Series } from "./cpu-of-calls.js";
import { type Finding, type Measurement, ms, times, us } from "./finding.js";
import { callerNamed, openRooms } from "./in-process.js";
import { atMost, cpuUsOf, inTurn, percentile, ratios, spread } from "./measure.js";
import { StdioClient } from "./stdio-client.js";
import type { BenchStore } from "./stores.js";
import { countBetween, shown, total } from "./waiters.js";
import { type HopBetweenProcesses, hopBetweenProcesses, rested, untilWaiting } from "./wake.js";

const raised = { LLM_MAILBOX_MAX_CALLS_PER_MINUTE: "1000000" };

/** What a lock costs that nobody wants, how soon the next one has it, and what waiters and holders cost others. */
export const locks: Measurement = {
  name: "locks",
  raised,
  async measure(store, options) {
    return [
      ...(await uncontended(store, options.quick)),
      ...(await handOver(store, options.quick)),
      await besideOthers(store, options.quick),
      await idleWaiters(store, options.quick),
    ];
  },
};

/** Ids in replies, as a model would read them. */
const idIn = (text: string): string => {
  const id = /lk-[0-9a-z]+/.exec(text)?.[0];
  if (!id) throw new Error(`no lock in: ${text}`);
  return id;
};

async function uncontended(store: BenchStore, quick: boolean): Promise<readonly Finding[]> {
  const client = await StdioClient.open(store, "locker", raised);
  const nothing = (): Promise<string> => client.call("bench_nothing");
  let n = 0;
  let held = "";
  const acquire = async (): Promise<void> => {
    held = idIn(await client.call("acquire_lock", { resources: [`src/auth/file-${n++ % 50}.ts`] }));
  };
  const release = (): Promise<string> => client.call("release_lock", { lock_id: held });
  const pids = [client.child.pid!];
  const options = { quick, storePid: store.pid };
  const rested = await measureRested(
    {
      nothing: { pids, call: nothing, nothing },
      acquire: { pids, call: acquire, nothing },
      release: { pids, call: release, nothing },
    },
    options,
  );
  const two = (call: () => Promise<unknown>, next: () => Promise<unknown>): Kind => ({
    pids,
    nothing,
    call: async () => {
      await call();
      await next();
    },
  });
  const atOnce = await measureAtOnce(
    { nothing: two(nothing, nothing), locks: two(acquire, release) },
    { ...options, perRound: 500 },
  );
  await client.close();
  const finding = (own: Series, bare: Series, how: string): Finding => {
    const ratio = ratios(own.cpuUs, bare.cpuUs);
    return {
      what: `CPU of the server for \`acquire_lock\` and \`release_lock\` that nobody else wants, against two calls of a tool that does nothing, ${how}`,
      store: store.name,
      value: times(ratio),
      aim: "≤ 3",
      met: ratio.median <= 3,
      beside: `${us(spread(own.cpuUs).median)} against ${us(spread(bare.cpuUs).median)}; latency of the two p50 ${ms(percentile(own.latencyMs, 0.5))}, p99 ${ms(percentile(own.latencyMs, 0.99))}`,
    };
  };
  return [
    finding(
      bothOf(rested.acquire, rested.release),
      bothOf(rested.nothing, rested.nothing),
      `each ${restMs} ms after the call before`,
    ),
    finding(atOnce.locks, atOnce.nothing, "one at once after another"),
  ];
}

/** What two calls cost together. */
function bothOf(first: Series, second: Series): Series {
  const sums = (values: readonly number[], others: readonly number[]): number[] =>
    values.map((value, n) => value + others[n]!);
  return {
    cpuUs: sums(first.cpuUs, second.cpuUs),
    storeUs: sums(first.storeUs, second.storeUs),
    latencyMs: sums(first.latencyMs, second.latencyMs),
  };
}

async function handOver(store: BenchStore, quick: boolean): Promise<readonly Finding[]> {
  const [rounds, perRound] = quick ? [3, 20] : [10, 50];
  const pair = await Promise.all(["one", "two"].map((agent) => StdioClient.open(store, agent, raised)));
  const hop = await hopBetweenProcesses(store);
  const writing = await hopBetweenProcesses(store, true);
  const series = () => ({
    ours: [] as number[],
    hop: [] as number[],
    writing: [] as number[],
    hot: [] as number[],
  });
  const [atRest, awake] = [series(), series()];
  let held = idIn(await pair[0]!.call("acquire_lock", { resources: ["handed/over"] }));
  let turn = 0;
  const part = (into: number[], work: () => Promise<number>) => async (round: number) => {
    for (let n = 0; n < perRound; n++) {
      const lasted = await work();
      if (round >= 2) into.push(lasted);
    }
  };
  const handOne = (prepare: () => Promise<unknown>) => async (): Promise<number> => {
    const [holder, waiter] = [pair[turn % 2]!, pair[(turn + 1) % 2]!];
    turn++;
    const waiting = waiter.call("acquire_lock", { resources: ["handed/over"], wait_seconds: 50 });
    await Promise.all([untilWaiting(waiter), untilWaiting(holder)]);
    await prepare();
    const from = performance.now();
    const releasing = holder.call("release_lock", { lock_id: held });
    const text = await waiting;
    const lasted = performance.now() - from;
    held = idIn(text);
    await releasing;
    return lasted;
  };
  /** As ours: what the two processes did before was something else. */
  const busy = (one: HopBetweenProcesses) => async (): Promise<number> => {
    await one.keepBusy();
    return one.once();
  };
  /** The last of some that follow each other at once. */
  const atOnce = async (): Promise<number> => {
    for (let n = 0; n < 5; n++) await hop.once();
    return hop.once();
  };
  await inTurn(rounds + 2, [
    part(atRest.hop, rested(hop)),
    part(atRest.writing, rested(writing)),
    part(
      atRest.ours,
      handOne(() => delay(restMs)),
    ),
    part(awake.hop, busy(hop)),
    part(awake.writing, busy(writing)),
    part(awake.hot, atOnce),
    part(
      awake.ours,
      handOne(async () => undefined),
    ),
  ]);
  hop.close();
  writing.close();
  await Promise.all(pair.map((client) => client.close()));
  return [0.5, 0.99].flatMap((share, n) => {
    const most = n === 0 ? 6 : 10;
    return [
      { taken: atRest, how: `each after ${restMs} ms in which nobody ran` },
      { taken: awake, how: "while both processes are kept busy" },
    ].map(({ taken, how }) => {
      const ratio = percentile(taken.ours, share) / percentile(taken.hop, share);
      const at = (values: readonly number[]): string => ms(percentile(values, share));
      return {
        what: `Release to the reply of the next waiter in another process, against a bare publish-subscribe hop between two processes, ${how}, p${share * 100}`,
        store: store.name,
        value: `${ratio.toFixed(1)}×`,
        aim: `≤ ${most}×`,
        met: ratio <= most,
        beside: [
          `${at(taken.ours)} against ${at(taken.hop)}; a hop whose two processes write something as well takes ${at(taken.writing)}`,
          ...(taken.hot.length > 0
            ? [`the last of six that follow each other at once ${at(taken.hot)}`]
            : []),
        ].join(", "),
      };
    });
  });
}

/** A run of its own in a house of this process. */
async function begin(house: House, agent: string): Promise<Caller> {
  return house.rooms.runs.begin(callerNamed(agent).principal);
}

async function besideOthers(store: BenchStore, quick: boolean): Promise<Finding> {
  const house = await openRooms(store, raised);
  const { locks: room } = house.rooms;
  const calls = quick ? 100 : 400;
  const me = await begin(house, "me");
  /** CPU of the store and of this process for an acquire and its release, µs. */
  const series = async (): Promise<number> => {
    const own = process.cpuUsage();
    const theirs = cpuUsOf(store.pid);
    for (let n = 0; n < calls; n++) {
      const { lock_id: id } = await room.acquireLock(me, { resources: [`src/mine/file-${n % 20}.ts`] });
      await room.releaseLock(me, { lock_id: id! });
    }
    const { user, system } = process.cpuUsage(own);
    return (user + system + cpuUsOf(store.pid) - theirs) / calls;
  };
  const median = async (): Promise<number> => {
    const taken: number[] = [];
    for (let n = 0; n < 7; n++) taken.push(await series());
    return spread(taken).median;
  };
  // Until nothing gets faster by how often it ran.
  await median();
  const alone = await median();
  const holders = await Promise.all(Array.from({ length: 4 }, (_, n) => begin(house, `holder-${n}`)));
  await atMost(20, 1_000, async (n) => {
    // As many in the same directory as elsewhere.
    const resource = n % 2 === 0 ? `src/mine/other-${n}.ts` : `lib/${n}/x.ts`;
    await room.acquireLock(holders[n % 4]!, { resources: [resource], lease_seconds: 86_400 });
  });
  const first = await begin(house, "first");
  await room.acquireLock(first, { resources: ["hot"], lease_seconds: 86_400 });
  await atMost(20, 256, async (n) => {
    await room.acquireLock(await begin(house, `waiter-${n}`), { resources: ["hot"] });
  });
  await series();
  const among = await median();
  await house.close();
  return {
    what: "CPU of store and process for an acquire and its release beside 256 waiters for one resource and 1,000 held leases, half of them in the same directory, against alone",
    store: store.name,
    value: `${(among / alone).toFixed(2)}×`,
    aim: "≤ 1.5",
    met: among / alone <= 1.5,
    beside: `${us(among)} against ${us(alone)}`,
  };
}

async function idleWaiters(store: BenchStore, quick: boolean): Promise<Finding> {
  const proxy = await countBetween(store);
  const house = await openRooms({ ...store, url: proxy.url }, raised);
  const { locks: room } = house.rooms;
  const count = quick ? 50 : 200;
  const forMs = quick ? 6_000 : 12_000;
  const holder = await begin(house, "holder");
  const { lock_id: held } = await room.acquireLock(holder, { resources: ["idle/hot"], lease_seconds: 3_600 });
  const callers = await Promise.all(Array.from({ length: count }, (_, n) => begin(house, `idle-${n}`)));
  await proxy.untilQuiet();
  // The process looks after everybody's mail now and then, whether anybody waits or not.
  const without = await proxy.during(forMs);
  const stops = callers.map(() => new AbortController());
  const calls = callers.map((caller, n) =>
    room.acquireLock(caller, { resources: ["idle/hot"], wait_seconds: 50 }, { signal: stops[n]!.signal }),
  );
  await proxy.untilQuiet();
  const commands = await proxy.during(forMs);
  for (const stop of stops) stop.abort();
  await Promise.all(calls);
  await room.releaseLock(holder, { lock_id: held! });
  await house.close();
  proxy.close();
  const extra = total(commands) - total(without);
  return {
    what: `${count} calls that wait for one lock in one process: store commands in ${forMs / 1_000} s beyond those of the same agents not waiting`,
    store: store.name,
    value: `${extra}`,
    aim: "0 per waiter",
    met: extra < count / 10,
    beside: `waiting ${shown(commands)}; not waiting ${shown(without)}`,
  };
}
