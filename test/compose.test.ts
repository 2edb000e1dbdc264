import { afterAll, expect, it } from "vitest";
import { type House, openHouse } from "../src/compose.js";
import { readConfig } from "../src/config/index.js";
import { type Caller, localPrincipal } from "../src/identity/index.js";
import type { ReadInbox, SendMessage } from "../src/mailbox/index.js";
import { openLog } from "../src/observability/index.js";
import { directoryKeys } from "../src/redis/index.js";
import { describeOnEachStore } from "./stores/index.js";
import { newNamespace } from "./stores/new-namespace.js";

interface Desk {
  readonly caller: Caller;
  send(
    to: string | string[],
    body: string,
    more?: Partial<SendMessage>,
  ): ReturnType<House["rooms"]["mail"]["sendMessage"]>;
  read(input?: ReadInbox): ReturnType<House["rooms"]["mail"]["readInbox"]>;
}

describeOnEachStore.concurrent("the rooms together", (store) => {
  const houses: House[] = [];
  const open = async (namespace = newNamespace(), settings: Record<string, string> = {}): Promise<House> => {
    const config = readConfig({
      REDIS_URL: store().url,
      LLM_MAILBOX_ALLOW_UNVERIFIED: "1",
      LLM_MAILBOX_NAMESPACE: namespace,
      ...settings,
    });
    const house = await openHouse(config, openLog("error"), { seal: { everyMs: 3_600_000 } });
    houses.push(house);
    return house;
  };
  const desk = async (house: House, agent: string): Promise<Desk> => {
    const caller = await house.rooms.runs.begin(localPrincipal(house.config.namespace, agent));
    return {
      caller,
      send: (to, body, more) =>
        house.rooms.mail.sendMessage(caller, { to: typeof to === "string" ? [to] : to, body, ...more }),
      read: async (input = {}) => {
        const inbox = await house.rooms.mail.readInbox(caller, input, { maxChars: 10_500 });
        if (inbox.batch) house.rooms.mail.confirm(caller, inbox.batch, true);
        return inbox;
      },
    };
  };
  afterAll(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
  });

  it("gives direct mail and followed topics in one page, direct mail first, each once", async () => {
    const house = await open();
    const [alice, bob] = [await desk(house, "alice"), await desk(house, "bob")];
    await house.rooms.topics.subscribeTopic(bob.caller, { topic: "builds.**" });
    await alice.send("topic:builds.ci", "build 1");
    await alice.send("bob", "direct 1");
    await alice.send("#builds.ci.linux", "build 2", { priority: "urgent" });
    const page = await bob.read();
    expect(page.messages.map((m) => m.body)).toEqual(["direct 1", "build 2", "build 1"]);
    expect(page.messages.map((m) => m.to)).toEqual(["bob", "topic:builds.ci.linux", "topic:builds.ci"]);
    expect((await bob.read()).messages).toEqual([]);
    expect((await house.rooms.agents.myStatus(bob.caller, {})).open).toBe(0);
  });

  it("gives each source that has something a quarter of the page, however busy the other", async () => {
    const house = await open();
    const [alice, bob] = [await desk(house, "alice"), await desk(house, "bob")];
    await house.rooms.topics.subscribeTopic(bob.caller, { topic: "calm" });
    for (let n = 0; n < 20; n++) await alice.send("bob", `direct ${n}`, { priority: "urgent" });
    for (let n = 0; n < 4; n++) await alice.send("topic:calm", `topic ${n}`);
    const page = await bob.read({ limit: 8 });
    expect(page.messages.filter((m) => m.to === "topic:calm")).toHaveLength(2);
    expect(page.messages.filter((m) => m.to === "bob")).toHaveLength(6);
  });

  it("reads only the topic that was asked for, and leaves direct mail waiting", async () => {
    const house = await open();
    const [alice, bob] = [await desk(house, "alice"), await desk(house, "bob")];
    await house.rooms.topics.subscribeTopic(bob.caller, { topic: "a.*" });
    await alice.send("bob", "direct");
    await alice.send("topic:a.x", "x");
    await alice.send("topic:a.y", "y");
    expect((await bob.read({ topic: "a.y" })).messages.map((m) => m.body)).toEqual(["y"]);
    expect((await bob.read()).messages.map((m) => m.body)).toEqual(["direct", "x"]);
  });

  it("wakes a waiting reader by a topic it follows", async () => {
    const house = await open();
    const [alice, bob] = [await desk(house, "alice"), await desk(house, "bob")];
    await house.rooms.topics.subscribeTopic(bob.caller, { topic: "news" });
    const reading = bob.read({ wait_seconds: 20 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await alice.send("topic:news", "extra");
    expect((await reading).messages.map((m) => m.body)).toEqual(["extra"]);
  });

  it("wakes a reader in one process by a send in another, and each message goes to one run", async () => {
    const here = await open();
    const there = await open(here.config.namespace);
    const bob = await desk(here, "bob");
    const alice = await desk(there, "alice");
    const reading = bob.read({ wait_seconds: 20 });
    await alice.send("bob", "hello over there");
    expect((await reading).messages).toHaveLength(1);
  });

  it("gives what a closed process had open to the agent's next run in another", async () => {
    const here = await open();
    const there = await open(here.config.namespace);
    const [alice, bob] = [await desk(there, "alice"), await desk(here, "bob")];
    await followT(here, bob);
    await alice.send("bob", "direct");
    await alice.send("topic:t", "topical");
    expect((await bob.read()).messages).toHaveLength(2);
    await here.close();
    const next = await desk(there, "bob");
    const again = await next.read();
    expect(again.messages.map((m) => [m.body, m.delivery_count])).toEqual([
      ["direct", 2],
      ["topical", 2],
    ]);
  });

  it("gives a client without a session its mail again unless it names what it saw", async () => {
    const house = await open(undefined, { LLM_MAILBOX_CLAIM_SECONDS: "1" });
    const [alice, bob] = [await desk(house, "alice"), await desk(house, "bob")];
    await followT(house, bob);
    const look = (after?: string): ReturnType<Desk["read"]> =>
      house.rooms.mail.readInbox(
        bob.caller,
        { wait_seconds: 4, ...(after ? { after } : {}) },
        { maxChars: 10_500, sessionless: true },
      );
    await alice.send("bob", "direct");
    await alice.send("topic:t", "topical");
    const first = await look();
    expect(first.messages.map((m) => m.body)).toEqual(["direct", "topical"]);
    const again: string[] = [];
    let batch = "";
    while (again.length < 2) {
      const page = await look();
      again.push(...page.messages.map((m) => m.body));
      if (page.batch) batch = page.batch;
      if (page.messages.length === 1) await look(batch);
    }
    expect(again.sort()).toEqual(["direct", "topical"]);
    expect((await look(batch)).messages).toEqual([]);
  });

  it("settles topic mail by a reply and by acknowledgement", async () => {
    const house = await open();
    const [alice, bob] = [await desk(house, "alice"), await desk(house, "bob")];
    await followT(house, bob);
    const { message_id } = await alice.send("topic:t", "who can?");
    await bob.read();
    await bob.send("alice", "me", { in_reply_to: message_id });
    expect((await bob.read({ redeliver: true })).messages).toEqual([]);
    const [answer] = (await alice.read()).messages;
    expect(answer).toMatchObject({ in_reply_to: message_id, thread: message_id });
  });

  it("finds agents, queues and topics, and tells who is online", async () => {
    const house = await open();
    const [alice, bob] = [await desk(house, "alice"), await desk(house, "bob")];
    await house.rooms.agents.myStatus(bob.caller, {
      describe: "reviews TypeScript",
      capabilities: ["review"],
    });
    await alice.send("queue:reviews", "job");
    await alice.send("topic:builds.ci", "x");
    await house.rooms.runs.end(bob.caller);
    const found = await house.rooms.agents.findRecipients(alice.caller, {});
    expect(found.agents).toMatchObject([
      { name: "alice", online: true },
      { name: "bob", online: false, description: "reviews TypeScript", capabilities: ["review"] },
    ]);
    expect(found.queues).toEqual([{ name: "reviews", ready: 1 }]);
    expect(found.topics.map((topic) => topic.name)).toContain("builds.ci");
    const reviewers = await house.rooms.agents.findRecipients(alice.caller, { capability: "review" });
    expect(reviewers.agents.map((agent) => agent.name)).toEqual(["bob"]);
  });

  it("keeps namespaces apart", async () => {
    const one = await open();
    const other = await open();
    const [alice, bob] = [await desk(one, "alice"), await desk(other, "bob")];
    await alice.send("bob", "not for the other bob", { create: true });
    expect((await bob.read()).messages).toEqual([]);
    expect((await other.rooms.agents.findRecipients(bob.caller, {})).agents.map((a) => a.name)).toEqual([
      "bob",
    ]);
  });

  it("serves several namespaces at once: each has its runs, its heartbeat and its sweep, and all end with the process", async ({
    expect,
  }) => {
    const house = await open();
    const other = newNamespace();
    const namespaces = [house.config.namespace, other];
    const callers = await Promise.all(
      namespaces.map((namespace) => house.rooms.runs.begin(localPrincipal(namespace, "alice"))),
    );
    const [here, there] = namespaces.map((namespace) => directoryKeys(namespace));
    for (const keys of [here!, there!]) {
      await expect.poll(() => house.store.command("GET", keys.sweeper), { timeout: 5_000 }).not.toBeNull();
      expect(await house.store.command("ZCARD", keys.heartbeats)).toBe(1);
      expect(await house.store.command("HLEN", keys.runs)).toBe(1);
    }
    await house.rooms.mail.sendMessage(callers[1]!, { to: ["bob"], body: "there" });
    for (const [n, caller] of callers.entries()) {
      const { agents } = await house.rooms.agents.findRecipients(caller, {});
      expect(agents.map(({ name, online }) => [name, online])).toEqual([["alice", true]]);
      expect((await house.rooms.agents.myStatus(caller, {})).namespace).toBe(namespaces[n]);
      expect(await house.directory.mailboxes(namespaces[n]!)).toEqual(n === 1 ? ["alice", "bob"] : ["alice"]);
    }
    let told = 0;
    const stop = await house.rooms.watch(callers[1]!, { kind: "agents" }, () => {
      told += 1;
    });
    await house.rooms.runs.begin(localPrincipal(other, "carol"));
    await expect.poll(() => told).toBeGreaterThan(0);
    stop();
    await house.runs.close();
    expect(await house.store.command("HLEN", there!.runs)).toBe(2);
    houses.splice(houses.indexOf(house), 1);
    await house.close();
    const after = await open(other);
    expect(await after.store.command("HLEN", there!.runs)).toBe(0);
    expect(await after.store.command("ZCARD", there!.heartbeats)).toBe(0);
  });
});

async function followT(house: House, bob: Desk): Promise<void> {
  await house.rooms.topics.subscribeTopic(bob.caller, { topic: "t" });
}
