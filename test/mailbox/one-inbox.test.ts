import { afterEach, expect, it } from "vitest";
import type { House } from "../../src/compose.js";
import { refuse } from "../../src/errors/index.js";
import type { Caller } from "../../src/identity/index.js";
import { Agent, openFaultHouse } from "../faults/fault-house.js";
import { describeOnEachStore } from "../stores/index.js";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describeOnEachStore("direct mail and topics in one inbox", (store) => {
  const houses: House[] = [];
  const open = async (...names: string[]): Promise<{ house: House; agents: Agent[] }> => {
    const house = await openFaultHouse(store().url);
    houses.push(house);
    return { house, agents: await Promise.all(names.map((name) => Agent.begin(house, name))) };
  };
  afterEach(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
  });
  const follow = ({ house, caller }: Agent, topic: string): Promise<unknown> =>
    house.rooms.topics.subscribeTopic(caller, { topic });
  /** Has the agent miss some messages of a topic. */
  const miss = async (reader: Agent, writer: Agent, topic: string, count: number): Promise<void> => {
    await follow(reader, topic);
    for (let n = 0; n < count; n++) await writer.send(`topic:${topic}`, `${n}`, { ttl_seconds: 1 });
    await pause(1_200);
  };
  const bodies = async (agent: Agent, input = {}): Promise<string[]> =>
    (await agent.read(input)).messages.map(({ body }) => body);
  const remindSoon = ({ house, caller }: Agent, id: string): Promise<unknown> =>
    house.store.command(
      "ZADD",
      `{${house.config.namespace}:mb:${caller.principal.agent}}:reminders`,
      "XX",
      "1",
      id,
    );

  it("tells what was missed with the end of a wait in which nothing came", async () => {
    const { agents } = await open("alice", "bob");
    const [alice, bob] = agents as [Agent, Agent];
    await miss(bob, alice, "news", 3);
    expect(await bob.read({ wait_seconds: 1 })).toMatchObject({
      timed_out: true,
      gaps: [{ topic: "news", missed: 3 }],
    });
    expect((await bob.read()).gaps).toEqual([]);
  });

  it("tells what was missed with what came meanwhile", async () => {
    const { agents } = await open("alice", "bob");
    const [alice, bob] = agents as [Agent, Agent];
    await miss(bob, alice, "news", 2);
    const waiting = bob.read({ wait_seconds: 20 });
    await pause(300);
    await alice.send("bob", "hello");
    expect(await waiting).toMatchObject({
      messages: [{ body: "hello" }],
      gaps: [{ topic: "news", missed: 2 }],
    });
  });

  it("reminds with the end of a wait in which nothing came, and after one that was cut off", async () => {
    const { house, agents } = await open("alice", "bob");
    const [alice, bob] = agents as [Agent, Agent];
    const { message_id: id } = await alice.send("bob", "please", { ack_required: true });
    await bob.read();
    await remindSoon(bob, id);
    expect((await bob.read({ wait_seconds: 1 })).reminders).toMatchObject([{ id }]);
    await remindSoon(bob, id);
    const gone = new AbortController();
    const waiting = house.rooms.mail.readInbox(
      bob.caller,
      { wait_seconds: 20 },
      { maxChars: 10_000, signal: gone.signal },
    );
    await pause(300);
    gone.abort();
    expect((await waiting).reminders).toEqual([]);
    expect((await bob.read()).reminders).toMatchObject([{ id }]);
    expect((await bob.read()).reminders).toEqual([]);
  });

  it("tells again what was missed, and reminds again, where the reply reached nobody", async () => {
    const { house, agents } = await open("alice", "bob");
    const [alice, bob] = agents as [Agent, Agent];
    const { mail } = house.rooms;
    const { message_id: id } = await alice.send("bob", "please", { ack_required: true });
    await bob.read();
    await miss(bob, alice, "news", 3);
    await remindSoon(bob, id);
    const told = { reminders: [{ id }], gaps: [{ topic: "news", missed: 3 }] };
    const lost = async (): Promise<unknown> => {
      const inbox = await mail.readInbox(bob.caller, {}, { maxChars: 10_000 });
      mail.confirm(bob.caller, inbox.batch!, false);
      return inbox;
    };
    // Without a message as well as with one.
    expect(await lost()).toMatchObject({ ...told, messages: [] });
    await alice.send("bob", "hello");
    expect(await lost()).toMatchObject({ ...told, messages: [{ body: "hello" }] });
    expect(await bob.read()).toMatchObject({ ...told, messages: [{ body: "hello" }] });
    expect(await bob.read()).toMatchObject({ reminders: [], gaps: [], messages: [] });
  });

  it("reminds nobody of what another run of the agent has settled", async () => {
    const { house, agents } = await open("alice", "bob");
    const [alice, bob] = agents as [Agent, Agent];
    const [one, two] = [
      await alice.send("bob", "one", { ack_required: true }),
      await alice.send("bob", "two", { ack_required: true }),
    ].map(({ message_id }) => message_id) as [string, string];
    await bob.read();
    for (const id of [one, two]) await remindSoon(bob, id);
    const lost = await house.rooms.mail.readInbox(bob.caller, {}, { maxChars: 10_500 });
    expect(lost.reminders).toHaveLength(2);
    house.rooms.mail.confirm(bob.caller, lost.batch!, false);
    await (await Agent.begin(house, "bob")).ack(one, "done");
    expect((await bob.read()).reminders).toMatchObject([{ id: two }]);
  });

  it("tells once of what is urgent, also where topics have it", async () => {
    const { house, agents } = await open("alice", "bob");
    const [alice, bob] = agents as [Agent, Agent];
    for (const topic of ["ops.x", "ops.y"]) {
      await follow(bob, topic);
      for (let n = 0; n < 2; n++) await alice.send(`topic:${topic}`, `${n}`, { priority: "urgent" });
    }
    expect(await bob.read({ limit: 3 })).toMatchObject({ messages: [{}, {}, {}], unread: 1, urgent: 1 });
    // Something happens in that root that is not for it.
    await alice.send("topic:ops.z", "for others");
    await pause(300);
    expect(await house.rooms.mail.news(bob.caller)).toBeUndefined();
    await alice.send("topic:ops.x", "more", { priority: "urgent" });
    await expect.poll(() => house.rooms.mail.news(bob.caller)).toEqual({ unread: 2, urgent: 2 });
  });

  it("tells again what a busy topic left out, where the reply reached nobody", async () => {
    const { house, agents } = await open("alice", "bob");
    const [alice, bob] = agents as [Agent, Agent];
    await follow(bob, "news");
    for (let n = 0; n < 40; n++) await alice.send("topic:news", `${n}`);
    const lost = await house.rooms.mail.readInbox(bob.caller, {}, { maxChars: 10_000 });
    house.rooms.mail.confirm(bob.caller, lost.batch!, false);
    expect(await bob.read()).toMatchObject({
      messages: [{ body: "37" }, { body: "38" }, { body: "39" }],
      collapsed: [{ topic: "news", count: 37 }],
    });
    expect(await bob.read()).toMatchObject({ messages: [], collapsed: [] });
  });

  it("shows what was told to nobody to whoever only looks, and tells it to whoever reads", async () => {
    const { house, agents } = await open("alice", "bob");
    const [alice, bob] = agents as [Agent, Agent];
    await miss(bob, alice, "old", 3);
    const gone = new AbortController();
    const wait = { maxChars: 10_000, signal: gone.signal };
    const waiting = house.rooms.mail.readInbox(bob.caller, { wait_seconds: 20 }, wait);
    await pause(300);
    gone.abort();
    expect((await waiting).gaps).toEqual([]);
    await follow(bob, "news");
    for (let n = 0; n < 40; n++) await alice.send("topic:news", `${n}`);
    const lost = await house.rooms.mail.readInbox(bob.caller, {}, { maxChars: 10_000 });
    house.rooms.mail.confirm(bob.caller, lost.batch!, false);
    const told = { gaps: [{ topic: "old", missed: 3 }], collapsed: [{ topic: "news", count: 37 }] };
    for (let looks = 0; looks < 2; looks++) expect(await bob.read({ peek: true })).toMatchObject(told);
    // What was missed since then is counted with it.
    for (const body of ["more", "still more"]) await alice.send("topic:old", body, { ttl_seconds: 1 });
    await pause(1_200);
    const more = { ...told, gaps: [{ topic: "old", missed: 5 }] };
    expect(await bob.read({ peek: true })).toMatchObject(more);
    expect(await bob.read()).toMatchObject(more);
    expect(await bob.read({ peek: true })).toMatchObject({ gaps: [], collapsed: [], reminders: [] });
  });

  it("reminds nobody of what was settled before the reminder was in a reply", async () => {
    const { house, agents } = await open("alice", "bob");
    const [alice, bob] = agents as [Agent, Agent];
    const { mail } = house.rooms;
    const due = async (): Promise<string> => {
      const { message_id: id } = await alice.send("bob", "please", { ack_required: true, again: true });
      await bob.read();
      await remindSoon(bob, id);
      return id;
    };
    const first = await due();
    const gone = new AbortController();
    const cut = { maxChars: 10_000, signal: gone.signal };
    const waiting = mail.readInbox(bob.caller, { wait_seconds: 20 }, cut);
    await pause(300);
    gone.abort();
    await waiting;
    await bob.ack(first, "done");
    expect((await bob.read()).reminders).toEqual([]);
    const second = await due();
    const inbox = await mail.readInbox(bob.caller, {}, { maxChars: 10_000 });
    expect(inbox.reminders).toMatchObject([{ id: second }]);
    await bob.send("alice", "an answer", { in_reply_to: second });
    mail.confirm(bob.caller, inbox.batch!, false);
    expect((await bob.read()).reminders).toEqual([]);
  });

  it("reminds also where the look had to go on for a filter", async () => {
    const { house, agents } = await open("alice", "bob");
    const [alice, bob] = agents as [Agent, Agent];
    const { message_id: id } = await alice.send("bob", "please", { ack_required: true });
    await bob.read();
    await remindSoon(bob, id);
    // More than one look goes through.
    const gone = Array.from({ length: 1_000 }, (_, n) => [`${n + 1}`, `gone-${n}`]).flat();
    await house.store.command("ZADD", `{${house.config.namespace}:mb:bob}:ready:1`, ...gone);
    expect(await bob.read({ sender: "carl" })).toMatchObject({ messages: [], reminders: [{ id }] });
  });

  it("shows what was missed to whoever only looks, and tells it to whoever reads", async () => {
    const { agents } = await open("alice", "bob");
    const [alice, bob] = agents as [Agent, Agent];
    await miss(bob, alice, "news", 3);
    const missed = [{ topic: "news", missed: 3 }];
    for (let n = 0; n < 2; n++)
      expect(await bob.read({ peek: true })).toMatchObject({ unread: 0, gaps: missed });
    expect((await bob.read()).gaps).toMatchObject(missed);
    expect((await bob.read({ peek: true })).gaps).toEqual([]);
  });

  it("shows the most urgent first to whoever only looks, wherever it was sent", async () => {
    const { agents } = await open("alice", "bob");
    const [alice, bob] = agents as [Agent, Agent];
    await follow(bob, "news");
    for (let n = 0; n < 3; n++) await alice.send("bob", `mail ${n}`);
    await alice.send("topic:news", "now", { priority: "urgent" });
    expect(await bodies(bob, { peek: true, limit: 2 })).toEqual(["now", "mail 0"]);
  });

  it("counts as unread neither what a busy topic left out nor what it has just delivered", async () => {
    const { agents } = await open("alice", "bob");
    const [alice, bob] = agents as [Agent, Agent];
    await follow(bob, "news");
    await follow(bob, "quiet");
    for (let n = 0; n < 40; n++)
      await alice.send("topic:news", `${n}`, n === 39 ? { priority: "urgent" } : {});
    for (let n = 0; n < 10; n++) await alice.send("bob", `mail ${n}`);
    const page = await bob.read();
    expect(page).toMatchObject({ unread: 3, urgent: 0, collapsed: [{ topic: "news", count: 37 }] });
    expect(page.messages).toHaveLength(10);
  });

  it("counts of what a busy topic left out only what was unread, and all that waits elsewhere", async () => {
    const { agents } = await open("alice", "bob");
    const [alice, bob] = agents as [Agent, Agent];
    await follow(bob, "busy.x");
    await follow(bob, "quiet.x");
    for (let n = 0; n < 60; n++)
      await alice.send("topic:busy.x", `busy ${n}`, n >= 30 && n < 50 ? { ttl_seconds: 1 } : {});
    for (let n = 0; n < 10; n++) await alice.send("topic:quiet.x", `quiet ${n}`);
    await pause(1_200);
    const page = await bob.read();
    expect(page).toMatchObject({ unread: 3, collapsed: [{ topic: "busy.x", count: 57 }] });
    expect(await bodies(bob)).toEqual(["quiet 7", "quiet 8", "quiet 9"]);
  });

  it("tells that a busy topic left something out with the page that passes it over, and not before", async () => {
    const { house, agents } = await open("alice", "bob");
    const [alice, bob] = agents as [Agent, Agent];
    await follow(bob, "news");
    await alice.send("topic:news", "given back");
    const { batch } = await house.rooms.mail.readInbox(bob.caller, {}, { maxChars: 10_500 });
    house.rooms.mail.confirm(bob.caller, batch!, false);
    for (let n = 0; n < 40; n++) await alice.send("topic:news", `${n}`);
    expect(await bob.read({ limit: 1 })).toMatchObject({
      messages: [{ body: "given back" }],
      unread: 40,
      collapsed: [],
    });
    expect(await bob.read({ limit: 3 })).toMatchObject({
      messages: [{ body: "37" }, { body: "38" }, { body: "39" }],
      unread: 0,
      collapsed: [{ topic: "news", count: 37 }],
    });
  });

  it("passes over what a busy topic left out also with a page that has something given back between", async () => {
    const { house, agents } = await open("alice", "bob");
    const [alice, bob] = agents as [Agent, Agent];
    await follow(bob, "news");
    for (let n = 0; n < 29; n++)
      await alice.send("topic:news", `${n}`, n === 7 ? { priority: "urgent" } : {});
    const { batch } = await house.rooms.mail.readInbox(
      bob.caller,
      { min_priority: "urgent" },
      { maxChars: 10_500 },
    );
    house.rooms.mail.confirm(bob.caller, batch!, false);
    const page = await bob.read();
    expect(page.messages.map(({ body }) => body).sort()).toEqual(["26", "27", "28", "7"]);
    expect(page).toMatchObject({ unread: 0, collapsed: [{ topic: "news", count: 25 }] });
    expect(await bob.read()).toMatchObject({ messages: [], unread: 0, collapsed: [] });
  });

  it("delivers what is behind topics that have only what was missed", async () => {
    const { agents } = await open("alice", "bob");
    const [alice, bob] = agents as [Agent, Agent];
    // More roots than one look has room for.
    for (let n = 10; n < 42; n++) {
      await follow(bob, `a${n}.x`);
      await alice.send(`topic:a${n}.x`, "over", { ttl_seconds: 1 });
    }
    await follow(bob, "z.x");
    await alice.send("topic:z.x", "here");
    await pause(1_200);
    const inbox = await bob.read();
    expect(inbox.messages).toMatchObject([{ body: "here" }]);
    expect(inbox.gaps).toHaveLength(32);
  });

  it("settles a long message of a topic once it was read to its end", async () => {
    const { agents } = await open("alice", "bob");
    const [alice, bob] = agents as [Agent, Agent];
    await follow(bob, "news");
    const { message_id: id } = await alice.send("topic:news", "x".repeat(25_000));
    expect(await bob.read()).toMatchObject({ messages: [{ id, cut: true }] });
    // Not by the next page alone.
    expect((await bob.read()).open).toBe(1);
    for (let offset: number | undefined = 0; offset !== undefined; )
      offset = (await bob.read({ message_id: id, offset })).part!.next_offset;
    expect((await bob.read()).open).toBe(0);
    const again = await Agent.begin(bob.house, "bob");
    await bob.house.rooms.runs.end(bob.caller);
    expect(await bodies(again)).toEqual([]);
  });

  it("does not deliver again what expired since it was given back, and tells it with what was missed", async () => {
    const { house, agents } = await open("alice", "bob");
    const [alice, bob] = agents as [Agent, Agent];
    await follow(bob, "news");
    await alice.send("topic:news", "soon over", { ttl_seconds: 1 });
    const { batch } = await house.rooms.mail.readInbox(bob.caller, {}, { maxChars: 10_000 });
    house.rooms.mail.confirm(bob.caller, batch!, false);
    await pause(1_200);
    const again = await Agent.begin(house, "bob");
    expect(await again.read({ peek: true })).toMatchObject({ messages: [], unread: 0 });
    const missed = { topic: "news", missed: 1 };
    expect(await again.read()).toMatchObject({ messages: [], unread: 0, open: 0, gaps: [missed] });
    expect(await again.read()).toMatchObject({ messages: [], gaps: [] });
  });

  it("filters what is open by everything that was asked for", async () => {
    const { agents } = await open("alice", "bob", "carl");
    const [alice, bob, carl] = agents as [Agent, Agent, Agent];
    await follow(bob, "news");
    await follow(bob, "ops.*");
    await alice.send("topic:news", "news of alice");
    const { message_id: thread } = await carl.send("topic:ops.x", "ops of carl", { priority: "urgent" });
    await alice.send("bob", "mail of alice");
    await carl.send("bob", "mail of carl");
    await bob.read();
    const opened = async (more: object): Promise<string[]> =>
      (await bodies(bob, { redeliver: true, ...more })).sort();
    expect(await opened({})).toHaveLength(4);
    expect(await opened({ sender: "carl" })).toEqual(["mail of carl", "ops of carl"]);
    expect(await opened({ topic: "ops.*" })).toEqual(["ops of carl"]);
    expect(await opened({ topic: "#news" })).toEqual(["news of alice"]);
    expect(await opened({ min_priority: "high" })).toEqual(["ops of carl"]);
    expect(await opened({ thread })).toEqual(["ops of carl"]);
    await alice.send("topic:news", "more");
    expect(await bob.read({ redeliver: true, sender: "nobody" })).toMatchObject({ unread: 1, open: 4 });
  });

  it("goes through all that is open, page by page, whatever is long, settled or prolonged meanwhile", async () => {
    const { agents } = await open("alice", "bob");
    const [alice, bob] = agents as [Agent, Agent];
    await follow(bob, "news");
    const all: string[] = [];
    for (let n = 0; n < 30; n++) {
      const body = n === 3 ? "x".repeat(20_000) : `${n}`;
      const more = { ack_required: true };
      all.push((await alice.send(n % 3 ? "bob" : "topic:news", body, n % 3 ? more : {})).message_id);
    }
    while ((await bob.house.rooms.mail.readInbox(bob.caller, {}, { maxChars: 10_500 })).messages.length > 0);
    const pages = async (
      limit: number,
      meanwhile: (page: string[]) => Promise<unknown>,
    ): Promise<string[]> => {
      const found: string[] = [];
      for (let after: string | undefined = ""; after !== undefined; ) {
        const page = await bob.read({ redeliver: true, limit, ...(after ? { after } : {}) });
        const ids = page.messages.map(({ id }) => id);
        found.push(...ids);
        await meanwhile(ids);
        after = page.next;
      }
      return found;
    };
    expect(await pages(20, async () => undefined)).toEqual(all);
    expect(await pages(4, ([first]) => bob.ack(first!, "extend"))).toEqual(all);
    expect(await pages(7, (ids) => bob.house.rooms.mail.ackMessages(bob.caller, { ids }))).toEqual(all);
    expect(await bob.read({ redeliver: true })).toMatchObject({ messages: [], open: 0 });
    for (const after of ["open:", "open:x:y", `open:1:${"x".repeat(99)}`])
      await expect(bob.read({ redeliver: true, after })).rejects.toThrow(/^input\.invalid/);
  });

  it("refuses a topic that is none, also where nothing is followed", async () => {
    const { agents } = await open("bob");
    const [bob] = agents as [Agent];
    for (const more of [{}, { peek: true }, { redeliver: true }])
      await expect(bob.read({ topic: "a..b", ...more })).rejects.toThrow(/^address\.pattern_invalid/);
    await follow(bob, "news");
    await expect(bob.read({ topic: "a..b" })).rejects.toThrow(/^address\.pattern_invalid/);
  });

  it("shows as recalled what was taken back by a process that died before it noted that", async () => {
    const { house, agents } = await open("alice", "bob", "carl");
    const [alice, bob] = agents as [Agent, Agent];
    const { mail, store, config } = house;
    const { recallMessage } = await import("../../src/mailbox/index.js");
    const { flushOutbox } = await import("../../src/mailbox/outbox.js");
    const run = store.run.bind(store);
    let broken = ["send-message", "publish-message"];
    store.run = async (script, ...rest) => {
      if (broken.includes(script.name)) refuse("store.unavailable");
      return run(script, ...rest);
    };
    const operator: Caller = {
      ...alice.caller,
      principal: { ...alice.caller.principal, roles: ["admin"] },
    };
    const to = ["bob", "carl", "topic:news"];
    const { message_id: id } = await alice.send(to, "a slip");
    broken = ["note-recall"];
    await expect(recallMessage(mail, operator, "alice", id)).rejects.toThrow(/^store\.unavailable/);
    broken = [];
    await flushOutbox(mail, config.namespace, "alice");
    expect(await store.command("HLEN", `{${config.namespace}:mb:alice}:outbox`)).toBe(0);
    const { messages } = await house.rooms.mail.searchMessages(alice.caller, { sent: true });
    expect(messages).toMatchObject([
      { id, excerpt: "a slip", states: to.map((one) => ({ to: one, state: "recalled" })) },
    ]);
    expect(await bodies(bob)).toEqual([]);
    expect(await recallMessage(mail, operator, "alice", id)).toEqual({ recalled: to, delivered: [] });
  });

  it("takes back what waits in the outbox from agents and topics, and its sender alone still sees it", async () => {
    const { house, agents } = await open("alice", "bob", "carl");
    const [alice, bob] = agents as [Agent, Agent];
    await follow(bob, "news");
    const { mail, store, config } = house;
    const { recallMessage } = await import("../../src/mailbox/index.js");
    const { flushOutbox } = await import("../../src/mailbox/outbox.js");
    const run = store.run.bind(store);
    let away = true;
    store.run = async (script, ...rest) => {
      if (away && ["send-message", "publish-message"].includes(script.name)) refuse("store.unavailable");
      return run(script, ...rest);
    };
    const operator: Caller = {
      ...alice.caller,
      principal: { ...alice.caller.principal, roles: ["admin"] },
    };
    for (const to of [
      ["bob", "carl"],
      ["bob", "topic:news"],
      ["topic:news", "topic:other"],
    ]) {
      const send = () => alice.send(to, `to ${to}`, { idempotency_key: `${to}`, priority: "high" });
      const states = (state: string): object => ({ id, states: to.map((one) => ({ to: one, state })) });
      const seen = async (): Promise<unknown> =>
        (await house.rooms.mail.searchMessages(alice.caller, { sent: true, query: `to ${to}` })).messages[0];
      away = true;
      const { message_id: id } = await send();
      expect(await seen()).toMatchObject(states("pending"));
      for (let n = 0; n < 2; n++)
        expect(await recallMessage(mail, operator, "alice", id)).toEqual({ recalled: to, delivered: [] });
      away = false;
      await flushOutbox(mail, config.namespace, "alice");
      expect(await store.command("HLEN", `{${config.namespace}:mb:alice}:outbox`)).toBe(0);
      expect(await seen()).toMatchObject(states("recalled"));
      expect((await alice.read({ message_id: id })).messages).toMatchObject([
        { body: `to ${to}`, priority: "high" },
      ]);
      // Its repetition changes nothing of that.
      expect(await send()).toMatchObject({ message_id: id, replayed: true });
      expect(await seen()).toMatchObject(states("recalled"));
      expect(await recallMessage(mail, operator, "alice", id)).toEqual({ recalled: to, delivered: [] });
      expect(await bodies(bob)).toEqual([]);
      expect((await house.rooms.mail.searchMessages(bob.caller, { topic: "news" })).messages).toEqual([]);
      await expect(bob.read({ message_id: id })).rejects.toThrow(/^mailbox\.not_yours/);
    }
    // What is there is not taken back, and what was accepted before is told apart.
    const { message_id: there } = await alice.send(["bob", "topic:news"], "published");
    expect(await recallMessage(mail, operator, "alice", there)).toEqual({
      recalled: ["bob"],
      delivered: ["topic:news"],
    });
    expect(await bodies(bob)).toEqual(["published"]);
  });

  it("keeps what was taken back from whoever it was sent to", async () => {
    const { house, agents } = await open("alice", "bob");
    const [alice, bob] = agents as [Agent, Agent];
    const operator: Caller = {
      ...alice.caller,
      principal: { ...alice.caller.principal, roles: ["admin"] },
    };
    const { message_id: id } = await alice.send(["bob", "queue:jobs"], "a slip");
    const { recallMessage } = await import("../../src/mailbox/index.js");
    expect(await recallMessage(house.mail, operator, "alice", id)).toMatchObject({
      recalled: ["bob", "queue:jobs"],
    });
    const { mail } = house.rooms;
    expect((await mail.searchMessages(bob.caller, {})).messages).toEqual([]);
    expect((await mail.thread(bob.caller, id)).messages).toEqual([]);
    await expect(bob.read({ message_id: id })).rejects.toThrow(/^mailbox\.not_yours/);
    await expect(mail.messageById(bob.caller, id)).rejects.toThrow(/^mailbox\.not_yours/);
    await expect(bob.send("alice", "what?", { in_reply_to: id })).rejects.toThrow(/^mailbox\.not_yours/);
    // Its sender sees what became of it.
    expect((await mail.messageById(alice.caller, id)).states).toEqual([
      { to: "bob", state: "recalled" },
      { to: "queue:jobs", state: "recalled" },
    ]);
  });
});
