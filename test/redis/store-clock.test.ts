import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { House } from "../../src/compose.js";
import { Agent, openFaultHouse } from "../faults/fault-house.js";
import { StoreProxy } from "../faults/store-proxy.js";
import { describeOnEachStore, type StoreName, startStore, type TestStore } from "../stores/index.js";

/** Every clock of a store is another one, and each may be set: here the process's own is, which to it looks the same. */
describeOnEachStore("a store whose clock is set", (store) => {
  const closing: (() => unknown)[] = [];
  const open = async (): Promise<House> => {
    const house = await openFaultHouse(store().url);
    closing.push(() => house.close());
    return house;
  };
  afterEach(async () => {
    vi.restoreAllMocks();
    for (const close of closing.splice(0).reverse()) await close();
  });
  const offMs = async ({ store }: House): Promise<number> => {
    const [seconds, micros] = (await store.command("TIME")) as [string, string];
    return Math.abs(Number(seconds) * 1_000 + Number(micros) / 1_000 - store.now());
  };

  it("forward is noticed by the first call, which has its effect, once", async () => {
    const house = await open();
    const [alice, bob] = [await Agent.begin(house, "alice"), await Agent.begin(house, "bob")];
    setStoreClock(20_000);
    const receipts = await Promise.all(["one", "two", "three"].map((body) => alice.send("bob", body)));
    expect(receipts).toHaveLength(3);
    expect([...(await bodies(bob))].sort()).toEqual(["one", "three", "two"]);
    expect(await offMs(house)).toBeLessThan(1_000);
  });

  it("back is noticed by the next calls, so that no deadline stays too far away", async () => {
    const house = await open();
    const alice = await Agent.begin(house, "alice");
    setStoreClock(-20_000);
    await alice.send("bob", "one");
    await vi.waitFor(async () => expect(await offMs(house)).toBeLessThan(1_000));
  });
});

const storesBehindProxy: readonly StoreName[] = ["embedded", "redis-server"];

describe.each(storesBehindProxy)("a store (%s) whose clock is set while an answer is lost", (name) => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startStore(name);
  });
  afterAll(() => store.stop());
  afterEach(() => vi.restoreAllMocks());

  it("is noticed too, and the effect is there once", async () => {
    const proxy = await StoreProxy.before(store.url);
    const house = await openFaultHouse(proxy.url);
    const [alice, bob] = [await Agent.begin(house, "alice"), await Agent.begin(house, "bob")];
    await alice.send("bob", "one");
    setStoreClock(20_000);
    const isCut = proxy.arm({ nth: 1, when: "after", of: ":mb:bob}" });
    await alice.send("bob", "two");
    await isCut;
    expect(await bodies(bob)).toEqual(["one", "two"]);
    await house.close();
    await proxy.close();
  });
});

/** From now on the store's clock is ahead of what it was by so much, to this process. */
function setStoreClock(aheadMs: number): void {
  const now = performance.now.bind(performance);
  vi.spyOn(performance, "now").mockImplementation(() => now() - aheadMs);
}

async function bodies(agent: Agent): Promise<readonly string[]> {
  return (await agent.read()).messages.map(({ body }) => String(body));
}
