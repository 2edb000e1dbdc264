import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Recipients } from "../../src/agents/index.js";
import type { House } from "../../src/compose.js";
import { localPrincipal } from "../../src/identity/index.js";
import { Agent, openFaultHouse } from "../faults/fault-house.js";
import { describeOnEachStore } from "../stores/index.js";

const program = fileURLToPath(new URL("../faults/agents-process.mjs", import.meta.url));

describeOnEachStore.concurrent("presence, as find_recipients shows it", (store) => {
  let house: House;
  let watcher: Agent;
  const children: ChildProcessWithoutNullStreams[] = [];
  beforeAll(async () => {
    house = await openFaultHouse(store().url);
    watcher = await Agent.begin(house, "watcher");
  });
  afterAll(async () => {
    for (const child of children) child.kill("SIGKILL");
    await house.close();
  });

  const shown = async (name: string): Promise<Recipients["agents"][number]> => {
    const { agents } = await house.rooms.agents.findRecipients(watcher.caller, { text: name });
    return agents.find((one) => one.name === name)!;
  };
  const keyOf = (name: string): string => `{${house.config.namespace}:dir}:${name}`;

  /** An agent in a process of its own; calling resolves with its answer. */
  async function present(name: string): Promise<{
    child: ChildProcessWithoutNullStreams;
    call(): Promise<void>;
  }> {
    const child = spawn(process.execPath, [program], {
      env: {
        PATH: process.env.PATH!,
        HOME: process.env.HOME!,
        REDIS_URL: store().url,
        LLM_MAILBOX_ALLOW_UNVERIFIED: "1",
        LLM_MAILBOX_NAMESPACE: house.config.namespace,
      },
    });
    children.push(child);
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    let id = 0;
    const call = async (): Promise<void> => {
      child.stdin.write(`${JSON.stringify({ id: ++id, agent: name, tool: "read_inbox", input: {} })}\n`);
      expect(JSON.parse(String((await lines.next()).value))).toMatchObject({ id, result: {} });
    };
    await call();
    return { child, call };
  }

  it("an agent is offline within 2 s of the moment its process was killed, to whoever runs on its machine", async ({
    expect,
  }) => {
    const { child } = await present("killed");
    expect((await shown("killed")).online).toBe(true);
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
    await expect.poll(async () => (await shown("killed")).online, { timeout: 2_000 }).toBe(false);
  });

  it("an agent on another machine is online for as long as its process beats, and offline 30 s after the last beat", async ({
    expect,
  }) => {
    const { child } = await present("far-away");
    const [run] = ((await house.store.command("HKEYS", keyOf("runs"))) as string[]).filter((one) =>
      one.startsWith("far-away/"),
    );
    const home = String(await house.store.command("HGET", keyOf("runs"), run!)).split("|")[0]!;
    // As it looks when the process cannot be seen from here: only its beats can tell.
    const place = JSON.parse(String(await house.store.command("HGET", keyOf("processes"), home))) as object;
    await house.store.command(
      "HSET",
      keyOf("processes"),
      home,
      JSON.stringify({ ...place, host: "elsewhere" }),
    );
    expect((await shown("far-away")).online).toBe(true);
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
    expect((await shown("far-away")).online).toBe(true);
    const age = (ms: number): Promise<unknown> =>
      house.store.command("ZADD", keyOf("heartbeats"), String(house.store.now() - ms), home);
    await age(20_000);
    expect((await shown("far-away")).online).toBe(true);
    await age(30_500);
    expect((await shown("far-away")).online).toBe(false);
  });

  it("an agent over HTTP, whose client may go unseen, is online while it listens and for a minute after it was last seen", async ({
    expect,
  }) => {
    const principal = localPrincipal(house.config.namespace, "guest");
    const caller = await house.rooms.runs.begin(principal, true);
    const isOnline = async (): Promise<boolean> => (await shown("guest")).online;
    /** As if it had last been seen so long ago. */
    const age = async (ms: number): Promise<void> => {
      const [since, , ...described] = String(
        await house.store.command("HGET", keyOf("agents"), "guest"),
      ).split("|");
      const seenAt = Math.round(house.store.now() - ms);
      await house.store.command("HSET", keyOf("agents"), "guest", [since, seenAt, ...described].join("|"));
    };
    expect(await isOnline()).toBe(true);
    await age(59_000);
    expect(await isOnline()).toBe(true);
    await age(61_000);
    expect(await isOnline()).toBe(false);
    const leave = house.rooms.runs.seen(caller);
    await expect.poll(isOnline, { timeout: 15_000 }).toBe(true);
    leave();
    // Before the call: the next beat may come at any time, and tells of a call once.
    await age(61_000);
    await house.rooms.agents.myStatus(caller, {});
    // What was noted until now is told with the next beat, and once more nothing is left to tell.
    await expect.poll(isOnline, { timeout: 15_000 }).toBe(true);
    await age(61_000);
    expect(await isOnline()).toBe(false);
    await house.rooms.runs.end(caller);
    await house.rooms.runs.begin(principal, true);
    expect(await isOnline()).toBe(true);
  });

  it("an agent is seen by a process in which no run of it, nor any other, began", async ({ expect }) => {
    const principal = localPrincipal(house.config.namespace, "moved");
    const caller = await house.rooms.runs.begin(principal, true);
    const noted = String(await house.store.command("HGET", keyOf("agents"), "moved")).split("|");
    const long = [noted[0], 0, ...noted.slice(2)].join("|");
    await house.store.command("HSET", keyOf("agents"), "moved", long);
    expect(await house.rooms.runs.seenAgoMs(caller)).toBeGreaterThan(1e12);
    const other = await openFaultHouse(store().url, house.config.namespace);
    other.rooms.runs.seen({ principal });
    await expect.poll(() => house.rooms.runs.seenAgoMs(caller), { timeout: 15_000 }).toBeLessThan(15_000);
    await other.close();
  });

  it("when an agent was last seen is when it last did something, not when its process last beat", async ({
    expect,
  }) => {
    const { call } = await present("doer");
    const seen = async (): Promise<number> => Date.parse((await shown("doer")).last_seen ?? "");
    const beats = async (): Promise<number> => {
      const [run] = ((await house.store.command("HKEYS", keyOf("runs"))) as string[]).filter((one) =>
        one.startsWith("doer/"),
      );
      const home = String(await house.store.command("HGET", keyOf("runs"), run!)).split("|")[0]!;
      return Number(await house.store.command("ZSCORE", keyOf("heartbeats"), home));
    };
    const another = async (): Promise<void> => {
      const before = await beats();
      await expect.poll(beats, { timeout: 15_000 }).toBeGreaterThan(before);
    };
    // The beat after the first call has told of it; the next ones have nothing to tell.
    await another();
    const idle = await seen();
    await another();
    expect(await seen()).toBe(idle);
    await call();
    await expect.poll(seen, { timeout: 15_000 }).toBeGreaterThan(idle);
  });
});
