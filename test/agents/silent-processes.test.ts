import { afterAll, afterEach, beforeAll, describe, type ExpectStatic, expect, it, vi } from "vitest";
import { Runs } from "../../src/agents/index.js";
import { type Caller, localPrincipal } from "../../src/identity/index.js";
import { type DirectoryKeys, directoryKeys, Store } from "../../src/redis/index.js";
import { StoreProxy } from "../faults/store-proxy.js";
import {
  describeOnEachStore,
  patientMs,
  type StoreName,
  startStore,
  type TestStore,
} from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";

/** A process of the product, and what it did about runs. All of one test file are one process to the directory. */
interface Desk {
  readonly runs: Runs;
  readonly released: string[];
  readonly returned: string[];
  begin(agent: string): Promise<Caller>;
}

/** The directory of a namespace of its own for each test, and who comes and goes there. */
function directoryOn(store: () => TestStore) {
  const closing: (() => unknown)[] = [];
  let opened: Store;
  let namespace: string;
  let keys: DirectoryKeys;
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
  const start = async (): Promise<{ readonly opened: Store; readonly keys: DirectoryKeys }> => {
    opened = await Store.open({ endpoint: { url: store().url }, label: "test", callTimeoutMs: patientMs });
    closing.push(() => opened.close());
    namespace = newNamespace();
    keys = directoryKeys(namespace);
    return { opened, keys };
  };
  const open = (
    onRelease: (run: string) => Promise<unknown> = async () => undefined,
    over: Store = opened,
  ): Desk => {
    const [released, returned]: [string[], string[]] = [[], []];
    const runs = new Runs({
      store: over,
      namespace,
      release: async (_, run) => {
        released.push(run);
        await onRelease(run);
      },
      returned: ({ run }) => void returned.push(run.id),
      sweeps: {},
      log: () => undefined,
    });
    closing.push(() => runs.close());
    return { runs, released, returned, begin: (agent) => runs.begin(localPrincipal(namespace, agent)) };
  };
  /** Another process, with a run for each of these agents, whose last beat was so long ago. */
  const neighbour = async (
    agoMs: number,
    place: object = { host: "elsewhere", pid: 1, started: "1" },
    agents: readonly string[] = ["bob"],
  ): Promise<void> => {
    for (const agent of agents) await opened.command("HSET", keys.runs, `${agent}/far`, "far|1|");
    await opened.command("HSET", keys.processes, "far", JSON.stringify(place));
    await beatOf(agoMs);
  };
  const beatOf = async (agoMs: number): Promise<void> => {
    const time = Number((await opened.command("HGET", keys.clock, "time")) ?? opened.now());
    await opened.command("ZADD", keys.heartbeats, (time - agoMs).toFixed(0), "far");
  };
  /** As if the clock had been set by so much, or nobody had been there, since somebody last beat. */
  const jump = (ms: number): Promise<unknown> => opened.command("HINCRBY", keys.clock, "clock", String(-ms));
  /** Resolves when this process has beaten once more. */
  const nextBeat = async (expect: ExpectStatic): Promise<void> => {
    const clock = () => opened.command("HGET", keys.clock, "clock");
    const before = await clock();
    await expect.poll(clock, { timeout: 15_000 }).not.toBe(before);
  };
  const noted = async (): Promise<readonly string[]> =>
    ((await opened.command("HKEYS", keys.runs)) as string[]).sort();
  return { start, open, neighbour, beatOf, jump, nextBeat, noted };
}

describeOnEachStore.beside("a silent process", (store) => {
  const { start, open, neighbour, beatOf, jump, nextBeat, noted } = directoryOn(store);

  it("is not gone because the clock was set, the store stood still or everybody slept", async ({
    expect,
  }) => {
    await start();
    const { runs, begin, released } = open();
    await begin("alice");
    await neighbour(5_000);
    await jump(3_600_000);
    expect(await runs.ofAgent("bob")).toEqual(["bob/far"]);
    await nextBeat(expect);
    await nextBeat(expect);
    expect(await runs.ofAgent("bob")).toEqual(["bob/far"]);
    expect([...(await runs.online())].sort()).toEqual(["alice", "bob"]);
    expect(await runs.releaseGone(["bob/far"])).toBe(false);
    expect(released).toEqual([]);
  });

  it("is gone after 30 s that somebody witnessed, also where the clock was set back meanwhile", async ({
    expect,
  }) => {
    const { opened, keys } = await start();
    const { begin, released } = open();
    await begin("alice");
    await neighbour(29_000);
    await jump(-3_600_000);
    await expect.poll(() => released, { timeout: 15_000 }).toEqual(["bob/far"]);
    await expect.poll(() => opened.command("HKEYS", keys.processes)).not.toContain("far");
  });

  it("is gone at once to whoever comes when nobody had been there for so long", async () => {
    await start();
    const before = open();
    await before.begin("alice");
    await neighbour(5_000);
    await before.runs.close();
    await jump(31_000);
    const { runs, begin, released } = open();
    expect(await runs.ofAgent("bob")).toEqual([]);
    await begin("alice");
    expect(await runs.releaseGone(["bob/far"])).toBe(true);
    expect(released).toEqual(["bob/far"]);
  });

  it("is not gone to whoever has only come and sees that it runs on this machine", async ({ expect }) => {
    const { opened, keys } = await start();
    const before = open();
    await before.begin("alice");
    const mine = (await opened.command("HVALS", keys.processes)) as string[];
    await neighbour(5_000, JSON.parse(mine[0]!) as object);
    await before.runs.close();
    await jump(31_000);
    const { runs, begin, released } = open();
    await begin("alice");
    await nextBeat(expect);
    expect(await runs.releaseGone(["bob/far"])).toBe(false);
    expect(released).toEqual([]);
  });

  it("keeps what is left of it when it beats while its runs are given up, and is told that it was", async ({
    expect,
  }) => {
    const { opened, keys } = await start();
    const { begin, released } = open(() => beatOf(0));
    await begin("alice");
    await neighbour(31_000, undefined, ["bob", "carl", "dora"]);
    await expect.poll(() => released, { timeout: 15_000 }).toHaveLength(1);
    await nextBeat(expect);
    expect(released).toHaveLength(1);
    expect(await noted()).toEqual([expect.stringMatching(/^alice/), "bob/far", "carl/far", "dora/far"]);
    expect(await opened.command("HKEYS", keys.processes)).toContain("far");
  });

  it("that was given up has its runs in the directory again with its next beat, and they are told", async ({
    expect,
  }) => {
    const { opened, keys } = await start();
    const { begin, returned } = open();
    const [alice, guest] = [await begin("alice"), await begin("guest")];
    const [place] = (await opened.command("HGETALL", keys.processes)) as string[];
    await opened.command("DEL", keys.runs, keys.processes);
    // As one is given up of which some runs are not buried yet.
    await opened.command("ZADD", keys.heartbeats, "0", place!);
    const all = [alice, guest].map(({ run }) => run.id).sort();
    await expect.poll(noted, { timeout: 15_000 }).toEqual(all);
    expect([...returned].sort()).toEqual(all);
    expect(await opened.command("HKEYS", keys.processes)).toEqual([place]);
    await nextBeat(expect);
    expect(returned).toHaveLength(2);
  });

  it("that was given up has its runs there again also where the answer that says so is lost", async ({
    expect,
  }) => {
    const { opened, keys } = await start();
    const { begin, returned } = open();
    const alice = await begin("alice");
    const run = opened.run.bind(opened);
    let beats = 0;
    // The store did it, and its answer never comes.
    opened.run = async (script, ...rest) => {
      const reply = await run(script, ...rest);
      if (script.name === "beat" && ++beats === 1) throw new Error("cut");
      return reply;
    };
    await opened.command("DEL", keys.runs, keys.processes, keys.heartbeats);
    await expect.poll(() => returned, { timeout: 25_000 }).toEqual([alice.run.id]);
    expect(await noted()).toEqual([alice.run.id]);
    expect(beats).toBe(2);
  });

  it("that was given up has them there too where another run of it begins first", async ({ expect }) => {
    const { opened, keys } = await start();
    const { begin } = open();
    const alice = await begin("alice");
    await opened.command("DEL", keys.runs, keys.processes, keys.heartbeats);
    const bob = await begin("bob");
    await expect.poll(noted, { timeout: 15_000 }).toEqual([alice.run.id, bob.run.id].sort());
  });
});

describe.each<StoreName>(["embedded", "redis-server"])("a beat whose answer is lost (%s)", (name) => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startStore(name);
  });
  afterAll(() => store.stop());
  const { start, open, nextBeat, noted } = directoryOn(() => store);

  it("is repeated, and says again that its process was given up", async ({ expect }) => {
    const { opened, keys } = await start();
    const proxy = await StoreProxy.before(store.url);
    const faulty = await Store.open({ endpoint: { url: proxy.url }, label: "test" });
    const { runs, begin, returned } = open(undefined, faulty);
    const alice = await begin("alice");
    // From now on the store knows the script.
    await nextBeat(expect);
    const isCut = proxy.arm({ nth: 1, when: "after", of: keys.sweeper });
    await opened.command("DEL", keys.runs, keys.processes, keys.heartbeats);
    await isCut;
    await expect.poll(() => returned, { timeout: 15_000 }).toEqual([alice.run.id]);
    expect(await noted()).toEqual([alice.run.id]);
    await runs.close();
    await faulty.close();
    await proxy.close();
  });
});

// Apart from the others, whose clock it sets too.
describeOnEachStore("a process that was silent for long", (store) => {
  const { start, open, noted } = directoryOn(store);
  afterEach(() => void vi.restoreAllMocks());

  it("has the runs that were given up in the directory again before the next call of one", async () => {
    const { opened, keys } = await start();
    const { runs, begin, returned } = open();
    const alice = await begin("alice");
    expect(runs.active(alice)).toBeUndefined();
    await opened.command("DEL", keys.runs, keys.processes, keys.heartbeats);
    const now = Date.now.bind(Date);
    vi.spyOn(Date, "now").mockImplementation(() => now() + 40_000);
    await runs.active(alice);
    expect(await noted()).toEqual([alice.run.id]);
    expect(returned).toEqual([alice.run.id]);
    expect(runs.active(alice)).toBeUndefined();
  });
});
