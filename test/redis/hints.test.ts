import { setTimeout } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Hints } from "../../src/redis/index.js";
import { StoreProxy } from "../faults/store-proxy.js";
import { startStore, type TestStore } from "../stores/index.js";

describe("hints while the connection comes and goes", () => {
  let store: TestStore;
  let proxy: StoreProxy;
  const unhandled: unknown[] = [];
  const note = (reason: unknown): unknown => unhandled.push(reason);
  beforeAll(async () => {
    store = await startStore("redis-server");
    process.on("unhandledRejection", note);
  });
  afterEach(() => proxy.close());
  afterAll(async () => {
    process.off("unhandledRejection", note);
    await store.stop();
  });

  async function listening(heard: string[]): Promise<Hints> {
    proxy = await StoreProxy.before(store.url);
    const hints = new Hints({ url: proxy.url });
    await hints.listen("news", (message) => heard.push(message));
    return hints;
  }

  async function publish(message: string): Promise<void> {
    const redis = new Redis({ path: store.url.slice("unix://".length) });
    await redis.publish("news", message);
    redis.disconnect();
  }

  it("when it is back everybody looks again, and hears what is said from then on", async () => {
    const heard: string[] = [];
    const hints = await listening(heard);
    proxy.cutAll();
    await expect.poll(() => heard).toEqual([""]);
    await publish("the next");
    await expect.poll(() => heard).toEqual(["", "the next"]);
    hints.close();
  });

  it("a second cut while the channels are subscribed to again loses nothing", async () => {
    const heard: string[] = [];
    const hints = await listening(heard);
    const cut = proxy.arm({ nth: await commandsUntilSubscribed(), when: "before" });
    proxy.cutAll();
    await cut;
    await expect.poll(() => heard).toContain("");
    await publish("the next");
    await expect.poll(() => heard.filter((message) => message !== "")).toEqual(["the next"]);
    hints.close();
  });

  it("closed while the channels are subscribed to again, nothing fails that nobody waits for", async () => {
    const hints = await listening([]);
    const cut = proxy.arm({ nth: await commandsUntilSubscribed(), when: "before" });
    proxy.cutAll();
    await cut;
    hints.close();
    // Nothing tells that a connection which was given up is gone; it takes a turn or two.
    await setTimeout(50);
    expect(unhandled).toEqual([]);
  });

  /** What a connection asks when it is back, up to and with the subscription. */
  async function commandsUntilSubscribed(): Promise<number> {
    const other = await StoreProxy.before(store.url);
    const hints = new Hints({ url: other.url });
    await hints.listen("news", () => {});
    void other.arm({ nth: Number.POSITIVE_INFINITY, when: "before" });
    other.cutAll();
    await expect.poll(() => other.seen.some((name) => name.startsWith("subscribe"))).toBe(true);
    hints.close();
    await other.close();
    return other.seen.findIndex((name) => name.startsWith("subscribe")) + 1;
  }
});
