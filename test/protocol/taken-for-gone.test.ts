import { afterEach, expect, it } from "vitest";
import { directoryKeys } from "../../src/redis/index.js";
import { main } from "../cli/command-line.js";
import { rawStore } from "../locks/open-locks.js";
import { describeOnEachStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";
import { connectStdio, type TestClient } from "./clients.js";

/** Only its process stood still, while others went on and saw it silent: they cannot tell that from its end. */
describeOnEachStore("an agent whose process was taken for gone", (store) => {
  const closing: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  it("is told once what it lost, is there again, and is buried when it is killed", {
    timeout: 90_000,
  }, async () => {
    const namespace = newNamespace();
    const keys = directoryKeys(namespace);
    const redis = rawStore(store().url);
    closing.push(() => redis.disconnect());
    const connect = async (agent: string): Promise<TestClient> => {
      const client = await connectStdio("2025-11-25", {
        command: process.execPath,
        args: [main, "stdio", "--agent", agent],
        env: {
          PATH: process.env.PATH!,
          HOME: process.env.HOME!,
          REDIS_URL: store().url,
          LLM_MAILBOX_ALLOW_UNVERIFIED: "1",
          LLM_MAILBOX_NAMESPACE: namespace,
        },
      });
      closing.push(() => client.close());
      return client;
    };
    const take = async (client: TestClient, resource: string, wait = 0): Promise<string> =>
      (await client.call("acquire_lock", { resources: [resource], wait_seconds: wait })).text;
    const pids = new Set<number>();
    /** The process that has come since this was asked last. */
    const newcomer = async (): Promise<{ id: string; pid: number }> => {
      for (const [id, place] of Object.entries(await redis.hgetall(keys.processes))) {
        const { pid } = JSON.parse(place) as { pid: number };
        if (pids.has(pid)) continue;
        pids.add(pid);
        return { id, pid };
      }
      throw new Error("nobody has come");
    };
    const [dan, eve] = [await connect("dan"), await connect("eve")];
    await take(eve, "eves");
    await take(dan, "dans");
    await newcomer();
    await newcomer();
    const bob = await connect("bob");
    const held = idIn(await take(bob, "bobs"));
    const place = idIn(await take(bob, "eves"));
    const { id, pid } = await newcomer();

    process.kill(pid, "SIGSTOP");
    // As if it had stood still for half a minute, on another machine: whoever has only come does not bury one that it sees.
    const seen = JSON.parse((await redis.hget(keys.processes, id))!) as object;
    await redis.hset(keys.processes, id, JSON.stringify({ ...seen, host: "elsewhere" }));
    await redis.zincrby(keys.heartbeats, -31_000, id);
    expect(await take(dan, "bobs", 40)).toMatch(/token \d/);
    process.kill(pid, "SIGCONT");

    const replies: string[] = [];
    for (let n = 0; n < 4; n++) replies.push((await bob.call("list_locks")).text);
    const linesOf = (lock: string): readonly string[] =>
      replies.flatMap((text) =>
        text.split("\n").filter((line) => line.startsWith("lock: ") && line.includes(lock)),
      );
    expect(linesOf(held)).toEqual([expect.stringContaining("is lost")]);
    expect(linesOf(place)).toHaveLength(1);
    expect([...linesOf(held), ...linesOf(place)].join()).not.toContain("earlier run");

    // It does not know how long it was silent, since that was made up: it is back with its next beat.
    await expect.poll(() => redis.hget(keys.processes, id), { timeout: 15_000 }).toBe(JSON.stringify(seen));
    const kept = idIn(await take(bob, "new"));
    process.kill(pid, "SIGKILL");
    expect(await take(dan, "new", 40)).toMatch(/token \d/);
    const told = (await (await connect("bob")).call("list_locks")).text;
    expect(told).toContain(`${kept} ("new") is lost`);
    expect(told).not.toContain(held);
    expect(told).not.toContain(place);
  });
});

function idIn(text: string): string {
  return /lk-[0-9a-z]{12}/.exec(text)![0];
}
