import { afterAll, beforeAll, expect, it } from "vitest";
import { parseResources } from "../../src/locks/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { oddNames } from "./hostile.js";
import { type Locker, type LockHouse, openLocks } from "./open-locks.js";

describeOnEachStore("whoever asked to be told of its turn", (store) => {
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

  it("may name no other place than its own mailbox or a topic", async () => {
    for (const notify of ["holder", "queue:q", "everyone", "x y"])
      await expect((await here.as("nosy")).acquire("x", { notify })).rejects.toThrow(
        /^(input|address)\.invalid: /,
      );
  });

  it("gets what it waited for although nobody can be told", async () => {
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
