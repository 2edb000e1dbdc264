import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { describeOnEachStore } from "../stores/index.js";
import { TopicDesk } from "./topic-fixture.js";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describeOnEachStore("followed topics", (store) => {
  let desk: TopicDesk;
  const desks: TopicDesk[] = [];
  beforeEach(async () => {
    desk = await TopicDesk.open(store());
    desks.push(desk);
  });
  afterAll(() => {
    for (const one of desks) one.close();
  });

  describe("subscribing", () => {
    it("from now on delivers what is published afterwards, in order", async () => {
      await desk.publish("builds.ci", "before");
      const receipt = await desk.subscribe("alice", "builds.ci");
      expect(receipt).toMatchObject({ state: "subscribed", topics: ["builds.ci"], topics_total: 1 });
      await desk.publish("builds.ci", "one");
      await desk.publish("builds.ci", "two");
      expect((await desk.read("alice")).bodies).toEqual(["one", "two"]);
      expect((await desk.read("alice")).bodies).toEqual([]);
    });

    it("from the earliest delivers the whole history", async () => {
      await desk.publish("builds.ci", "one");
      await desk.publish("builds.ci", "two");
      const receipt = await desk.subscribe("alice", "#builds.ci", { start_at: "earliest" });
      expect(receipt.position).toBe("earliest");
      expect((await desk.read("alice")).bodies).toEqual(["one", "two"]);
    });

    it("from a message delivers that message and those after it", async () => {
      await desk.publish("builds.ci", "one");
      const id = await desk.publish("builds.ci", "two");
      await desk.publish("builds.ci", "three");
      await desk.subscribe("alice", "builds.ci", { start_at: id });
      expect((await desk.read("alice")).bodies).toEqual(["two", "three"]);
    });

    it("refuses a start that is neither a word nor a message of the topic", async () => {
      for (const start_at of ["yesterday", "zzz-0000000000000", "}"])
        await expect(desk.subscribe("alice", "builds.ci", { start_at })).rejects.toMatchObject({
          code: "topic.position_unknown",
        });
      expect((await desk.read("alice")).bodies).toEqual([]);
    });

    it("again keeps the position", async () => {
      await desk.subscribe("alice", "builds.ci", { start_at: "earliest" });
      await desk.publish("builds.ci", "one");
      expect((await desk.read("alice")).bodies).toEqual(["one"]);
      expect(await desk.subscribe("alice", "builds.ci", { start_at: "earliest" })).toMatchObject({
        state: "already_subscribed",
        position: "earliest",
      });
      expect((await desk.read("alice")).bodies).toEqual([]);
    });

    it("stops, and says when there was nothing to stop", async () => {
      await desk.subscribe("alice", "builds.ci");
      expect(await desk.subscribe("alice", "builds.ci", { stop: true })).toMatchObject({ state: "stopped" });
      await desk.publish("builds.ci", "one");
      expect((await desk.read("alice")).bodies).toEqual([]);
      expect(await desk.subscribe("alice", "builds.ci", { stop: true })).toMatchObject({
        state: "not_subscribed",
      });
    });

    it("anew from the earliest delivers everything again, but not what is still open", async () => {
      await desk.subscribe("alice", "a.x");
      await desk.publish("a.x", "settled");
      const first = await desk.read("alice");
      await desk.publish("a.x", "open");
      const second = await desk.read("alice", { seen: [first.batch] });
      await desk.subscribe("alice", "a.x", { stop: true });
      await desk.subscribe("alice", "a.x", { start_at: "earliest" });
      const third = await desk.read("alice", { seen: [second.batch] });
      expect(third.bodies).toEqual(["settled"]);
      expect(await desk.readAll("alice", { seen: [third.batch] })).toEqual([]);
    });

    it("of a second agent takes nothing from the first: both receive everything", async () => {
      await desk.subscribe("alice", "builds.ci");
      await desk.subscribe("carol", "builds.*");
      for (const body of ["one", "two", "three"]) await desk.publish("builds.ci", body);
      expect((await desk.read("alice")).bodies).toEqual(["one", "two", "three"]);
      expect((await desk.read("carol")).bodies).toEqual(["one", "two", "three"]);
    });
  });

  describe("patterns", () => {
    it("with * mean one level: ai.* does not match ai.x.y", async () => {
      await desk.subscribe("alice", "ai.*");
      await desk.publish("ai.x", "one level");
      await desk.publish("ai.x.y", "two levels");
      await desk.publish("ai", "no level");
      expect((await desk.read("alice")).bodies).toEqual(["one level"]);
    });

    it("with ** mean any depth, also none", async () => {
      await desk.subscribe("alice", "ai.**");
      for (const topic of ["ai", "ai.x", "ai.x.y.z"]) await desk.publish(topic, topic);
      await desk.publish("aim", "another root");
      expect(await desk.readAll("alice")).toEqual(["ai", "ai.x", "ai.x.y.z"]);
    });

    it("that overlap deliver each message once, also when the second starts earlier", async () => {
      await desk.publish("ai.x", "old");
      await desk.subscribe("alice", "ai.x");
      await desk.publish("ai.x", "one");
      await desk.subscribe("alice", "ai.**", { start_at: "earliest" });
      await desk.subscribe("alice", "ai.*");
      await desk.publish("ai.x", "two");
      expect((await desk.readAll("alice")).sort()).toEqual(["old", "one", "two"]);
    });

    it("that are added later do not deliver again what was read, only what was not", async () => {
      await desk.publish("ai.x", "old");
      await desk.subscribe("alice", "ai.x");
      await desk.publish("ai.x", "one");
      expect(await desk.readAll("alice")).toEqual(["one"]);
      await desk.subscribe("alice", "ai.*", { start_at: "earliest" });
      await desk.publish("ai.x", "two");
      expect(await desk.readAll("alice")).toEqual(["old", "two"]);
    });

    it("for any root reach existing roots from now and later roots from their beginning", async () => {
      await desk.publish("old.a", "before");
      await desk.subscribe("alice", "**");
      await desk.publish("old.a", "after");
      await desk.publish("young", "first of a new root");
      await desk.publish("young.b", "second of a new root");
      expect((await desk.readAll("alice")).sort()).toEqual([
        "after",
        "first of a new root",
        "second of a new root",
      ]);
      await desk.subscribe("alice", "**", { stop: true });
      await desk.publish("old.a", "unheard");
      await desk.publish("third", "unheard");
      expect(await desk.readAll("alice")).toEqual([]);
    });

    it("for any root and a level below mean only what lies there", async () => {
      await desk.subscribe("alice", "*.alerts");
      await desk.publish("db.alerts", "db");
      await desk.publish("web.alerts", "web");
      await desk.publish("web.news", "news");
      expect((await desk.readAll("alice")).sort()).toEqual(["db", "web"]);
    });
  });

  describe("filters", () => {
    it("of the subscription apply before the page is cut", async () => {
      await expect(desk.subscribe("alice", "builds.ci", { sender: "queue:work" })).rejects.toThrow(
        "input.invalid: sender is the name of an agent",
      );
      await desk.subscribe("alice", "builds.ci", { sender: "@Carol", min_priority: "high" });
      for (let n = 0; n < 120; n++) await desk.publish("builds.ci", `noise ${n}`);
      await desk.publish("builds.ci", "low", { from: "carol" });
      await desk.publish("builds.ci", "wanted", { from: "carol", priority: "urgent" });
      const page = await desk.read("alice", { limit: 2 });
      expect(page.bodies).toEqual(["wanted"]);
      expect(page.unread).toBe(1);
      expect((await desk.read("alice")).bodies).toEqual([]);
    });

    it("of the read apply before the page is cut, and leave the rest for later", async () => {
      await desk.subscribe("alice", "builds.ci");
      for (let n = 0; n < 60; n++) await desk.publish("builds.ci", `noise ${n}`);
      await desk.publish("builds.ci", "wanted", { from: "carol" });
      expect((await desk.read("alice", { sender: "carol", limit: 2 })).bodies).toEqual(["wanted"]);
      expect((await desk.read("alice", { sender: "carol", limit: 2 })).bodies).toEqual([]);
      const rest = await desk.readAll("alice", { topic: "builds.ci" });
      expect(rest).toEqual(Array.from({ length: 60 }, (_, n) => `noise ${n}`));
    });

    it("by topic read one topic in order and leave the others", async () => {
      await desk.subscribe("alice", "builds.**");
      for (let n = 0; n < 30; n++) await desk.publish(n % 2 ? "builds.a" : "builds.b", `${n}`);
      const a = await desk.readAll("alice", { topic: "builds.a", limit: 4 });
      expect(a).toEqual(Array.from({ length: 15 }, (_, n) => `${2 * n + 1}`));
      expect((await desk.readAll("alice", { topic: "builds.b" })).length).toBe(15);
    });

    it("by thread find the thread", async () => {
      await desk.subscribe("alice", "builds.ci");
      await desk.publish("builds.ci", "other");
      await desk.publish("builds.ci", "in thread", { thread: "t1" });
      expect((await desk.read("alice", { thread: "t1" })).bodies).toEqual(["in thread"]);
      expect((await desk.read("alice")).bodies).toEqual(["other"]);
    });
  });

  describe("a page", () => {
    it("has the most urgent first, then the oldest, and nothing is lost by that order", async () => {
      await desk.subscribe("alice", "a.**");
      await desk.publish("a.x", "normal 1");
      await desk.publish("a.y", "urgent", { priority: "urgent" });
      await desk.publish("a.x", "low", { priority: "low" });
      await desk.publish("a.y", "normal 2");
      const first = await desk.read("alice", { limit: 2 });
      expect(first.bodies).toEqual(["urgent", "normal 1"]);
      expect(first.unread).toBe(4);
      expect(first.urgent).toBe(1);
      expect((await desk.read("alice", { limit: 2 })).bodies).toEqual(["normal 2", "low"]);
      expect((await desk.read("alice", { limit: 2 })).bodies).toEqual([]);
    });

    it("comes to every topic and every root in turn, however few are looked at in one call", async () => {
      const narrow = await TopicDesk.open(store(), { topicsMost: 2, rootsMost: 2 }, desk.namespace);
      desks.push(narrow);
      await narrow.subscribe("alice", "**", { start_at: "earliest" });
      const all: string[] = [];
      for (let n = 0; n < 21; n++) {
        const topic = `r${n % 3}.t${n % 7}`;
        await narrow.publish(topic, `${n}`);
        all.push(`${n}`);
      }
      expect((await narrow.readAll("alice", { limit: 3 })).toSorted()).toEqual(all.toSorted());
      await narrow.publish("r4", "last");
      expect((await narrow.read("alice")).bodies).toEqual(["last"]);
      expect((await narrow.read("alice")).unread).toBe(0);
    });

    it("that was looked at and never taken costs nothing: the next look shows the same", async () => {
      await desk.subscribe("alice", "a.x");
      await desk.publish("a.x", "one");
      const ask = { seen: [], unseen: [], filter: { minPriority: 0 }, limit: 10 };
      const looked = await desk.topics.feed.heads(desk.caller("alice"), ask);
      expect(looked.heads.length).toBe(1);
      // The process ends here; the agent's next run asks.
      const other = await TopicDesk.open(store(), {}, desk.namespace);
      expect((await other.read("alice", { run: "2" })).bodies).toEqual(["one"]);
      other.close();
    });

    it("is settled when its batch was seen", async () => {
      await desk.subscribe("alice", "a.x");
      await desk.publish("a.x", "one");
      const page = await desk.read("alice");
      expect(page.deliveries[0]).toMatchObject({ count: 1, state: "read", job: false });
      const next = await desk.read("alice", { seen: [page.batch] });
      expect(next).toMatchObject({ bodies: [], open: 0 });
    });

    it("comes again at once and is not counted when its batch was not seen", async () => {
      await desk.subscribe("alice", "a.x");
      await desk.publish("a.x", "one");
      const page = await desk.read("alice");
      expect((await desk.read("alice")).bodies).toEqual([]);
      const again = await desk.read("alice", { unseen: [page.batch] });
      expect(again.bodies).toEqual(["one"]);
      expect(again.deliveries[0]?.count).toBe(1);
    });

    it("comes again to the next run when its run is gone, and says that it was delivered before", async () => {
      await desk.subscribe("alice", "a.x");
      await desk.publish("a.x", "one");
      await desk.publish("a.x", "two");
      await desk.read("alice", { run: "1", limit: 1 });
      await desk.topics.feed.releaseRun(desk.namespace, "alice", "alice/1");
      const next = await desk.read("alice", { run: "2" });
      expect(next.bodies).toEqual(["one", "two"]);
      expect(next.deliveries.map((one) => one.count)).toEqual([2, 1]);
    });

    it("asked for again with the same batch is the same page", async () => {
      await desk.subscribe("alice", "a.x");
      await desk.publish("a.x", "one");
      const caller = desk.caller("alice");
      const looked = await desk.topics.feed.heads(caller, {
        seen: [],
        unseen: [],
        filter: { minPriority: 0 },
        limit: 5,
      });
      const { deliveries: first } = await desk.topics.feed.take(caller, "b1", looked.heads);
      const { deliveries: second } = await desk.topics.feed.take(caller, "b1", looked.heads);
      expect(first.map((one) => one.message.body)).toEqual(["one"]);
      expect(second.map((one) => [one.message.body, one.count])).toEqual([["one", 1]]);
    });

    it("loses the race for what another run took between the look and the take, and nothing else", async () => {
      await desk.subscribe("alice", "a.x");
      for (let n = 0; n < 4; n++) await desk.publish("a.x", `${n}`);
      let other: readonly string[] = [];
      const slow = desk.interrupted("take-topics", async () => {
        other = (await desk.read("alice", { run: "2", limit: 2, topic: "a.x" })).bodies;
      });
      const page = await slow.read("alice", { run: "1", limit: 3, topic: "a.x" });
      expect([other, page.bodies]).toEqual([["0", "1"], ["2"]]);
      expect((await desk.read("alice")).bodies).toEqual(["3"]);
    });

    it("of two runs at once has no message twice and none is left out", async () => {
      const other = await TopicDesk.open(store(), {}, desk.namespace);
      await desk.subscribe("alice", "a.**");
      for (let n = 0; n < 40; n++) await desk.publish(`a.t${n % 4}`, `${n}`);
      const bodies: string[] = [];
      for (let round = 0; round < 20; round++) {
        const [one, two] = await Promise.all([
          desk.read("alice", { run: "1", limit: 5, topic: "a.**" }),
          other.read("alice", { run: "2", limit: 5, topic: "a.**" }),
        ]);
        bodies.push(...one.bodies, ...two.bodies);
      }
      expect(bodies.toSorted((a, b) => Number(a) - Number(b))).toEqual(
        Array.from({ length: 40 }, (_, n) => `${n}`),
      );
      other.close();
    });
  });

  describe("settling by hand", () => {
    it("does not tell a message that may not be read from one that does not exist", async () => {
      const admin = desk.caller("admin", "1", ["admin"]);
      await desk.topics.createTopic(admin, "secret", { readers: ["carol"] });
      const hidden = await desk.publish("secret.x", "one");
      const open = await desk.publish("a.x", "two");
      await desk.subscribe("alice", "**");
      for (const outcome of ["done", "retry", "reject", "extend"] as const) {
        const told = await desk.topics.feed.settle(desk.caller("alice"), [hidden, open], outcome, 0);
        expect([...told.keys()]).toEqual([open]);
        expect(told.get(open)?.state).toBe("not_open");
      }
    });

    it("knows done, retry with a delay and what is not of a topic", async () => {
      await desk.subscribe("alice", "a.x");
      await desk.publish("a.x", "one");
      await desk.publish("a.x", "two");
      const { deliveries } = await desk.read("alice");
      const [one, two] = deliveries.map((delivery) => delivery.message.id);
      const caller = desk.caller("alice");
      const kept = await desk.topics.feed.settle(caller, [one!], "extend", 0);
      const dayMs = 86_400_000;
      expect(kept.get(one!)?.at).toBeGreaterThan(desk.store.now() + dayMs - 10_000);
      expect(kept.get(one!)?.at).toBeLessThan(desk.store.now() + dayMs + 10_000);
      const done = await desk.topics.feed.settle(caller, [one!, "elsewhere"], "done", 0);
      expect([...done.keys()]).toEqual([one]);
      expect(done.get(one!)?.state).toBe("settled");
      expect((await desk.topics.feed.settle(caller, [one!], "extend", 0)).get(one!)?.state).toBe("not_open");
      const retried = await desk.topics.feed.settle(caller, [two!], "retry", 60_000);
      expect(retried.get(two!)?.state).toBe("retrying");
      expect((await desk.read("alice")).bodies).toEqual([]);
      expect((await desk.topics.feed.open(caller, 10, { minPriority: 0 })).length).toBe(0);
    });

    it("gives a message back at once when no delay is asked for", async () => {
      await desk.subscribe("alice", "a.x");
      const id = await desk.publish("a.x", "one");
      await desk.read("alice");
      const caller = desk.caller("alice");
      expect(
        (await desk.topics.feed.open(caller, 10, { minPriority: 0 })).map((one) => one.message.id),
      ).toEqual([id]);
      await desk.topics.feed.settle(caller, [id], "retry", 0);
      const again = await desk.read("alice");
      expect(again.deliveries.map((one) => one.count)).toEqual([2]);
    });
  });

  describe("a busy topic", () => {
    it("collapses to its newest three and a count", async () => {
      await desk.subscribe("alice", "a.x");
      for (let n = 0; n < 40; n++) await desk.publish("a.x", `${n}`);
      const page = await desk.read("alice", { limit: 5 });
      expect(page.bodies).toEqual(["37", "38", "39"]);
      expect(page.collapsed).toEqual([{ topic: "a.x", count: 37, unread: 37 }]);
      expect((await desk.read("alice")).bodies).toEqual([]);
      expect((await desk.read("alice")).unread).toBe(0);
    });

    it("collapses to the newest three its filter lets through", async () => {
      await desk.subscribe("alice", "a.x", { sender: "carol" });
      for (let n = 0; n < 40; n++) await desk.publish("a.x", `${n}`, { from: n % 2 ? "carol" : "bob" });
      const page = await desk.read("alice", { limit: 5 });
      expect(page.bodies).toEqual(["35", "37", "39"]);
      expect(page.collapsed).toEqual([{ topic: "a.x", count: 17, unread: 17 }]);
    });

    it("tells once what was trimmed of it, and goes on behind what it passed over", async () => {
      const small = await TopicDesk.open(store(), { retentionCount: 60 });
      desks.push(small);
      await small.subscribe("alice", "a.x");
      for (let n = 0; n < 80; n++) await small.publish("a.x", `${n}`);
      expect(await small.read("alice")).toMatchObject({
        bodies: ["77", "78", "79"],
        gaps: [{ topic: "a.x", missed: 20 }],
        collapsed: [{ topic: "a.x", count: 57 }],
      });
      expect(await small.read("alice")).toMatchObject({ bodies: [], gaps: [], unread: 0 });
      for (let n = 80; n < 120; n++) await small.publish("a.x", `${n}`);
      expect(await small.read("alice")).toMatchObject({
        bodies: ["117", "118", "119"],
        gaps: [],
        collapsed: [{ topic: "a.x", count: 37 }],
      });
      expect(await small.read("alice")).toMatchObject({ bodies: [], gaps: [], unread: 0 });
    });

    it("tells what expired of it, wherever that is, and delivers the rest in order", async () => {
      const over = Array.from({ length: 40 }, (_, n) => `over ${n}`);
      const live = Array.from({ length: 20 }, (_, n) => `${n}`);
      const runs = { begins: [...over, ...live], ends: [...live, ...over], all: over };
      for (const [topic, bodies] of Object.entries(runs)) {
        await desk.subscribe(topic, `${topic}.x`);
        for (const body of bodies)
          await desk.publish(`${topic}.x`, body, body.startsWith("over") ? { ttlMs: 1 } : {});
      }
      await pause(20);
      const busy = { bodies: ["17", "18", "19"], collapsed: [{ count: 17 }] };
      const none = { bodies: [], gaps: [], collapsed: [], unread: 0 };
      expect(await desk.read("begins")).toMatchObject({ ...busy, gaps: [{ missed: 40 }] });
      expect(await desk.read("begins")).toMatchObject(none);
      expect(await desk.read("ends")).toMatchObject({ ...busy, gaps: [] });
      expect(await desk.read("ends")).toMatchObject({ ...none, gaps: [{ missed: 40 }] });
      expect(await desk.read("ends")).toMatchObject(none);
      expect(await desk.read("all")).toMatchObject({ ...none, gaps: [{ missed: 40 }] });
      expect(await desk.read("all")).toMatchObject(none);
    });

    it("counts with what it left out what expired in between, and comes back to none of it", async () => {
      await desk.subscribe("alice", "a.x");
      const publish = async (name: string, count: number, ttlMs?: number): Promise<void> => {
        for (let n = 0; n < count; n++)
          await desk.publish("a.x", `${name} ${n}`, ttlMs === undefined ? {} : { ttlMs });
      };
      await publish("first", 20);
      await publish("over", 40, 1);
      await publish("last", 20);
      await pause(20);
      expect(await desk.read("alice")).toMatchObject({
        bodies: ["last 17", "last 18", "last 19"],
        collapsed: [{ count: 77 }],
        gaps: [],
      });
      expect(await desk.read("alice")).toMatchObject({ bodies: [], gaps: [], unread: 0 });
    });

    it("of which not all that is offered has room keeps the rest", async () => {
      await desk.subscribe("alice", "a.x");
      for (let n = 0; n < 40; n++) await desk.publish("a.x", `${n}`, n === 38 ? { priority: "urgent" } : {});
      expect(await desk.read("alice", { limit: 1 })).toMatchObject({
        bodies: ["38"],
        collapsed: [{ count: 37 }],
      });
      expect((await desk.read("alice")).bodies).toEqual(["37", "39"]);
    });

    it("is read in order and whole by who asks for the topic", async () => {
      await desk.subscribe("alice", "a.x");
      for (let n = 0; n < 40; n++) await desk.publish("a.x", `${n}`);
      expect(await desk.readAll("alice", { topic: "a.x", limit: 7 })).toEqual(
        Array.from({ length: 40 }, (_, n) => `${n}`),
      );
    });

    it("that another source pushed off the page loses nothing", async () => {
      await desk.subscribe("alice", "a.x");
      for (let n = 0; n < 12; n++) await desk.publish("a.x", `${n}`);
      const caller = desk.caller("alice");
      const ask = { seen: [], unseen: [], filter: { minPriority: 0 }, limit: 5 };
      const looked = await desk.topics.feed.heads(caller, ask);
      expect(looked).toMatchObject({ unread: 12, heads: [{}, {}, {}] });
      expect(await desk.topics.feed.take(caller, "b", [])).toEqual({ deliveries: [], collapsed: [] });
      expect(await desk.read("alice", { limit: 5 })).toMatchObject({
        bodies: ["9", "10", "11"],
        collapsed: [{ topic: "a.x", count: 9 }],
      });
    });
  });
});
