import { afterEach, it } from "vitest";
import { Runs } from "../../src/agents/index.js";
import { localPrincipal } from "../../src/identity/index.js";
import { directoryKeys, lockKeys, Store } from "../../src/redis/index.js";
import { openLocks, rawStore } from "../locks/open-locks.js";
import { describeOnEachStore, patientMs } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";

describeOnEachStore.beside("what one process does for all", (store) => {
  const closing: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  it("is done, each by itself, also where something before it fails, which is logged", async ({ expect }) => {
    const namespace = newNamespace();
    const keys = directoryKeys(namespace);
    const opened = await Store.open({
      endpoint: { url: store().url },
      label: "test",
      callTimeoutMs: patientMs,
    });
    closing.push(() => opened.close());
    // Two processes that have been silent for very long, and what of theirs can be given back.
    await opened.command("HSET", keys.runs, "ann/spoilt", "gone-1|1", "bob/whole", "gone-1|1");
    await opened.command("HSET", keys.runs, "carl/whole", "gone-2|1");
    await opened.command("ZADD", keys.heartbeats, "1", "gone-1", "1", "gone-2");
    const [released, logged, done]: [string[], unknown[], string[]] = [[], [], []];
    const runs = new Runs({
      store: opened,
      namespace,
      release: async (_, run) => {
        if (run === "ann/spoilt") throw new Error("a spoilt mailbox");
        released.push(run);
      },
      sweeps: {
        outboxes: () => Promise.reject(new Error("a spoilt outbox")),
        grants: async () => void done.push("grants"),
      },
      log: (event, facts) => void logged.push({ event, ...facts }),
    });
    closing.push(() => runs.close());
    runs.attend();
    await expect.poll(() => done, { timeout: 10_000 }).toContain("grants");
    expect(released).toEqual(["bob/whole", "carl/whole"]);
    expect(logged.slice(0, 2)).toEqual([
      { event: "heartbeat failed", sweep: "runs that are gone", error: "a spoilt mailbox" },
      { event: "heartbeat failed", sweep: "outboxes", error: "a spoilt outbox" },
    ]);
    // What could not be given back is tried again.
    expect(await opened.command("HKEYS", keys.runs)).toEqual(["ann/spoilt"]);
    expect(await opened.command("ZSCORE", keys.heartbeats, "gone-1")).toBe("0");
    expect(await opened.command("ZSCORE", keys.heartbeats, "gone-2")).toBeNull();
  });

  it("keeps lock time and tells of turns at locks, whatever the outboxes are like", async ({ expect }) => {
    const here = await openLocks(store().url, { beatMs: 100 });
    closing.push(() => here.close());
    const redis = rawStore(store().url);
    closing.push(() => redis.disconnect());
    await redis.set(directoryKeys(here.namespace).outboxes, "no sorted set");
    // Of a hook there is no process, so that lock time goes on for it by the sweep alone.
    const [asker, take] = [localPrincipal(here.namespace, "alice"), { session: "s", lease_seconds: 600 }];
    await here.house.rooms.locks.guardFiles(asker, { files: ["y"], take });
    const clock = async () => Number(await redis.hget(lockKeys(here.namespace).meta, "clock"));
    const from = await clock();
    await expect.poll(clock, { timeout: 10_000 }).toBeGreaterThan(from);
    const [holder, waiter] = [await here.as("holder"), await here.as("waiter")];
    const { lock_id } = await holder.acquire("x");
    await waiter.acquire("x", { notify: "waiter" });
    await holder.release(lock_id!);
    const { messages } = await here.house.rooms.mail.readInbox(
      waiter.caller,
      { wait_seconds: 10 },
      { maxChars: 10_000 },
    );
    expect(messages).toMatchObject([{ from: "postmaster" }]);
  });
});
