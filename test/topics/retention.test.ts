import { afterAll, beforeEach, expect, it } from "vitest";
import { describeOnEachStore } from "../stores/index.js";
import { TopicDesk } from "./topic-fixture.js";

describeOnEachStore("the history of a topic", (store) => {
  const desks: TopicDesk[] = [];
  const open = async (limits = {}): Promise<TopicDesk> => {
    const desk = await TopicDesk.open(store(), limits);
    desks.push(desk);
    return desk;
  };
  let desk: TopicDesk;
  beforeEach(async () => {
    desk = await open({ retentionCount: 5 });
  });
  afterAll(() => {
    for (const one of desks) one.close();
  });

  it("keeps as many messages as retention says, and tells a slow reader once exactly how many it missed", async () => {
    await desk.subscribe("alice", "a.x");
    for (let n = 0; n < 20; n++) await desk.publish("a.x", `${n}`);
    const page = await desk.read("alice");
    expect(page.bodies).toEqual(["15", "16", "17", "18", "19"]);
    expect(page.gaps).toMatchObject([{ topic: "a.x", missed: 15 }]);
    expect(Math.abs(page.gaps[0]!.until - Date.now())).toBeLessThan(60_000);
    expect((await desk.read("alice", { seen: [page.batch] })).gaps).toEqual([]);
  });

  it("counts in a gap what was missed and not what was read before", async () => {
    await desk.subscribe("alice", "b.x");
    for (let n = 0; n < 3; n++) await desk.publish("b.x", `${n}`);
    const first = await desk.read("alice");
    expect(first.gaps).toEqual([]);
    for (let n = 3; n < 13; n++) await desk.publish("b.x", `${n}`);
    const page = await desk.read("alice", { seen: [first.batch] });
    expect(page.bodies).toEqual(["8", "9", "10", "11", "12"]);
    expect(page.gaps).toMatchObject([{ topic: "b.x", missed: 5 }]);
  });

  it("does not count what was read out of order", async () => {
    await desk.subscribe("alice", "c.x");
    for (let n = 0; n < 4; n++) await desk.publish("c.x", `${n}`);
    await desk.publish("c.x", "urgent", { priority: "urgent" });
    const first = await desk.read("alice", { limit: 2, topic: "c.x" });
    expect(first.bodies).toEqual(["urgent", "0"]);
    for (let n = 4; n < 10; n++) await desk.publish("c.x", `${n}`);
    const page = await desk.read("alice", { seen: [first.batch] });
    expect(page.bodies).toEqual(["5", "6", "7", "8", "9"]);
    expect(page.gaps).toMatchObject([{ topic: "c.x", missed: 4 }]);
  });

  it("was never promised to who subscribed from the earliest after it was trimmed", async () => {
    for (let n = 0; n < 20; n++) await desk.publish("d.x", `${n}`);
    await desk.subscribe("alice", "d.x", { start_at: "earliest" });
    await desk.publish("d.x", "20");
    const page = await desk.read("alice");
    expect(page.bodies).toEqual(["16", "17", "18", "19", "20"]);
    // Only 15 was there when alice subscribed and is gone now.
    expect(page.gaps.map((gap) => gap.missed)).toEqual([1]);
  });

  it("counts the gap of who subscribed from the earliest from that moment on", async () => {
    await desk.subscribe("zoe", "d2.x");
    for (let n = 0; n < 20; n++) await desk.publish("d2.x", `${n}`);
    await desk.subscribe("alice", "d2.*", { start_at: "earliest" });
    for (let n = 20; n < 27; n++) await desk.publish("d2.x", `${n}`);
    const page = await desk.read("alice");
    expect(page.gaps).toMatchObject([{ topic: "d2.x", missed: 7 }]);
    expect((await desk.read("zoe")).gaps).toMatchObject([{ topic: "d2.x", missed: 22 }]);
  });

  it("does not count twice what another subscription of the agent had read", async () => {
    await desk.subscribe("alice", "d3.x");
    await desk.publish("d3.x", "0");
    await desk.publish("d3.x", "1");
    await desk.publish("d3.x", "2");
    expect(await desk.readAll("alice")).toEqual(["0", "1", "2"]);
    await desk.subscribe("alice", "d3.*", { start_at: "earliest" });
    for (let n = 3; n < 12; n++) await desk.publish("d3.x", `${n}`);
    const page = await desk.read("alice");
    expect(page.gaps).toMatchObject([{ topic: "d3.x", missed: 4 }]);
    expect(page.bodies).toEqual(["7", "8", "9", "10", "11"]);
  });

  it("is not told as a gap to who only counts, and is told to the next who reads", async () => {
    await desk.subscribe("alice", "e.x");
    for (let n = 0; n < 8; n++) await desk.publish("e.x", `${n}`);
    const ask = { seen: [], unseen: [], filter: { minPriority: 0 } };
    const counted = await desk.topics.feed.heads(desk.caller("alice"), { ...ask, limit: 0 });
    expect(counted).toMatchObject({ heads: [], gaps: [], unread: 5 });
    expect((await desk.read("alice")).gaps).toMatchObject([{ topic: "e.x", missed: 3 }]);
  });

  it("may trim what is open at a reader: the reader still gets it again", async () => {
    await desk.subscribe("alice", "f.x");
    await desk.publish("f.x", "held");
    const page = await desk.read("alice");
    for (let n = 0; n < 10; n++) await desk.publish("f.x", `${n}`);
    expect(
      (await desk.topics.history(desk.caller("bob"), "f.x", { limit: 50 })).deliveries.map(
        (one) => one.message.body,
      ),
    ).toEqual(["5", "6", "7", "8", "9"]);
    const again = await desk.read("alice", { unseen: [page.batch], limit: 1, topic: "f.x" });
    expect(again.bodies).toEqual(["held"]);
    const id = again.deliveries[0]!.message.id;
    expect(await desk.topics.feed.find(desk.caller("bob"), id)).toBeUndefined();
    await desk.topics.feed.settle(desk.caller("alice"), [id], "done", 0);
    expect(await desk.topics.feed.find(desk.caller("alice"), id)).toBeUndefined();
  });

  it("trimmed between the look and the take costs no message that is left, and its gap is told", async () => {
    await desk.subscribe("alice", "h.x");
    for (let n = 0; n < 4; n++) await desk.publish("h.x", `${n}`);
    const flood = async (): Promise<void> => {
      for (let n = 4; n < 10; n++) await desk.publish("h.x", `${n}`);
    };
    const busy = desk.interrupted("take-topics", flood, { retentionCount: 5 });
    const first = await busy.read("alice", { topic: "h.x" });
    const rest = await busy.read("alice", { topic: "h.x", seen: [first.batch] });
    expect([...first.bodies, ...rest.bodies]).toEqual(["5", "6", "7", "8", "9"]);
    expect([...first.gaps, ...rest.gaps]).toMatchObject([{ topic: "h.x", missed: 5 }]);
  });

  it("is trimmed by age and by bytes too, a bounded part at each publish", async () => {
    const small = await open({ retentionBytes: 4_000, trimMost: 3 });
    for (let n = 0; n < 30; n++) await small.publish("a.x", `${n} ${"x".repeat(300)}`);
    const bytes = (await small.topics.listTopics(small.caller("alice"))).find((one) => one.name === "a.x");
    expect(bytes!.bytes).toBeLessThanOrEqual(4_000);
    expect(bytes!.bytes).toBeGreaterThan(3_000);
    expect(bytes!.messages).toBe(30);
    const brief = await open({ retentionMs: 2_000, trimMost: 2 });
    for (let n = 0; n < 6; n++) await brief.publish("a.x", `${n}`);
    await new Promise((resolve) => setTimeout(resolve, 2_050));
    await brief.publish("a.x", "young");
    const page = await brief.topics.history(brief.caller("alice"), "a.x", { limit: 50 });
    expect(page.deliveries.map((one) => one.message.body)).toEqual(["2", "3", "4", "5", "young"]);
  });

  it("passes over what expired unread, and counts it in the gap", async () => {
    await desk.subscribe("alice", "g.x");
    await desk.publish("g.x", "brief", { ttlMs: 20 });
    await desk.publish("g.x", "lasting");
    await new Promise((resolve) => setTimeout(resolve, 40));
    const page = await desk.read("alice");
    expect(page.bodies).toEqual(["lasting"]);
    expect(page.gaps).toMatchObject([{ topic: "g.x", missed: 1 }]);
    await desk.publish("g.x", "next");
    const after = await desk.read("alice", { seen: [page.batch] });
    expect([after.bodies, after.gaps]).toEqual([["next"], []]);
  });

  it("is paged without a gap and without a repetition while it grows and is trimmed", async () => {
    const big = await open();
    for (let n = 0; n < 25; n++) await big.publish("a.x", `${n}`);
    const seen: string[] = [];
    let before: string | undefined;
    for (let pages = 0; pages < 10; pages++) {
      const page = await big.topics.history(big.caller("alice"), "a.x", {
        limit: 7,
        ...(before === undefined ? {} : { before }),
      });
      seen.unshift(...page.deliveries.map((one) => one.message.body));
      await big.publish("a.x", `later ${pages}`);
      before = page.before;
      if (before === undefined) break;
    }
    expect(seen).toEqual(Array.from({ length: 25 }, (_, n) => `${n}`));
    const ids = (await big.topics.history(big.caller("alice"), "a.x", { limit: 3 })).deliveries;
    const older = await big.topics.history(big.caller("alice"), "a.x", {
      limit: 2,
      before: ids[0]!.message.id,
    });
    expect(older.deliveries.map((one) => one.message.body)).toEqual(["24", "later 0"]);
  });

  it("can be searched by pattern and time, newest first", async () => {
    const fresh = await open();
    await fresh.publish("s.a", "1");
    await fresh.publish("s.b", "2");
    await fresh.publish("t.a", "3");
    const all = await fresh.topics.feed.search(fresh.caller("alice"), { topic: "*.*", limit: 2 });
    expect(all.deliveries.map((one) => one.message.body)).toEqual(["3", "2"]);
    const more = await fresh.topics.feed.search(fresh.caller("alice"), {
      topic: "*.*",
      limit: 2,
      before: all.before!,
    });
    expect(more.deliveries.map((one) => one.message.body)).toEqual(["1"]);
    const none = await fresh.topics.feed.search(fresh.caller("alice"), {
      topic: "s.**",
      limit: 2,
      until: Date.now() - 3_600_000,
    });
    expect(none.deliveries).toEqual([]);
  });
});
