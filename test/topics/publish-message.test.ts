import { Redis } from "ioredis";
import { afterAll, beforeEach, expect, it } from "vitest";
import { describeOnEachStore } from "../stores/index.js";
import { TopicDesk } from "./topic-fixture.js";

describeOnEachStore("publishing", (store) => {
  let desk: TopicDesk;
  const desks: TopicDesk[] = [];
  beforeEach(async () => {
    desk = await TopicDesk.open(store());
    desks.push(desk);
  });
  afterAll(() => {
    for (const one of desks) one.close();
  });

  it("twice with the same key stores once, and with another payload is a conflict", async () => {
    const caller = desk.caller("bob");
    const message = desk.message("a.x", "one");
    const operation = { key: "k", digest: "d", attempt: "1", keepMs: 60_000 };
    expect(await desk.topics.publish(caller, message, operation, "")).toEqual({
      state: "stored",
      id: message.id,
    });
    const again = desk.message("a.x", "one");
    expect(await desk.topics.publish(caller, again, { ...operation, attempt: "2" }, "")).toEqual({
      state: "replayed",
      id: message.id,
    });
    // Our own repetition after a lost answer is not told from the first.
    expect((await desk.topics.publish(caller, message, operation, "")).state).toBe("stored");
    const other = await desk.topics.publish(caller, again, { ...operation, digest: "e", attempt: "3" }, "");
    expect(other.state).toBe("conflict");
    const { deliveries } = await desk.topics.history(caller, "a.x", { limit: 9 });
    expect(deliveries.map((one) => one.message.id)).toEqual([message.id]);
  });

  it("keeps the text as it was sent, whatever is in it", async () => {
    await desk.subscribe("alice", "a.x");
    const body = '{"a":[],"n":12345678901234567890}|\u0000}\u202e \ud83d\ude00';
    await desk.publish("a.x", body, { data: { list: [], big: 9007199254740991 } });
    const { deliveries } = await desk.read("alice");
    expect(deliveries[0]?.message).toMatchObject({ body, data: { list: [], big: 9007199254740991 } });
  });

  it("refuses names with more levels than allowed and names that are none", async () => {
    await expect(desk.publish("a.b.c.d.e.f.g.h.i.j.k", "x")).rejects.toMatchObject({
      code: "topic.too_many_levels",
    });
    await desk.publish("a.b.c.d.e.f.g.h.i.j", "ten levels");
    for (const name of ["a.*", "a..b", "a}", "{a}", "a:b", "", "a.\u0430", "x".repeat(300)])
      await expect(desk.publish(name, "x")).rejects.toMatchObject({ code: "address.invalid" });
    await desk.publish("__proto__x".replace(/^_+/, ""), "x");
  });

  it("runs the same store commands for one subscriber and for hundreds", async () => {
    if (store().name !== "redis-server") return expect(store().name).not.toBe("redis-server");
    const client = new Redis({ path: store().url.slice("unix://".length) });
    client.on("error", () => {});
    const calls = async (): Promise<number> => {
      const info = await client.info("commandstats");
      return [...info.matchAll(/cmdstat_(?!info|ping|config)\S+:calls=(\d+)/g)].reduce(
        (sum, [, n]) => sum + Number(n),
        0,
      );
    };
    const costOf = async (topic: string): Promise<number> => {
      await desk.publish(topic, "warm");
      const before = await calls();
      await desk.publish(topic, "measured");
      return (await calls()) - before;
    };
    await desk.subscribe("s0", "one.x");
    const one = await costOf("one.x");
    await Promise.all(
      Array.from({ length: 500 }, (_, n) => desk.subscribe(`s${n}`, n % 2 ? "many.x" : "many.*")),
    );
    const many = await costOf("many.x");
    client.disconnect();
    expect(many).toBe(one);
    expect(one).toBeGreaterThan(5);
  });
});
