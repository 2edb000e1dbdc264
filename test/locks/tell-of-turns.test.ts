import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { parseResources } from "../../src/addresses/index.js";
import { tellOfTurns } from "../../src/locks/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { oddNames } from "./hostile.js";
import { type Locker, type LockHouse, openLocks } from "./open-locks.js";

describeOnEachStore.beside("whoever asked to be told of its turn", (store) => {
  let here: LockHouse;
  let holder: Locker;
  beforeAll(async () => {
    here = await openLocks(store().url);
    holder = await here.as("holder");
  });
  afterAll(() => here.close());

  const inbox = async ({ caller }: Locker, topic?: string) => {
    const input = { wait_seconds: 10, ...(topic === undefined ? {} : { topic }) };
    const { messages } = await here.house.rooms.mail.readInbox(caller, input, { maxChars: 10_000 });
    return messages.map(({ from, body, data }) => ({ from, body, data }));
  };

  it("hears of it by mail, once, and can take what is offered with the ticket it is told", async () => {
    const waiter = await here.as("waiter");
    const { lock_id } = await holder.acquire(["src/a", "src/b"]);
    const { ticket } = await waiter.acquire(["src/a", "src/b"], { notify: "waiter" });
    await holder.release(lock_id!);
    const [notice, ...more] = await inbox(waiter);
    expect(more).toEqual([]);
    expect(notice).toMatchObject({
      from: "postmaster",
      body: expect.stringMatching(
        /^It is the turn of waiter for "src\/a", "src\/b", until 20.*Z\.\nCall acquire_lock/,
      ),
      data: { ticket, agent: "waiter", resources: ["src/a", "src/b"] },
    });
    expect(notice!.body).toContain(`ticket ${ticket}`);
    const left = Date.parse((notice!.data as { until: string }).until) - here.house.store.now();
    expect(left).toBeGreaterThan(100_000);
    expect(left).toBeLessThanOrEqual(120_100);
    expect((await waiter.claim(ticket!)).state).toBe("granted");
    await waiter.end();
  });

  it("hears of it by the very name, whatever characters that has", async () => {
    const waiter = await here.as("odd");
    const names = oddNames.slice(0, 15);
    const { lock_id } = await holder.acquire(names);
    await waiter.acquire(names, { notify: "odd" });
    await holder.release(lock_id!);
    const [notice] = await inbox(waiter);
    expect(notice!.data).toMatchObject({ agent: "odd", resources: parseResources(names) });
    await waiter.end();
  });

  it("hears of it in a topic, also of a turn that comes a second time", async () => {
    const follower = await here.as("follower");
    await here.house.rooms.topics.subscribeTopic(follower.caller, { topic: "turns" });
    const first = await here.as("first");
    const second = await here.as("second");
    const { lock_id } = await holder.acquire("db");
    await first.acquire("db", { notify: "#turns" });
    await second.acquire("db", { notify: "topic:turns" });
    await holder.release(lock_id!);
    expect((await inbox(follower)).map(({ body }) => body.slice(0, 24))).toEqual([
      "It is the turn of first ",
    ]);
    await first.end();
    expect((await inbox(follower)).map(({ body }) => body.slice(0, 25))).toEqual([
      "It is the turn of second ",
    ]);
    await second.end();
  });

  it("hears nothing of a turn that a waiting call of its takes, nor of one that it takes, gives up or loses before it is told", async ({
    expect,
  }) => {
    const waiter = await here.as("quick");
    const notices = () => here.house.store.command("HKEYS", `{${here.namespace}:lk}:notices`);
    const turn = async (): Promise<string> => {
      const { lock_id } = await holder.acquire("q");
      const { ticket } = await waiter.acquire("q", { notify: "quick" });
      await holder.release(lock_id!);
      expect(await notices()).toEqual([expect.stringContaining(ticket!)]);
      return ticket!;
    };
    const taken = await turn();
    expect((await waiter.claim(taken)).state).toBe("granted");
    expect(await notices()).toEqual([]);
    await waiter.release(taken);
    await waiter.release(await turn());
    expect(await notices()).toEqual([]);
    await turn();
    await waiter.end();
    expect(await notices()).toEqual([]);

    const again = await here.as("quick");
    for (let n = 0; n < 3; n++) {
      const { lock_id } = await holder.acquire("q");
      const waiting = again.acquire("q", { notify: "quick", wait_seconds: 20 });
      await expect.poll(async () => (await holder.list("q")).waiters.length).toBe(1);
      await holder.release(lock_id!);
      await again.release((await waiting).lock_id!);
    }
    // Longer than two sweeps.
    await delay(4_500);
    const { messages } = await here.house.rooms.mail.readInbox(again.caller, {}, { maxChars: 10_000 });
    expect(messages).toEqual([]);
    await again.end();
  });

  it("hears nothing of a turn that is taken while it would be told, whenever the telling looks", async ({
    expect,
  }) => {
    const waiter = await here.as("racer");
    const told: string[] = [];
    const sweep = () => tellOfTurns(here.house.locks, here.namespace, async (_, to) => void told.push(to));
    const { lock_id } = await holder.acquire("r");
    const waiting = waiter.acquire("r", { notify: "racer", wait_seconds: 20 });
    await expect.poll(async () => (await holder.list("r")).waiters.length).toBe(1);
    let going = true;
    const sweeps = (async () => {
      while (going) await sweep();
    })();
    await holder.release(lock_id!);
    expect((await waiting).state).toBe("granted");
    going = false;
    await sweeps;
    expect(told).toEqual([]);
    await waiter.end();
  });

  it("hears of it within seconds also where the clock of the machine is set back meanwhile", async () => {
    const seen = () => here.house.locks.sinceLongerThan(50, "set-back", new Map([["one", "text"]]));
    expect(seen()).toEqual([]);
    const clock = vi.spyOn(Date, "now").mockReturnValue(Date.now() - 3_600_000);
    try {
      await delay(60);
      expect(seen()).toEqual([["one", "text"]]);
    } finally {
      clock.mockRestore();
    }
  });

  it("may name no other place than its own mailbox or a topic", async () => {
    for (const notify of ["holder", "queue:q", "everyone", "x y"])
      await expect((await here.as("nosy")).acquire("x", { notify })).rejects.toThrow(
        /^(input|address)\.invalid: /,
      );
  });

  it("gets what it waited for although nobody can be told", async ({ expect }) => {
    const waiter = await here.as("blocking");
    await here.house.store.command("SADD", `{${here.namespace}:mb:blocking}:blocked`, "postmaster");
    const { lock_id } = await holder.acquire("x");
    const { ticket } = await waiter.acquire("x", { notify: "blocking" });
    await holder.release(lock_id!);
    const notices = () => here.house.store.command("HLEN", `{${here.namespace}:lk}:notices`);
    await expect.poll(notices, { timeout: 10_000 }).toBe(0);
    expect((await waiter.claim(ticket!)).state).toBe("granted");
    await waiter.end();
  });
});
