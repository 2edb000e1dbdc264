import { afterAll, beforeEach, expect, it } from "vitest";
import { topicRootKeys } from "../../src/redis/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { TopicDesk } from "./topic-fixture.js";

describeOnEachStore("administering topics", (store) => {
  let desk: TopicDesk;
  const desks: TopicDesk[] = [];
  const open = async (limits = {}): Promise<TopicDesk> => {
    desk = await TopicDesk.open(store(), limits);
    desks.push(desk);
    return desk;
  };
  beforeEach(() => open());
  afterAll(() => {
    for (const one of desks) one.close();
  });
  const admin = () => desk.caller("root", "1", ["admin"]);
  const names = async (agent = "alice") =>
    (await desk.topics.listTopics(desk.caller(agent))).map((one) => one.name);

  it("a publish creates the topic and its parents", async () => {
    await desk.publish("builds.ci.linux", "one");
    expect(await names()).toEqual(["builds", "builds.ci", "builds.ci.linux"]);
    expect(await desk.topics.listTopics(desk.caller("alice"))).toMatchObject([
      { messages: 0 },
      { messages: 0 },
      { messages: 1, subscribers: 0 },
    ]);
  });

  it("only an administrator creates, sets and deletes", async () => {
    await desk.publish("a.x", "one");
    const agent = desk.caller("alice");
    for (const act of [
      desk.topics.createTopic(agent, "a.y"),
      desk.topics.setTopic(agent, "a.x", { retentionCount: 1 }),
      desk.topics.deleteTopic(agent, "a.x"),
    ])
      await expect(act).rejects.toMatchObject({ code: "access.denied" });
    expect(await names()).toEqual(["a", "a.x"]);
  });

  it("creating says whether the topic existed; setting refuses an unknown one", async () => {
    expect(await desk.topics.createTopic(admin(), "a.x")).toEqual({ topic: "a.x", created: true });
    expect(await desk.topics.createTopic(admin(), "#A.x")).toEqual({ topic: "a.x", created: false });
    await expect(desk.topics.setTopic(admin(), "a.z", { retentionCount: 2 })).rejects.toMatchObject({
      code: "topic.unknown",
    });
    await expect(desk.topics.setTopic(admin(), "a.x", { retentionCount: 0 })).rejects.toMatchObject({
      code: "input.invalid",
    });
  });

  it("settings hold below until something nearer is set, and again when that is taken back", async () => {
    await desk.topics.createTopic(admin(), "a", { retentionCount: 2 });
    await desk.topics.createTopic(admin(), "a.b.c", { retentionCount: 4 });
    const kept = async (topic: string) => {
      for (let n = 0; n < 9; n++) await desk.publish(topic, `${n}`);
      return (await desk.topics.history(desk.caller("alice"), topic, { limit: 50 })).deliveries.length;
    };
    expect(await kept("a.b")).toBe(2);
    expect(await kept("a.b.c")).toBe(4);
    expect(await kept("a.b.c.d")).toBe(4);
    await desk.topics.setTopic(admin(), "a.b.c", { retentionCount: null });
    expect(await kept("a.b.c")).toBe(2);
  });

  it("access lists are inherited and hold for publishing, following, reading and listing", async () => {
    await desk.topics.createTopic(admin(), "secret", { publishers: ["bob"], readers: ["alice"] });
    await desk.topics.createTopic(admin(), "secret.open", { readers: "everyone" });
    await desk.publish("secret.plans", "for alice");
    await expect(desk.publish("secret.plans", "no", { from: "carol" })).rejects.toMatchObject({
      code: "access.denied",
    });
    await expect(desk.subscribe("carol", "secret.plans")).rejects.toMatchObject({ code: "access.denied" });
    expect(await desk.topics.subscriptionsOf(desk.caller("carol"))).toEqual([]);
    await expect(
      desk.topics.history(desk.caller("carol"), "secret.plans", { limit: 5 }),
    ).rejects.toMatchObject({ code: "topic.unknown" });
    await expect(
      desk.topics.history(desk.caller("carol"), "secret.nothing", { limit: 5 }),
    ).rejects.toMatchObject({ code: "topic.unknown" });
    expect(await names("carol")).toEqual(["secret.open"]);
    expect(await names("alice")).toEqual(["secret", "secret.open", "secret.plans"]);
    const receipt = await desk.subscribe("carol", "secret.**", { start_at: "earliest" });
    expect(receipt.topics).toEqual(["secret.open"]);
    await desk.publish("secret.open", "for all");
    const page = await desk.read("carol");
    expect(page.bodies).toEqual(["for all"]);
    expect(page.unread).toBe(1);
    const found = await desk.topics.feed.search(desk.caller("carol"), { topic: "secret.**", limit: 9 });
    expect(found.deliveries.map((one) => one.message.body)).toEqual(["for all"]);
  });

  it("what may no longer be read at the moment of delivery is skipped and not counted", async () => {
    await desk.subscribe("alice", "a.**");
    await desk.publish("a.x", "one");
    await desk.publish("a.y", "two");
    await desk.topics.setTopic(admin(), "a.x", { readers: ["carol"] });
    const page = await desk.read("alice");
    expect([page.bodies, page.unread]).toEqual([["two"], 1]);
  });

  it("a topic takes its number of subscribers and refuses the next, by name or by pattern", async () => {
    await desk.topics.createTopic(admin(), "a", { subscribersMost: 2 });
    await desk.subscribe("s1", "a.x");
    await desk.subscribe("s2", "a.*");
    expect((await desk.subscribe("s2", "a.x")).state).toBe("subscribed");
    await desk.publish("a.x", "one");
    for (const pattern of ["a.x", "a.*", "a.**"])
      await expect(desk.subscribe("s3", pattern)).rejects.toMatchObject({
        code: "topic.subscribers_full",
        facts: { topic: "a.x", limit: 2 },
      });
    expect(await desk.topics.subscriptionsOf(desk.caller("s3"))).toEqual([]);
    await desk.subscribe("s1", "a.x", { stop: true });
    expect((await desk.subscribe("s3", "a.x")).state).toBe("subscribed");
  });

  it("of many who subscribe at once exactly as many get in as there are places", async () => {
    await desk.topics.createTopic(admin(), "a.x", { subscribersMost: 3 });
    const tried = await Promise.allSettled(
      Array.from({ length: 8 }, (_, n) => desk.subscribe(`s${n}`, "a.x")),
    );
    expect(tried.filter((one) => one.status === "fulfilled").length).toBe(3);
    expect((await desk.topics.listTopics(admin()))[1]).toMatchObject({ name: "a.x", subscribers: 3 });
  });

  it("a topic with subscribers is deleted only by force; what was handed out stays readable", async () => {
    await desk.subscribe("alice", "a.x");
    await desk.subscribe("carol", "a.**");
    await desk.publish("a.x", "one");
    await desk.publish("a.y", "other");
    const page = await desk.read("alice");
    await expect(desk.topics.deleteTopic(admin(), "a.x")).rejects.toMatchObject({
      code: "topic.has_subscribers",
      facts: { topic: "a.x", count: 2 },
    });
    expect(await desk.topics.deleteTopic(admin(), "a.x", { force: true })).toEqual({
      topic: "a.x",
      ended: 1,
    });
    expect(await names()).toEqual(["a", "a.y"]);
    expect(await desk.topics.subscriptionsOf(desk.caller("alice"))).toEqual([]);
    const again = await desk.read("alice", { unseen: [page.batch] });
    expect(again.bodies).toEqual(["one"]);
    expect((await desk.read("carol")).bodies).toEqual(["other"]);
    await desk.publish("a.x", "a new topic of the old name");
    expect((await desk.read("alice", { seen: [again.batch] })).bodies).toEqual([]);
    expect((await desk.read("carol")).bodies).toEqual(["a new topic of the old name"]);
  });

  it("a parent is deleted by force without its children, even a long history of it", async () => {
    await desk.publish("a.x", "child");
    await Promise.all(Array.from({ length: 600 }, (_, n) => desk.publish("a", `${n}`)));
    await desk.topics.deleteTopic(admin(), "a", { force: true });
    expect(await names()).toEqual(["a.x"]);
    await expect(desk.topics.deleteTopic(admin(), "a")).rejects.toMatchObject({ code: "topic.unknown" });
    const { deliveries } = await desk.topics.history(desk.caller("alice"), "a.x", { limit: 9 });
    expect(deliveries.map((one) => one.message.body)).toEqual(["child"]);
  });

  it("idle topics go unless somebody follows them or something was set for them", async () => {
    await open({ idleMs: 2_000 });
    await desk.publish("gone.deep.down", "one");
    await desk.publish("kept.followed", "one");
    await desk.subscribe("alice", "kept.*", { start_at: "earliest" });
    await desk.topics.createTopic(admin(), "made");
    await desk.publish("set.x", "one");
    await desk.topics.setTopic(admin(), "set.x", { retentionCount: 7 });
    expect((await desk.topics.removeIdleTopics(desk.namespace)).removed).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, 2_050));
    await desk.publish("used.x", "one");
    const { removed } = await desk.topics.removeIdleTopics(desk.namespace);
    expect([...removed].sort()).toEqual(["gone", "gone.deep", "gone.deep.down"]);
    expect(await names()).toEqual(["kept", "kept.followed", "made", "set", "set.x", "used", "used.x"]);
    expect(await desk.readAll("alice")).toEqual(["one"]);
  });

  it("a topic that is used while it is being removed as idle stays", async () => {
    await desk.publish("a.x", "old");
    await new Promise((resolve) => setTimeout(resolve, 1_050));
    const sweeper = desk.interrupted("remove-topic", () => desk.publish("a.x", "just in time"), {
      idleMs: 1_000,
    });
    expect((await sweeper.topics.removeIdleTopics(desk.namespace)).removed).toEqual([]);
    const { deliveries } = await desk.topics.history(desk.caller("alice"), "a.x", { limit: 9 });
    expect(deliveries.map((one) => one.message.body)).toEqual(["old", "just in time"]);
  });

  it("a topic that is followed while it is being deleted is not deleted without force", async () => {
    await desk.publish("a.x", "one");
    const busy = desk.interrupted("remove-topic", () => desk.subscribe("alice", "a.x"));
    await expect(busy.topics.deleteTopic(admin(), "a.x")).rejects.toMatchObject({
      code: "topic.has_subscribers",
    });
    expect(await names()).toEqual(["a", "a.x"]);
  });

  it("a deleted topic leaves nothing of itself in the store", async () => {
    const keys = topicRootKeys(desk.namespace, "a");
    await desk.subscribe("alice", "a.x", { start_at: "earliest" });
    await desk.topics.createTopic(admin(), "a.x", { retentionCount: 2 });
    for (let n = 0; n < 5; n++) await desk.publish("a.x", `${n}`);
    const page = await desk.read("alice");
    await desk.topics.deleteTopic(admin(), "a.x", { force: true });
    await desk.topics.deleteTopic(admin(), "a");
    await desk.topics.feed.settle(
      desk.caller("alice"),
      page.deliveries.map((one) => one.message.id),
      "done",
      0,
    );
    for (const key of [
      keys.messages,
      keys.facts,
      keys.heads,
      keys.topics,
      keys.settings,
      keys.holds,
      keys.orphans,
      keys.subscriptions,
      keys.index("a.x"),
      keys.trims("a.x"),
      keys.open("alice"),
    ])
      expect(await desk.store.command("EXISTS", key), key).toBe(0);
  });

  it("the sweep applies retention where nobody publishes any more, and the gap is told", async () => {
    await open({ idleMs: 60_000, retentionMs: 30 });
    await desk.subscribe("alice", "a.x");
    for (let n = 0; n < 5; n++) await desk.publish("a.x", `${n}`);
    await new Promise((resolve) => setTimeout(resolve, 60));
    const left = (await desk.topics.history(desk.caller("alice"), "a.x", { limit: 50 })).deliveries.length;
    expect((await desk.topics.removeIdleTopics(desk.namespace)).trimmed).toBe(left);
    const page = await desk.read("alice");
    expect(page.bodies).toEqual([]);
    expect(page.gaps).toMatchObject([{ topic: "a.x", missed: 5 }]);
    expect((await desk.read("alice")).gaps).toEqual([]);
  });
});
