import { afterEach, expect, it } from "vitest";
import type { House } from "../../src/compose.js";
import {
  type Caller,
  localPrincipal,
  operatorPrincipal,
  type Principal,
  type RunId,
} from "../../src/identity/index.js";
import { policyKeys } from "../../src/redis/index.js";
import { Agent, openFaultHouse } from "../faults/fault-house.js";
import { describeOnEachStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";

const nothing = { unverified: [], foreign: [] };

describeOnEachStore("whose messages a run has read", (store) => {
  const houses: House[] = [];
  afterEach(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
  });
  const open = async (namespace = newNamespace()): Promise<House> => {
    const house = await openFaultHouse(store().url, namespace);
    houses.push(house);
    return house;
  };
  const recorded = async (house: House, agent: string, team: string): Promise<void> => {
    const operator: Caller = {
      principal: operatorPrincipal(house.config.namespace),
      run: { id: "operator/test" as RunId },
    };
    await house.agentRecords.set(operator, agent, { team });
  };
  const begin = async (house: House, name: string, verified: boolean): Promise<Agent> => {
    const agent = await Agent.begin(house, name);
    (agent.caller as { principal: Principal }).principal = { ...agent.caller.principal, verified };
    return agent;
  };
  /** A process that only asks, as a hook is. */
  const hookOf = ({ config }: House, agent: string): Caller => ({
    principal: localPrincipal(config.namespace, agent),
    run: { id: `${agent}/hook` as RunId },
  });

  it("is told of those that nobody proved, and of those of another team or none", async () => {
    const house = await open();
    for (const [agent, team] of [
      ["alice", "red"],
      ["bob", "red"],
      ["eve", "blue"],
    ] as const)
      await recorded(house, agent, team);
    const alice = await begin(house, "alice", true);
    for (const [name, verified] of [
      ["bob", true],
      ["eve", true],
      ["stranger", false],
    ] as const)
      await (await begin(house, name, verified)).send("alice", `from ${name}`);
    expect(await house.reads.of(alice.caller)).toEqual(nothing);
    await alice.read({ sender: "bob" });
    expect(await house.reads.of(alice.caller)).toEqual(nothing);
    await alice.read();
    expect(await house.reads.of(alice.caller)).toEqual({
      unverified: ["stranger"],
      foreign: ["eve", "stranger"],
    });
  });

  const ways: Record<string, (alice: Agent, id: string) => Promise<unknown>> = {
    read_inbox: (alice) => alice.read(),
    "a look by peek": (alice) => alice.read({ peek: true }),
    "a part of one": (alice, id) => alice.read({ message_id: id }),
    search_messages: ({ house, caller }) => house.rooms.mail.searchMessages(caller, { sender: "eve" }),
    "search_messages in a topic": ({ house, caller }) =>
      house.rooms.mail.searchMessages(caller, { topic: "news" }),
    "mailbox://messages/{id}": ({ house, caller }, id) => house.rooms.mail.messageById(caller, id),
    "mailbox://threads/{id}": ({ house, caller }, id) => house.rooms.mail.thread(caller, id),
    "mailbox://topics/{topic}": ({ house, caller }) =>
      house.rooms.topics.history(caller, "news", { limit: 10 }),
    "a followed topic": async (alice) => {
      await alice.house.rooms.topics.subscribeTopic(alice.caller, { topic: "news", start_at: "earliest" });
      await alice.read({ topic: "news" });
    },
  };
  for (const [way, read] of Object.entries(ways))
    it(`counts what ${way} shows`, async () => {
      const house = await open();
      const eve = await Agent.begin(house, "eve");
      const { message_id } = await eve.send("alice", "do this");
      await eve.send("topic:news", "believe that");
      const alice = await Agent.begin(house, "alice");
      await read(alice, message_id);
      expect(await house.reads.of(alice.caller)).toEqual({ unverified: ["eve"], foreign: ["eve"] });
    });

  it("does not count what it sent itself, counts, or what the system wrote", async () => {
    const house = await open();
    const alice = await begin(house, "alice", true);
    const { message_id } = await alice.send("bob", "hello");
    await house.rooms.mail.searchMessages(alice.caller, { sent: true });
    await house.rooms.mail.messageById(alice.caller, message_id);
    const eve = await Agent.begin(house, "eve");
    await eve.send("alice", "unread as yet");
    await house.rooms.agents.myStatus(alice.caller, {});
    expect(await house.rooms.mail.news(alice.caller)).toMatchObject({ unread: 1 });
    expect(await house.reads.of(alice.caller)).toEqual(nothing);
  });

  it("is known of the living runs of an agent to a hook in another process, and forgotten with the run", async () => {
    const house = await open();
    const other = await open(house.config.namespace);
    const [alice, again, eve] = [
      await Agent.begin(house, "alice"),
      await Agent.begin(house, "alice"),
      await Agent.begin(house, "eve"),
    ];
    await eve.send("alice", "one");
    await alice.read();
    expect(await other.reads.of(hookOf(other, "alice"))).toEqual({ unverified: ["eve"], foreign: ["eve"] });
    // A run of ours answers for itself alone.
    expect(await house.reads.of(again.caller)).toEqual(nothing);
    expect(await other.reads.of(hookOf(other, "eve"))).toEqual(nothing);
    await house.rooms.runs.end(alice.caller);
    expect(await other.reads.of(hookOf(other, "alice"))).toEqual(nothing);
    const { reads, readAt } = policyKeys(house.config.namespace);
    expect(await house.store.command("HLEN", reads)).toBe(0);
    expect(await house.store.command("ZCARD", readAt)).toBe(0);
  });

  it("notes whom nobody proved also after a thousand of other teams, here and in the store", async () => {
    const house = await open();
    const other = await open(house.config.namespace);
    const alice = await begin(house, "alice", true);
    const shown = Array.from({ length: 1_001 }, (_, n) => ({ from: `s${n}`, verified: true }));
    await house.reads.note(alice.caller, shown);
    await house.reads.note(alice.caller, [{ from: "mallory", verified: false }]);
    for (const reads of [await house.reads.of(alice.caller), await other.reads.of(hookOf(other, "alice"))]) {
      expect(reads.foreign).toHaveLength(1_000);
      expect(reads.unverified).toEqual(["mallory"]);
    }
  });

  it("asks the store for nothing more once a sender is known to the run", async () => {
    const house = await open();
    const [alice, eve] = [await Agent.begin(house, "alice"), await Agent.begin(house, "eve")];
    let notes = 0;
    const run = house.store.run.bind(house.store);
    house.store.run = (script, ...rest) => {
      if (script.name === "note-reads") notes++;
      return run(script, ...rest);
    };
    for (const body of ["one", "two", "three"]) {
      await eve.send("alice", body);
      expect((await alice.read()).messages).toHaveLength(1);
    }
    expect(notes).toBe(1);
  });

  it("is not shown at all where it cannot be noted, and comes again", async () => {
    const house = await open();
    const [alice, eve] = [await Agent.begin(house, "alice"), await Agent.begin(house, "eve")];
    await eve.send("alice", "one");
    const run = house.store.run.bind(house.store);
    let failures = 1;
    house.store.run = (script, ...rest) => {
      if (script.name === "note-reads" && failures-- > 0) return Promise.reject(new Error("away"));
      return run(script, ...rest);
    };
    await expect(alice.read()).rejects.toThrow("away");
    expect(await house.reads.of(alice.caller)).toEqual({ unverified: ["eve"], foreign: ["eve"] });
    expect((await alice.read()).messages).toMatchObject([{ body: "one", delivery_count: 1 }]);
    const { reads } = policyKeys(house.config.namespace);
    expect(await house.store.command("HGET", reads, alice.caller.run.id)).toBe("u:eve,f:eve");
  });
});
