import { afterEach, expect, it } from "vitest";
import type { House } from "../../src/compose.js";
import type { Caller } from "../../src/identity/index.js";
import { Agent, openFaultHouse } from "../faults/fault-house.js";
import { describeOnEachStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";

/** What went wrong in the systems this one replaces, each by its name. */
describeOnEachStore("a defect of others that we do not have:", (store) => {
  const houses: House[] = [];
  const open = async (namespace?: string, settings: Record<string, string> = {}): Promise<House> => {
    const house = await openFaultHouse(store().url, namespace, 5_000, settings);
    houses.push(house);
    return house;
  };
  const begin = (house: House, ...names: string[]): Promise<Agent[]> =>
    Promise.all(names.map((name) => Agent.begin(house, name)));
  const bodies = async (agent: Agent, input = {}): Promise<string[]> =>
    (await agent.read(input)).messages.map(({ body }) => body);
  const operator = ({ caller }: Agent): Caller => ({
    ...caller,
    principal: { ...caller.principal, roles: ["admin"] },
  });
  afterEach(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
  });

  it("read marked as delivered before anyone had seen it", async () => {
    const house = await open();
    const [alice, bob] = (await begin(house, "alice", "bob")) as [Agent, Agent];
    await alice.send("bob", "x");
    const lost = await house.rooms.mail.readInbox(bob.caller, {}, { maxChars: 10_000 });
    house.rooms.mail.confirm(bob.caller, lost.batch!, false);
    expect(await bob.read()).toMatchObject({ messages: [{ body: "x", delivery_count: 1 }] });
  });

  it.each(["bob", "topic:news"])(
    "mail to %s whose reply reached nobody was missed by the read that waited meanwhile",
    async (to) => {
      const namespace = newNamespace();
      const [house, elsewhere] = [await open(namespace), await open(namespace)];
      const [alice, bob] = (await begin(house, "alice", "bob")) as [Agent, Agent];
      const [again] = (await begin(elsewhere, "bob")) as [Agent];
      await house.rooms.topics.subscribeTopic(bob.caller, { topic: "news" });
      // First for a read of the same run, then for one at another process.
      for (const reader of [bob, again]) {
        const body = reader === bob ? "one" : "two";
        await alice.send(to, body);
        const lost = await house.rooms.mail.readInbox(bob.caller, {}, { maxChars: 10_000 });
        expect(lost.messages).toHaveLength(1);
        const waiting = reader.read({ wait_seconds: 20 });
        await reader.house.rooms.agents.myStatus(reader.caller, {});
        house.rooms.mail.confirm(bob.caller, lost.batch!, false);
        expect(await waiting).toMatchObject({
          messages: [{ body, delivery_count: 1 }],
          timed_out: false,
        });
        await reader.read();
      }
    },
  );

  it("a full mailbox dropped the oldest unread", async () => {
    const house = await open(undefined, {
      LLM_MAILBOX_MAX_MESSAGES: "3",
      LLM_MAILBOX_MAX_MESSAGES_PER_SENDER: "3",
    });
    const [alice, bob, carl] = (await begin(house, "alice", "bob", "carl")) as [Agent, Agent, Agent];
    for (const n of [1, 2, 3]) await alice.send("bob", `m${n}`);
    await expect(carl.send("bob", "m4")).rejects.toThrow(/^mailbox\.full/);
    expect(await bodies(bob)).toEqual(["m1", "m2", "m3"]);
  });

  it("expiry removed bodies but left ids", async () => {
    const house = await open();
    const [alice, bob] = (await begin(house, "alice", "bob")) as [Agent, Agent];
    const { message_id: id } = await alice.send("bob", "short-lived", { ttl_seconds: 1 });
    await alice.send("bob", "stays");
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect(await bob.read()).toMatchObject({ messages: [{ body: "stays" }], unread: 0 });
    // It is whole where it is: a dead letter with its body.
    const { messages } = await house.rooms.mail.searchMessages(alice.caller, { sent: true });
    expect(messages.find((one) => one.id === id)).toMatchObject({
      excerpt: "short-lived",
      states: [{ to: "bob", state: "expired" }],
    });
  });

  it("filters applied after the page was cut", async () => {
    const house = await open();
    const [alice, bob, carl] = (await begin(house, "alice", "bob", "carl")) as [Agent, Agent, Agent];
    for (let n = 0; n < 15; n++) await alice.send("bob", `a${n}`);
    await carl.send("bob", "from carl");
    expect(await bodies(bob, { sender: "carl", limit: 2 })).toEqual(["from carl"]);
  });

  it("id ranges over random UUIDs: pages repeat and skip nothing while mail arrives", async () => {
    const house = await open();
    const [alice, bob] = (await begin(house, "alice", "bob")) as [Agent, Agent];
    for (let n = 0; n < 12; n++) await alice.send("bob", `n${n}`);
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await house.rooms.mail.searchMessages(bob.caller, {
        limit: 5,
        ...(cursor ? { cursor } : {}),
      });
      found.push(...page.messages.map(({ excerpt }) => excerpt));
      await alice.send("bob", `later ${found.length}`);
      cursor = page.cursor;
    } while (cursor);
    expect(found).toEqual(Array.from({ length: 12 }, (_, n) => `n${11 - n}`));
  });

  it("a second subscriber received nothing", async () => {
    const house = await open();
    const [alice, bob, carl] = (await begin(house, "alice", "bob", "carl")) as [Agent, Agent, Agent];
    for (const agent of [bob, carl]) await house.rooms.topics.subscribeTopic(agent.caller, { topic: "news" });
    await alice.send("topic:news", "x");
    for (const agent of [bob, carl]) expect(await bodies(agent)).toEqual(["x"]);
  });

  it("ai.* matched ai.x.y", async () => {
    const house = await open();
    const [alice, bob] = (await begin(house, "alice", "bob")) as [Agent, Agent];
    await house.rooms.topics.subscribeTopic(bob.caller, { topic: "ai.*" });
    await alice.send("topic:ai.x.y", "too deep");
    await alice.send("topic:ai", "not deep enough");
    await alice.send("topic:ai.x", "right");
    expect(await bodies(bob)).toEqual(["right"]);
  });

  it("topic publishes reached nobody because publisher and subscriber built different keys", async () => {
    const [here, there] = [await open("shared-keys"), await open("shared-keys")];
    const [bob] = (await begin(here, "bob")) as [Agent];
    const [alice] = (await begin(there, "alice")) as [Agent];
    await here.rooms.topics.subscribeTopic(bob.caller, { topic: "#Builds.CI" });
    await alice.send("topic:builds.ci", "x");
    expect(await bodies(bob)).toEqual(["x"]);
  });

  it("heartbeats never refreshed, so everyone went offline at 60 s", async () => {
    const house = await open();
    const [alice] = (await begin(house, "alice")) as [Agent];
    const beats = `{${house.config.namespace}:dir}:heartbeats`;
    const old = house.store.now() - 29_000;
    const [process] = (await house.store.command("ZRANGE", beats, "0", "-1")) as string[];
    await house.store.command("ZADD", beats, old.toFixed(0), process!);
    const beatAt = async (): Promise<number> => Number(await house.store.command("ZSCORE", beats, process!));
    await expect.poll(beatAt, { timeout: 10_000 }).toBeGreaterThan(old + 20_000);
    const { agents } = await house.rooms.agents.findRecipients(alice.caller, { online: true });
    expect(agents.map(({ name }) => name)).toContain("alice");
  });

  it("replay after an outage came out 3, 4, 2, 1, 0", async () => {
    const house = await open();
    const [alice, first] = (await begin(house, "alice", "bob")) as [Agent, Agent];
    for (let n = 0; n < 5; n++) await alice.send("bob", `m${n}`);
    expect((await first.read({ limit: 3 })).messages).toHaveLength(3);
    await house.rooms.runs.end(first.caller);
    const [next] = (await begin(house, "bob")) as [Agent];
    expect(await bodies(next)).toEqual(["m0", "m1", "m2", "m3", "m4"]);
  });

  it("success for unknown recipients", async () => {
    const house = await open();
    const [alice] = (await begin(house, "alice", "reviewer")) as [Agent];
    await expect(alice.send("reviewr", "x")).rejects.toThrow(/^mailbox\.unknown_recipient: .*reviewer/);
    expect((await alice.send("somebody-else", "x")).recipients).toMatchObject([{ opened: true }]);
  });

  it("the same send stored twice", async () => {
    const house = await open();
    const [alice, bob] = (await begin(house, "alice", "bob")) as [Agent, Agent];
    const key = { idempotency_key: "k" };
    const sent = await Promise.all(Array.from({ length: 5 }, () => alice.send("bob", "x", key)));
    expect(new Set(sent.map((one) => one.message_id)).size).toBe(1);
    expect(sent.filter((one) => !one.replayed)).toHaveLength(1);
    expect(await bodies(bob)).toEqual(["x"]);
  });

  it("identity claimed by whoever registers a name: what is not proved is marked, and no argument changes it", async () => {
    const house = await open();
    const [mallory, bob] = (await begin(house, "mallory", "bob")) as [Agent, Agent];
    await mallory.send("bob", "I am alice", { sender: "alice", from: "alice" } as object);
    expect((await bob.read()).messages).toMatchObject([{ from: "mallory", verified: false }]);
  });

  it("permission cache never invalidated in other processes", async () => {
    const namespace = newNamespace();
    const [here, there] = [await open(namespace), await open(namespace)];
    const [owner] = (await begin(here, "owner")) as [Agent];
    const [bob] = (await begin(there, "bob")) as [Agent];
    await bob.send("topic:plans", "allowed");
    await here.topics.setTopic(operator(owner), "plans", { publishers: ["owner"] });
    await expect(bob.send("topic:plans", "not any more")).rejects.toThrow(/^access\.denied/);
    await here.topics.setTopic(operator(owner), "plans", { publishers: ["owner", "bob"] });
    expect((await bob.send("topic:plans", "again")).recipients).toMatchObject([{ state: "stored" }]);
  });

  it("force-deleting a parent topic deadlocked", async () => {
    const house = await open();
    const [alice, bob] = (await begin(house, "alice", "bob")) as [Agent, Agent];
    for (const topic of ["a", "a.b", "a.b.c"]) {
      await house.rooms.topics.subscribeTopic(bob.caller, { topic });
      await alice.send(`topic:${topic}`, topic);
    }
    await Promise.all([
      house.topics.deleteTopic(operator(alice), "a", { force: true }),
      house.topics.deleteTopic(operator(alice), "a.b", { force: true }).catch(() => undefined),
    ]);
    // What lies below stays, and what was delivered to it.
    expect((await house.rooms.topics.listTopics(alice.caller)).map(({ name }) => name)).toEqual(["a.b.c"]);
    expect(await bodies(bob)).toEqual(["a.b.c"]);
  });

  it("a reminder repeated for ever starved real mail", async () => {
    const house = await open();
    const [alice, bob] = (await begin(house, "alice", "bob")) as [Agent, Agent];
    const { message_id: id } = await alice.send("bob", "answer me", { ack_required: true });
    await bob.read();
    let reminded = 0;
    for (let n = 0; n < 6; n++) {
      await alice.send("bob", `mail ${n}`);
      await house.store.command("ZADD", `{${house.config.namespace}:mb:bob}:reminders`, "XX", "1", id);
      const page = await bob.read({ limit: 1 });
      expect(page.messages.map(({ body }) => body)).toEqual([`mail ${n}`]);
      reminded += page.reminders.length;
    }
    expect(reminded).toBe(2);
  });

  it("audit written to a log that failed silently: where no row can be written, nothing is done", async () => {
    const house = await open();
    const [alice, bob] = (await begin(house, "alice", "bob")) as [Agent, Agent];
    const { namespace } = house.config;
    await house.store.command("SET", `{${namespace}:mb:bob}:audit`, "no list of rows");
    await expect(alice.send("bob", "never")).rejects.toThrow();
    await expect(bob.read()).rejects.toThrow();
    await house.store.command("DEL", `{${namespace}:mb:bob}:audit`);
    expect(await bodies(bob)).toEqual([]);
    await alice.send("bob", "now");
    const rows = (await house.store.command("LRANGE", `{${namespace}:mb:bob}:audit`, 0, -1)) as string[];
    expect(rows.map((row) => row.replace(/^.*"a":"([^"]*)".*$/, "$1"))).toEqual([
      "mailbox.read",
      "mailbox.send",
    ]);
    expect(await bodies(bob)).toEqual(["now"]);
  });

  it("replies of three agents in a circle, 398 messages", async () => {
    const house = await open(undefined, { LLM_MAILBOX_MAX_CONVERSATION: "10" });
    const circle = (await begin(house, "ada", "ben", "cyd")) as [Agent, Agent, Agent];
    await circle[0].send("ben", "begin");
    let sent = 1;
    for (let turn = 1; ; turn++) {
      const agent = circle[turn % 3]!;
      const [message] = (await agent.read()).messages;
      const next = circle[(turn + 1) % 3]!.caller.principal.agent;
      const reply = await agent
        .send(next, `turn ${turn}`, { in_reply_to: message!.id })
        .catch((error: Error) => error);
      if (reply instanceof Error) {
        expect(reply.message).toMatch(/^mailbox\.conversation_exhausted/);
        break;
      }
      sent += 1;
      expect(sent).toBeLessThan(20);
    }
    expect(sent).toBe(10);
  });
});
