import { Cluster, Redis } from "ioredis";
import { expect, it } from "vitest";
import { describeOnEachStore } from "./index.js";

describeOnEachStore.onDisk("a store for tests", (store) => {
  it("still has what it answered after kill -9 and a restart", async () => {
    const before = connect(store().url);
    await before.set("kept", "yes");
    before.disconnect();
    await store().kill();
    await store().restart();
    const after = connect(store().url);
    expect(await after.get("kept")).toBe("yes");
    after.disconnect();
  });

  it("refuses a script that reaches into another slot only where slots are real", async () => {
    const client = connect(store().url);
    const crossing = client.eval("return redis.call('MGET', KEYS[1], KEYS[2])", 2, "{a}1", "{b}1");
    if (store().name === "redis-cluster") await expect(crossing).rejects.toThrow(/CROSSSLOT|slot/i);
    else expect(await crossing).toEqual([null, null]);
    client.disconnect();
  });
});

function connect(url: string): Redis | Cluster {
  const client = url.startsWith("unix://")
    ? new Redis({ path: url.slice("unix://".length) })
    : new Cluster([url.replace("redis+cluster:", "redis:")]);
  client.on("error", () => {}); // a command says what went wrong
  return client;
}
