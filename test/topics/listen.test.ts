import { afterAll, beforeEach, expect, it } from "vitest";
import { describeOnEachStore } from "../stores/index.js";
import { TopicDesk } from "./topic-fixture.js";

describeOnEachStore("listening to topics", (store) => {
  let desk: TopicDesk;
  let other: TopicDesk;
  const desks: TopicDesk[] = [];
  beforeEach(async () => {
    desk = await TopicDesk.open(store());
    other = await TopicDesk.open(store(), {}, desk.namespace);
    desks.push(desk, other);
  });
  afterAll(() => {
    for (const one of desks) one.close();
  });

  /** Counts wake-ups; `next` resolves at the next one. */
  function bell(): { wake: () => void; next: () => Promise<void>; count: () => number } {
    let count = 0;
    let ring = (): void => {};
    return {
      wake: () => {
        count++;
        ring();
      },
      next: () =>
        new Promise((resolve) => {
          ring = resolve;
        }),
      count: () => count,
    };
  }

  it("wakes for a publish of another process to what the agent follows, and for nothing else", async () => {
    await desk.subscribe("alice", "a.x");
    await desk.subscribe("carol", "a.y");
    const alice = bell();
    const carol = bell();
    const stops = [
      await desk.topics.feed.listen(desk.caller("alice"), alice.wake),
      await desk.topics.feed.listen(desk.caller("carol"), carol.wake),
    ];
    const rung = carol.next();
    await other.publish("a.y", "for carol");
    await rung;
    expect(alice.count()).toBe(0);
    for (const stop of stops) stop();
  });

  it("wakes for a root that came up after the agent subscribed to any root", async () => {
    await desk.subscribe("alice", "**");
    const alice = bell();
    const stop = await desk.topics.feed.listen(desk.caller("alice"), alice.wake);
    const rung = alice.next();
    await other.publish("young.x", "one");
    await rung;
    while ((await desk.read("alice")).bodies.length === 0) await alice.next();
    stop();
  });

  it("tells nothing of a topic whose list of readers leaves the agent out, however it listens", async () => {
    const admin = desk.caller("admin", "1", ["admin"]);
    await desk.topics.createTopic(admin, "secret", { readers: ["carol"] });
    await desk.subscribe("alice", "**");
    const [follows, topic, list, reader] = [bell(), bell(), bell(), bell()];
    const alice = desk.caller("alice");
    const stops = [
      await desk.topics.feed.listen(alice, follows.wake),
      await desk.topics.watchTopic(alice, "secret.**", topic.wake),
      await desk.topics.watchTopics(alice, list.wake),
      await desk.topics.watchTopic(desk.caller("carol"), "secret.**", reader.wake),
    ];
    const read = reader.next();
    await other.publish("secret.x", "hidden");
    await read;
    expect([follows.count(), topic.count(), list.count()]).toEqual([0, 0, 0]);
    await desk.topics.setTopic(admin, "secret", { readers: ["carol", "alice"] });
    const rung = Promise.all([follows.next(), topic.next(), list.next()]);
    await other.publish("secret.x", "shown");
    await rung;
    for (const stop of stops) stop();
  });

  it("is left alone by what others begin to follow and by roots it cannot mean", async () => {
    await desk.subscribe("alice", "a.x");
    const alice = bell();
    const stop = await desk.topics.feed.listen(desk.caller("alice"), alice.wake);
    await other.subscribe("carol", "elsewhere.x");
    await other.publish("further.y", "for nobody");
    // Its own is told last, so by then it has heard of the others.
    const rung = alice.next();
    await other.subscribe("alice", "b.x");
    await rung;
    expect(alice.count()).toBe(1);
    stop();
  });

  it("wakes for a batch when it is full, not for each message of it", async () => {
    await desk.subscribe("alice", "busy.**", { batch_size: 3, batch_seconds: 600 });
    const alice = bell();
    const stop = await desk.topics.feed.listen(desk.caller("alice"), alice.wake);
    const watching = bell();
    const stopWatching = await desk.topics.watchTopic(desk.caller("watcher"), "busy.**", watching.wake);
    for (const n of [1, 2]) {
      const seen = watching.next();
      await other.publish("busy.x", `message ${n}`);
      await seen;
    }
    expect(alice.count()).toBe(0);
    const rung = alice.next();
    await other.publish("busy.y", "message 3");
    await rung;
    expect(alice.count()).toBe(1);
    stop();
    stopWatching();
  });

  it("wakes for a batch that is not full when its time is over, and for another pattern at once", async () => {
    await desk.subscribe("alice", "slow", { batch_seconds: 1 });
    const alice = bell();
    const stop = await desk.topics.feed.listen(desk.caller("alice"), alice.wake);
    const began = Date.now();
    let rung = alice.next();
    await other.publish("slow", "one");
    await rung;
    expect(Date.now() - began).toBeGreaterThanOrEqual(950);
    await desk.subscribe("alice", "slow.**");
    rung = alice.next();
    await other.publish("slow", "two");
    await rung;
    stop();
  });

  it("wakes for a subscription made while listening", async () => {
    const alice = bell();
    const stop = await desk.topics.feed.listen(desk.caller("alice"), alice.wake);
    let rung = alice.next();
    await other.subscribe("alice", "late.x");
    await rung;
    rung = alice.next();
    await other.publish("late.x", "one");
    await rung;
    stop();
  });

  it("wakes the agent to whom something is given back, at once or when its delay is over", async () => {
    await desk.subscribe("alice", "a.x");
    const id = await desk.publish("a.x", "one");
    await desk.read("alice");
    const alice = bell();
    const stop = await desk.topics.feed.listen(desk.caller("alice", "2"), alice.wake);
    const rung = alice.next();
    await other.topics.feed.releaseRun(desk.namespace, "alice", "alice/1");
    await rung;
    const page = await desk.read("alice", { run: "2" });
    expect(page.bodies).toEqual(["one"]);
    await other.topics.feed.settle(other.caller("alice"), [id], "retry", 150);
    for (;;) {
      const again = alice.next();
      if ((await desk.read("alice", { run: "2" })).bodies.length > 0) break;
      await again;
    }
    stop();
  });

  it("tells who watches a topic, and who watches the list of topics", async () => {
    const watched = bell();
    const listed = bell();
    const stops = [
      await desk.topics.watchTopic(desk.caller("watcher"), "a.x", watched.wake),
      await desk.topics.watchTopics(desk.caller("watcher"), listed.wake),
    ];
    const rung = [watched.next(), listed.next()];
    await other.publish("a.x", "one");
    await Promise.all(rung);
    const before = watched.count();
    const next = listed.next();
    await other.publish("a.y", "two");
    await next;
    expect(watched.count()).toBe(before);
    for (const stop of stops) stop();
  });
});
