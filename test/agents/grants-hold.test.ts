import { afterEach, expect, it } from "vitest";
import { type House, openHouse } from "../../src/compose.js";
import { readConfig } from "../../src/config/index.js";
import { type Caller, localPrincipal, type Role } from "../../src/identity/index.js";
import {
  type ReadInbox,
  readAttachment,
  type SendMessage,
  uploadAttachment,
} from "../../src/mailbox/index.js";
import type { WatchTarget } from "../../src/mcp/index.js";
import { openLog } from "../../src/observability/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";
import { changeGrants, type Rule, removeGrants } from "./change-grants.js";

interface Desk {
  readonly caller: Caller;
  send(to: string | string[], body: string, more?: Partial<SendMessage>): Promise<string>;
  read(input?: ReadInbox): ReturnType<House["rooms"]["mail"]["readInbox"]>;
  bodies(input?: ReadInbox): Promise<string[]>;
  follow(topic: string, more?: object): ReturnType<House["rooms"]["topics"]["subscribeTopic"]>;
}

describeOnEachStore("what was granted", (store) => {
  const houses: House[] = [];
  const open = async (): Promise<House> => {
    const namespace = newNamespace();
    const config = readConfig({
      REDIS_URL: store().url,
      LLM_MAILBOX_ALLOW_UNVERIFIED: "1",
      LLM_MAILBOX_NAMESPACE: namespace,
    });
    const house = await openHouse(config, openLog("error"));
    houses.push(house);
    return house;
  };
  const desk = async (house: House, agent: string, ...roles: Role[]): Promise<Desk> => {
    const principal = localPrincipal(house.config.namespace, agent);
    const caller = await house.rooms.runs.begin(roles.length > 0 ? { ...principal, roles } : principal);
    const { mail, topics } = house.rooms;
    const read: Desk["read"] = async (input = {}) => {
      const inbox = await mail.readInbox(caller, input, { maxChars: 10_500 });
      if (inbox.batch) mail.confirm(caller, inbox.batch, true);
      return inbox;
    };
    return {
      caller,
      read,
      send: async (to, body, more) =>
        (await mail.sendMessage(caller, { to: typeof to === "string" ? [to] : to, body, ...more }))
          .message_id,
      bodies: async (input) => (await read(input)).messages.map(({ body }) => body),
      follow: (topic, more) => topics.subscribeTopic(caller, { topic, ...more }),
    };
  };
  const rule = (house: House, ...rules: Rule[]): Promise<readonly string[]> =>
    changeGrants(house.access, house.config.namespace, ...rules);
  const unrule = (house: House, ids: readonly string[]): Promise<void> =>
    removeGrants(house.access, house.config.namespace, ids);
  const refusalOf = async (call: Promise<unknown>): Promise<string> =>
    call.then(
      () => "done",
      (error: Error) => error.message,
    );
  afterEach(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
  });

  it("lets observers read and send nothing, and approvers write to agents alone", async () => {
    const house = await open();
    const olga = await desk(house, "olga", "observer");
    const paul = await desk(house, "paul", "approver");
    const alice = await desk(house, "alice");
    await alice.send("topic:news", "hello");
    for (const [who, name] of [
      [olga, "olga"],
      [paul, "paul"],
    ] as const) {
      await who.follow("news", { start_at: "earliest" });
      await alice.send(name, `for ${name}`);
      expect(await who.bodies()).toEqual([`for ${name}`, "hello"]);
      for (const to of ["topic:news", "queue:q", "everyone"])
        expect(await refusalOf(who.send(to, "x"))).toMatch(/^access.denied/);
      expect(await refusalOf(who.read({ mailbox: "queue:q" }))).toMatch(/^access.denied/);
    }
    expect(await refusalOf(olga.send("alice", "x"))).toMatch(/^access.denied/);
    await paul.send("alice", "yes, go on");
    expect(await alice.bodies()).toEqual(["yes, go on"]);
  });

  it("refuses a send to several whole where one may not be written to, and stores nothing", async () => {
    const house = await open();
    const [alice, bob, carol] = [
      await desk(house, "alice"),
      await desk(house, "bob"),
      await desk(house, "carol"),
    ];
    await rule(house, ["deny", "alice", "send", "carol"]);
    expect(await refusalOf(alice.send(["bob", "topic:news", "carol"], "x"))).toBe(
      "access.denied: alice may not mailbox.send carol. Ask the operator for a grant.",
    );
    expect(await bob.bodies()).toEqual([]);
    expect(await carol.bodies()).toEqual([]);
    expect(await house.topics.findTopics(bob.caller)).toEqual([]);
    expect((await house.rooms.mail.searchMessages(alice.caller, { sent: true })).messages).toEqual([]);
  });

  it("broadcasts for whoever was granted everyone, but never to whom a deny keeps from it", async () => {
    const house = await open();
    const [alice, bob, carol] = [
      await desk(house, "alice"),
      await desk(house, "bob"),
      await desk(house, "carol"),
    ];
    await rule(house, ["allow", "alice", "send", "everyone"], ["deny", "alice", "send", "carol"]);
    await alice.send("everyone", "all hands");
    expect(await bob.bodies()).toEqual(["all hands"]);
    expect(await carol.bodies()).toEqual([]);
  });

  it("skips at delivery what may not be read, counts nothing of it, and does not bring it later", async () => {
    const house = await open();
    const [alice, bob] = [await desk(house, "alice"), await desk(house, "bob")];
    await bob.follow("**");
    await alice.send("topic:plans.secret.x", "before, not yet read");
    const ids = await rule(house, ["deny", "bob", "follow", "topic:plans.secret"]);
    await alice.send("topic:plans.secret", "hidden 1", { priority: "urgent" });
    await alice.send("topic:plans.secret.y", "hidden 2");
    expect(await house.rooms.mail.news(bob.caller)).toBeUndefined();
    expect(await house.rooms.agents.myStatus(bob.caller, {})).toMatchObject({
      unread: 0,
      urgent: 0,
      open: 0,
    });
    expect(await bob.read()).toMatchObject({ messages: [], unread: 0, urgent: 0, gaps: [], collapsed: [] });
    await alice.send("topic:plans.open", "shown");
    expect(await bob.read()).toMatchObject({ messages: [{ body: "shown" }], unread: 0, open: 1 });
    await unrule(house, ids);
    expect(await bob.bodies()).toEqual([]);
    // In the history it can be read again.
    const page = await house.rooms.topics.history(bob.caller, "plans.secret", { limit: 5 });
    expect(page.messages.map(({ body }) => body)).toEqual(["hidden 1"]);
  });

  it("delivers what was published while it was hidden, if nobody looked meanwhile", async () => {
    const house = await open();
    const [alice, bob] = [await desk(house, "alice"), await desk(house, "bob")];
    await bob.follow("plans.*");
    const ids = await rule(house, ["deny", "bob", "follow", "topic:plans.**"]);
    await alice.send("topic:plans.x", "published while denied");
    await unrule(house, ids);
    expect(await bob.bodies()).toEqual(["published while denied"]);
  });

  it("skips also what the access list of a topic hides, whatever else was there", async () => {
    const house = await open();
    const [alice, bob] = [await desk(house, "alice"), await desk(house, "bob")];
    const operator = { ...alice.caller, principal: { ...alice.caller.principal, roles: ["admin" as const] } };
    await bob.follow("plans.**");
    await house.topics.createTopic(operator, "plans.x", { readers: ["alice"] });
    await alice.send("topic:plans.x", "hidden by the list");
    expect(await bob.read()).toMatchObject({ messages: [], unread: 0 });
    await house.topics.setTopic(operator, "plans.x", { readers: "everyone" });
    expect(await bob.bodies()).toEqual([]);
    await alice.send("topic:plans.x", "shown");
    expect(await bob.bodies()).toEqual(["shown"]);
  });

  it("leaves open what was delivered, to be read again and settled, and holds back what has to be delivered again", async () => {
    const house = await open();
    const [alice, bob] = [await desk(house, "alice"), await desk(house, "bob")];
    await bob.follow("plans.**");
    await alice.send("topic:plans.x", "open");
    await alice.send("topic:plans.y", "given back");
    const { messages } = await bob.read();
    const ids = await rule(house, ["deny", "bob", "follow", "topic:plans"]);
    const again = await bob.read({ redeliver: true });
    expect(again.messages.map(({ body }) => body)).toEqual(["open", "given back"]);
    const settled = async (id: string, outcome: "done" | "retry") =>
      (await house.rooms.mail.ackMessages(bob.caller, { ids: [id], outcome })).results[0]?.state;
    expect(await settled(messages[0]!.id, "done")).toBe("settled");
    expect(await settled(messages[1]!.id, "retry")).toBe("retrying");
    expect(await bob.read()).toMatchObject({ messages: [], unread: 0 });
    await unrule(house, ids);
    expect(await bob.bodies({ wait_seconds: 20 })).toEqual(["given back"]);
  });

  it("keeps a pattern from being followed where a deny means all of it, and the topics of it out of every list", async () => {
    const house = await open();
    const [alice, bob] = [await desk(house, "alice"), await desk(house, "bob")];
    const hidden = await alice.send("topic:plans.secret", "x");
    await alice.send("topic:plans.open", "y");
    await rule(house, ["deny", "bob", "topic.*", "topic:plans.secret"]);
    for (const topic of ["plans.secret", "plans.secret.*", "plans.secret.**", "plans.secret.never.was"])
      expect(await refusalOf(bob.follow(topic))).toBe(
        `access.denied: bob may not topic.read topic:${topic}. Ask the operator for a grant.`,
      );
    const receipt = await bob.follow("plans.**", { start_at: "earliest" });
    expect(receipt).toMatchObject({ topics: ["plans", "plans.open"], topics_total: 2 });
    // A message of a hidden topic is no place to begin at: whether it exists is not told.
    const noPlace = async (id: string) =>
      (await refusalOf(bob.follow("**", { start_at: id }))).replace(id, "ID");
    expect(await noPlace(hidden)).toBe(await noPlace("1kq0x3v9a2-0a1b2c3d4e5f6"));
    const { rooms } = house;
    expect((await rooms.topics.listTopics(bob.caller)).map(({ name }) => name)).toEqual([
      "plans",
      "plans.open",
    ]);
    expect((await rooms.agents.findRecipients(bob.caller, {})).topics).toEqual([
      { name: "plans" },
      { name: "plans.open" },
    ]);
    const found = await house.topics.feed.search(bob.caller, { topic: "**", limit: 9 });
    expect(found.deliveries.map(({ message }) => message.body)).toEqual(["y"]);
    for (const topic of ["plans.secret", "plans.secret.never.was"]) {
      expect(await refusalOf(rooms.topics.history(bob.caller, topic, { limit: 1 }))).toMatch(
        /^access.denied/,
      );
      expect(await refusalOf(rooms.mail.searchMessages(bob.caller, { topic }))).toMatch(/^access.denied/);
      expect(await refusalOf(bob.send(`topic:${topic}`, "x"))).toMatch(/^access.denied/);
    }
  });

  it("answers alike for a message that may not be read and for one that is nowhere", async () => {
    const house = await open();
    const [alice, bob] = [await desk(house, "alice"), await desk(house, "bob")];
    const { mail } = house.rooms;
    const inTopic = await alice.send("topic:plans.secret", "x");
    const job = await alice.send("queue:builds", "a job");
    await bob.read({ mailbox: "queue:builds" });
    await rule(
      house,
      ["deny", "bob", "follow", "topic:plans.secret"],
      ["deny", "bob", "read", "queue:builds"],
    );
    // Another run: this one was given the job and knows of it.
    const later = await desk(house, "bob");
    const nowhere = "1kq0x3v9a2-0a1b2c3d4e5f6";
    for (const ask of [
      (id: string) => mail.messageById(later.caller, id),
      (id: string) => later.read({ message_id: id }),
      (id: string) => later.send("alice", "re", { in_reply_to: id }),
      (id: string) => readAttachment(house.mail, later.caller, id, "at-1kq0x3v8zz-0f6e5d4c3b2a1"),
    ]) {
      const refusals = await Promise.all([inTopic, job, nowhere].map((id) => refusalOf(ask(id))));
      expect(refusals[0]).toMatch(/^mailbox.not_yours/);
      expect(new Set(refusals).size).toBe(1);
    }
    expect(
      (await mail.ackMessages(later.caller, { ids: [job, nowhere] })).results.map((one) => one.refusal?.code),
    ).toEqual(["mailbox.not_yours", "mailbox.not_yours"]);
    // The run that took the job may not work on it either.
    expect((await mail.ackMessages(bob.caller, { ids: [job] })).results[0]?.refusal?.code).toBe(
      "mailbox.not_yours",
    );
    expect(await refusalOf(bob.send("alice", "re", { in_reply_to: job }))).toMatch(/^mailbox.not_yours/);
  });

  it("lets an attachment be read only through a message that may be read", async () => {
    const house = await open();
    const [alice, bob] = [await desk(house, "alice"), await desk(house, "bob")];
    const file = await uploadAttachment(house.mail, alice.caller, {
      name: "a.txt",
      content: [Buffer.from("text")],
    });
    const id = await alice.send("topic:plans.x", "see the file", { attachments: [file.id] });
    const read = () => readAttachment(house.mail, bob.caller, id, file.id);
    expect((await read()).name).toBe("a.txt");
    const ids = await rule(house, ["deny", "bob", "follow", "topic:plans"]);
    expect(await refusalOf(read())).toMatch(/^mailbox.not_yours/);
    await unrule(house, ids);
    await rule(house, ["deny", "bob", "read", "bob"]);
    expect(await refusalOf(read())).toBe(
      "access.denied: bob may not mailbox.read bob. Ask the operator for a grant.",
    );
  });

  it("shows only those who may be written to or read, and hints at no other by a near miss", async () => {
    const house = await open();
    const alice = await desk(house, "alice");
    await desk(house, "quentin");
    await desk(house, "robert");
    await alice.send("queue:reviews", "x");
    await alice.send("queue:builds", "x");
    const bob = await desk(house, "bob");
    await rule(
      house,
      ["deny", "bob", "send", "quentin"],
      ["deny", "bob", "mailbox.*", "queue:reviews"],
      ["deny", "bob", "agents.find", "robert"],
    );
    const found = await house.rooms.agents.findRecipients(bob.caller, {});
    expect(found.agents.map(({ name }) => name).sort()).toEqual(["alice", "bob"]);
    expect(found.queues.map(({ name }) => name)).toEqual(["builds"]);
    expect(found.more).toBe(0);
    expect(await refusalOf(bob.send("alicf", "x"))).toMatch(/did you mean alice/);
    expect(await refusalOf(bob.read({ mailbox: "queue:build" }))).toMatch(/did you mean queue:builds/);
    expect(await refusalOf(bob.read({ mailbox: "queue:review" }))).toBe("done");
    // With and without a namesake the same: a mailbox is opened.
    for (const to of ["quentim", "nobody-near"])
      expect(
        (await house.rooms.mail.sendMessage(bob.caller, { to: [to], body: "x" })).recipients,
      ).toMatchObject([{ to, state: "stored", opened: true }]);
    expect(await refusalOf(bob.send("quentin", "x"))).toMatch(
      /^access.denied: bob may not mailbox.send quentin/,
    );
  });

  it("tells whoever watches of nothing that may not be read", async () => {
    const house = await open();
    const [alice, bob] = [await desk(house, "alice"), await desk(house, "bob")];
    await bob.follow("plans.**");
    const told: string[] = [];
    let heard = (): void => {};
    const watch = async (name: string, target: WatchTarget): Promise<void> => {
      await house.rooms.watch(bob.caller, target, () => {
        told.push(name);
        heard();
      });
    };
    const until = async (...names: string[]): Promise<void> => {
      while (!names.every((name) => told.includes(name)))
        await new Promise<void>((resolve) => {
          heard = resolve;
        });
    };
    await watch("inbox", { kind: "inbox" });
    await watch("secret", { kind: "topic", name: "plans.secret" });
    await watch("open", { kind: "topic", name: "plans.open" });
    await watch("topics", { kind: "topics" });
    // Both exist before, so that nothing but their messages is told.
    await alice.send("topic:plans.secret", "1");
    await alice.send("topic:plans.open", "1");
    await until("inbox", "secret", "open", "topics");
    await rule(house, ["deny", "bob", "follow", "topic:plans.secret"]);
    await bob.read();
    told.length = 0;
    await alice.send("topic:plans.secret", "2");
    // Hints keep their order: when the later one has come, the earlier one has come too or never will.
    await alice.send("topic:plans.open", "2");
    await until("inbox", "open", "topics");
    expect(told.sort()).toEqual(["inbox", "open", "topics"]);
    // Nor of a first level that comes up and is hidden. What a change of what bob follows brings comes in turn.
    told.length = 0;
    await bob.follow("**");
    await until("inbox");
    await rule(house, ["deny", "bob", "follow", "topic:hidden"]);
    while ((await bob.bodies()).length > 0);
    told.length = 0;
    await alice.send("topic:hidden.root", "3");
    await bob.follow("later");
    await until("inbox");
    expect(told.filter((name) => name === "inbox")).toHaveLength(1);
    await alice.send("topic:news.root", "3");
    await until("topics");
    for (const target of [
      { kind: "topic", name: "plans.secret" },
      { kind: "topic", name: "plans.secret.never.was" },
    ] as const)
      expect(await refusalOf(house.rooms.watch(bob.caller, target, () => {}))).toMatch(/^access.denied/);
  });

  it("gives a reader that waits only what it may read", async () => {
    const house = await open();
    const [alice, bob] = [await desk(house, "alice"), await desk(house, "bob")];
    await bob.follow("plans.**");
    await rule(house, ["deny", "bob", "follow", "topic:plans.secret"]);
    const waiting = bob.read({ wait_seconds: 20 });
    await alice.send("topic:plans.secret", "hidden");
    await alice.send("topic:plans.open", "shown");
    expect((await waiting).messages.map(({ body }) => body)).toEqual(["shown"]);
  });

  it("gives whoever may not read its mail no news of it", async () => {
    const house = await open();
    const [alice, bob] = [await desk(house, "alice"), await desk(house, "bob")];
    await rule(house, ["deny", "bob", "read", "bob"]);
    await alice.send("bob", "secret", { ack_required: true });
    expect(await house.rooms.mail.news(bob.caller)).toBeUndefined();
    expect(await house.rooms.agents.myStatus(bob.caller, {})).toMatchObject({
      unread: 0,
      open: 0,
      overdue: [],
    });
    expect(await refusalOf(bob.read())).toMatch(/^access.denied/);
  });

  it("lets dead letters be managed in the mailboxes that were granted, and in no other", async () => {
    const house = await open();
    const [alice, bob] = [await desk(house, "alice"), await desk(house, "bob")];
    const { mail } = house.rooms;
    const jobs = [];
    for (const queue of ["builds", "reviews"])
      for (const n of [1, 2]) {
        const id = await alice.send(`queue:${queue}`, `${queue} ${n}`);
        await bob.read({ mailbox: `queue:${queue}` });
        await mail.ackMessages(bob.caller, { ids: [id], outcome: "reject", reason: "broken" });
        jobs.push(id);
      }
    const manage = (input: Parameters<typeof mail.manageDeadLetters>[1]) =>
      mail.manageDeadLetters(bob.caller, input);
    expect(await refusalOf(manage({ action: "list", mailbox: "queue:builds" }))).toMatch(/^access.denied/);
    await rule(house, ["allow", "bob", "admin.dead-letters", "queue:builds"]);
    const listed = await manage({ action: "list", mailbox: "queue:builds", limit: 1 });
    expect(listed).toMatchObject({
      letters: [{ id: jobs[1], said: "broken", excerpt: "builds 2" }],
      more: true,
    });
    for (const mailbox of ["queue:reviews", "queue:never-was", undefined])
      for (const action of ["list", "requeue", "purge"] as const)
        expect(await refusalOf(manage({ action, ids: jobs, ...(mailbox ? { mailbox } : {}) }))).toMatch(
          /^access.denied/,
        );
    expect(
      await manage({ action: "requeue", mailbox: "queue:builds", ids: [jobs[0]!, jobs[2]!] }),
    ).toMatchObject({
      done: 1,
      missing: [jobs[2]],
    });
    expect(await bob.bodies({ mailbox: "queue:builds" })).toEqual(["builds 1"]);
    expect(await manage({ action: "purge", mailbox: "queue:builds", all: true })).toMatchObject({ done: 1 });
    expect(await refusalOf(manage({ action: "purge", mailbox: "queue:builds" }))).toMatch(/^input.invalid/);
    await rule(house, ["allow", "bob", "admin.dead-letters", "*"]);
    expect((await manage({ action: "list" })).letters.map(({ id }) => id)).toEqual([jobs[3], jobs[2]]);
    expect(await refusalOf(manage({ action: "purge", all: true }))).toMatch(/^input.invalid/);
  });
});
