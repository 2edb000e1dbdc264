import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openApproval } from "../../src/approvals/index.js";
import { type House, openHouse } from "../../src/compose.js";
import { readConfig } from "../../src/config/index.js";
import { type Caller, localPrincipal, type Principal } from "../../src/identity/index.js";
import { Connection } from "../../src/mcp/connection.js";
import { createServer } from "../../src/mcp/create-server.js";
import { newExchange } from "../../src/mcp/exchange.js";
import type { Rooms } from "../../src/mcp/index.js";
import { resourceList, templateList } from "../../src/mcp/resources/list.js";
import { watchTarget } from "../../src/mcp/resources/resource-uri.js";
import { toolbox } from "../../src/mcp/toolbox.js";
import { Watches } from "../../src/mcp/watches.js";
import { openLog } from "../../src/observability/index.js";
import { changeGrants } from "../agents/change-grants.js";
import { storeImage } from "../faults/store-image.js";
import { startStore, type TestStore } from "../stores/index.js";
import { noLog } from "./support.js";

/** What is there, and what is not: a refusal must not tell one from the other. */
const there = {
  agent: "alice",
  queue: "queue:builds",
  topic: "plans.secret",
  resource: "src/secret",
  key: "plan/secret",
  id: "",
  lock: "",
  reservation: "",
  approval: "",
};
const nowhere = {
  agent: "amanda-nobody",
  queue: "queue:never-was",
  topic: "never.was",
  resource: "lib/absent",
  key: "idea/absent",
  id: "1kq0x3v9a2-0a1b2c3d4e5f6",
  lock: "lk-000000000000",
  reservation: "rs-00000000000000000000",
  approval: "ap-000000000000",
};
type World = typeof there;

/** A call of every tool, written for a world; several where a tool reaches several things. */
const calls: Readonly<Record<string, (world: World) => readonly Record<string, unknown>[]>> = {
  send_message: ({ agent, queue, topic, id }) => [
    ...[agent, queue, `topic:${topic}`, "everyone"].map((to) => ({ to: [to], body: "x" })),
    { to: [agent, queue], body: "x", create: true },
    { to: [agent], body: "x", in_reply_to: id, attachments: ["at-1kq0x3v8zz-0f6e5d4c3b2a1"] },
  ],
  read_inbox: ({ queue, topic, id }) => [
    {},
    { mailbox: queue },
    { topic },
    { message_id: id },
    { peek: true },
    { redeliver: true },
    { wait_seconds: 1 },
  ],
  ack_messages: ({ id }) => [{ ids: [id] }, { ids: [id], outcome: "retry" }],
  search_messages: ({ topic, agent }) => [{}, { topic }, { sent: true, recipient: agent }, { sender: agent }],
  subscribe_topic: ({ topic, id }) => [
    { topic },
    { topic: `${topic}.*` },
    { topic: "**" },
    { topic, start_at: id },
  ],
  find_recipients: () => [{}, { text: "a" }],
  my_status: () => [{}, { describe: "nobody in particular" }],
  acquire_lock: ({ resource, lock }) => [
    { resources: [resource] },
    { resources: [resource], wait_seconds: 1 },
    { lock_id: lock },
  ],
  release_lock: ({ lock }) => [{ lock_id: lock }, { ticket: lock }],
  list_locks: ({ resource }) => [{}, { resource }],
  get_state: ({ key }) => [{ key }, { prefix: key.slice(0, 4) }],
  put_state: ({ key }) => [
    { key, value: "1" },
    { key, value: "1", expected_version: 0 },
    { key, delete: true },
  ],
  check_policy: ({ resource }) => [
    { action: "file.delete", resource },
    { action: "file.read", resource, reserve: 1 },
    { approval_id: "ap-000000000000" },
    { approval_id: "ap-000000000000", wait_seconds: 1 },
  ],
  settle_reservation: ({ reservation }) => [{ reservation_id: reservation, cost: 1 }],
  decide_approval: ({ approval }) => [
    {},
    { approval_id: approval },
    { approval_id: approval, decision: "approve" },
    { approval_id: approval, decision: "edit", arguments: { path: "/" } },
  ],
  manage_dead_letters: ({ queue, id }) => [
    { action: "list" },
    { action: "list", mailbox: queue },
    { action: "requeue", ids: [id] },
    { action: "purge", mailbox: queue, all: true },
  ],
};

const uris: Readonly<Record<string, (world: World) => string>> = {
  "mailbox://inbox": () => "mailbox://inbox",
  "mailbox://topics": () => "mailbox://topics",
  "mailbox://agents": () => "mailbox://agents",
  "mailbox://locks": () => "mailbox://locks",
  "mailbox://state/{+key}": ({ key }) => `mailbox://state/${key}`,
  "mailbox://topics/{topic}{?before,limit}": ({ topic }) => `mailbox://topics/${topic}?limit=5`,
  "mailbox://threads/{id}": ({ id }) => `mailbox://threads/${id}`,
  "mailbox://messages/{id}": ({ id }) => `mailbox://messages/${id}`,
};

/** Functions of the rooms that refuse nothing: what they do without the right is said beside them. */
const withoutRefusal = {
  /** Only marks in memory what this run was given before. */
  confirm: true,
  /** An extra of other replies: it tells nothing. */
  news: true,
  /** Only marks in memory that this run was told something in vain. */
  keepNews: true,
  /** Gives back what the hooks of the caller's own session took: nobody is kept from that. */
  guardStop: true,
  /** Whether the caller has anything itself: tells nothing of others. */
  hasAny: true,
  /** Tells for each file what is refused. */
  guardFiles: true,
  /** What its server sees of the caller's client, which only shortens what the caller itself is offered. */
  noteAbsence: true,
};

describe("a caller without any right", () => {
  let store: TestStore;
  let house: House;
  let client: Awaited<ReturnType<typeof connect>>["client"];
  let rooms: Rooms;
  let caller: Caller;

  beforeAll(async () => {
    store = await startStore("embedded");
    house = await openHouse(
      readConfig({ REDIS_URL: store.url, LLM_MAILBOX_ALLOW_UNVERIFIED: "1" }),
      openLog("error"),
    );
    const alice = await house.rooms.runs.begin(localPrincipal("default", "alice"));
    const send = async (to: string, body: string): Promise<string> =>
      (await house.rooms.mail.sendMessage(alice, { to: [to], body })).message_id;
    there.id = await send("topic:plans.secret", "a secret");
    await send("queue:builds", "a job");
    await send("nora", "mail that waits");
    const held = await house.rooms.locks.acquireLock(alice, { resources: [there.resource] });
    there.lock = (held as { lock_id: string }).lock_id;
    await house.rooms.state.putState(alice, { key: there.key, value: '"a secret"' });
    const checked = await house.rooms.policy.checkPolicy(alice, { action: "file.read", reserve: 1 });
    there.reservation = checked.reservation_id!;
    const asked = await openApproval(house.approvals, alice, {
      ...{ action: "file.delete", resource: "plan/secret", arguments: { path: "a secret" }, context: {} },
      ...{ rules: ["r"], reasons: [], why: "", risk: "" },
      terms: {
        ...{ expiresMs: 3_600_000, otherwise: "deny", quorum: 1, byClient: false },
        approvers: ["nora", "role:approver"],
      },
    });
    there.approval = asked.id;
    await changeGrants(house.access, "default", ["deny", "nora", "*", "*"]);
    ({ client, rooms } = await connect(house, "nora"));
    // Whoever comes is noted as being there; from here on nothing more is.
    caller = await rooms.runs.begin(localPrincipal("default", "nora"));
  });
  afterAll(async () => {
    await client?.close();
    await house?.close();
    await store?.stop();
  });

  const image = async (): Promise<Record<string, unknown>> => {
    const all = await storeImage(store.url, "default");
    return Object.fromEntries(
      // Presence and how often it called are no effect of a call, and refusals may leave their trace in the audit.
      Object.entries(all).filter(([key]) => !/:(agents|runs|heartbeats|processes|rate)$|audit/.test(key)),
    );
  };
  const callText = async (name: string, input: Record<string, unknown>): Promise<string> => {
    const result = (await client.callTool({ name, arguments: input })) as {
      isError?: boolean;
      content: { text: string }[];
    };
    expect(result.isError).toBe(true);
    return result.content.map(({ text }) => text).join("\n");
  };
  /** A refusal without the names that the caller said itself. */
  const bare = (text: string, world: World): string =>
    text
      .replaceAll(world.topic, "TOPIC")
      .replaceAll(world.resource, "RESOURCE")
      .replaceAll(world.key, "KEY")
      .replaceAll(world.key.slice(0, 4), "PREFIX")
      .replaceAll(world.lock, "LOCK")
      .replaceAll(world.reservation, "RESERVATION")
      .replaceAll(world.approval, "APPROVAL")
      .replaceAll(world.queue, "QUEUE")
      .replaceAll(world.agent, "AGENT")
      .replaceAll(world.id, "ID");
  const readText = async (uri: string): Promise<string> =>
    client.readResource({ uri }).then(
      () => "done",
      (error: Error) => error.message,
    );

  it("is shown no tool", async () => {
    expect((await client.listTools()).tools).toEqual([]);
  });

  it("is tried with every tool, resource, watch target and function of the rooms there is", () => {
    expect(Object.keys(calls).sort()).toEqual(toolbox.map(({ name }) => name).sort());
    expect(toolbox.length).toBeGreaterThanOrEqual(15);
    expect(Object.keys(uris).sort()).toEqual(
      [...resourceList.map(({ uri }) => uri), ...templateList.map(({ uriTemplate }) => uriTemplate)].sort(),
    );
    expect(Object.keys(uris).length).toBeGreaterThanOrEqual(8);
  });

  it("is refused every tool with access.denied, alike whether what it names exists, and nothing is stored", async () => {
    const before = await image();
    let tried = 0;
    for (const { name } of toolbox) {
      const [real, invented] = [calls[name]!(there), calls[name]!(nowhere)];
      expect(real.length).toBeGreaterThan(0);
      for (const [n, input] of real.entries()) {
        const text = await callText(name, input);
        expect(text, JSON.stringify(input)).toMatch(
          /^access\.denied: nora may not \S+ \S+\. Ask the operator/,
        );
        expect(bare(text, there)).toBe(bare(await callText(name, invented[n]!), nowhere));
        tried++;
      }
    }
    expect(tried).toBeGreaterThanOrEqual(25);
    expect(await image()).toEqual(before);
  });

  it("is refused every resource, alike whether it exists", async () => {
    const before = await image();
    for (const make of Object.values(uris)) {
      const text = await readText(make(there));
      expect(text, make(there)).toMatch(/access\.denied: nora may not/);
      expect(bare(text, there)).toBe(bare(await readText(make(nowhere)), nowhere));
    }
    expect(await image()).toEqual(before);
  });

  it("is refused every subscription, alike whether the resource exists", async () => {
    const before = await image();
    let tried = 0;
    for (const make of Object.values(uris)) {
      if (!watchTarget(make(there))) continue;
      const refusals = await Promise.all(
        [there, nowhere].map(async (world) =>
          bare(
            await client.subscribeResource({ uri: make(world) }).then(
              () => "done",
              (error: Error) => error.message,
            ),
            world,
          ),
        ),
      );
      expect(refusals[0]).toMatch(/access\.denied: nora may not/);
      expect(refusals[1]).toBe(refusals[0]);
      tried++;
    }
    expect(tried).toBe(6);
    expect(await image()).toEqual(before);
  });

  it("is refused every function of the rooms by itself", async () => {
    const before = await image();
    const { mail, topics, locks, state, policy, approvals, agents } = rooms;
    const decision = { approval_id: there.approval, decision: "approve" } as const;
    const tries: Readonly<Record<string, () => Promise<unknown>>> = {
      sendMessage: () => mail.sendMessage(caller, { to: ["alice"], body: "x" }),
      readInbox: () => mail.readInbox(caller, {}, { maxChars: 1_000 }),
      ackMessages: () => mail.ackMessages(caller, { ids: [there.id] }),
      searchMessages: () => mail.searchMessages(caller, {}),
      manageDeadLetters: () => mail.manageDeadLetters(caller, { action: "list" }),
      unread: () => mail.unread(caller),
      messageById: () => mail.messageById(caller, there.id),
      thread: () => mail.thread(caller, there.id),
      subscribeTopic: () => topics.subscribeTopic(caller, { topic: there.topic }),
      listTopics: () => topics.listTopics(caller),
      history: () => topics.history(caller, there.topic, { limit: 1 }),
      acquireLock: () => locks.acquireLock(caller, { resources: [there.resource] }),
      releaseLock: () => locks.releaseLock(caller, { lock_id: there.lock }),
      listLocks: () => locks.listLocks(caller, {}),
      getState: () => state.getState(caller, { key: there.key }),
      putState: () => state.putState(caller, { key: there.key, value: "1" }),
      hook: () =>
        policy.hook(
          caller.principal,
          { tool: "Bash", input: { command: "ls" }, asksUser: true, folder: "" },
          {},
        ),
      checkPolicy: () => policy.checkPolicy(caller, { action: "file.read" }),
      settleReservation: () =>
        policy.settleReservation(caller, { reservation_id: there.reservation, cost: 1 }),
      attendApprovals: () => approvals.attendApprovals(caller, {}),
      listApprovals: () => approvals.listApprovals(caller),
      getApproval: () => approvals.getApproval(caller, there.approval),
      decideApproval: () => approvals.decideApproval(caller, decision),
      askedOfClient: () => approvals.askedOfClient(caller, there.approval),
      untilDecided: () =>
        approvals.untilDecided(caller, there.approval, {
          signal: new AbortController().signal,
          draining: undefined,
        }),
      decideByClient: () => approvals.decideByClient(caller, decision),
      findRecipients: () => agents.findRecipients(caller, {}),
      myStatus: () => agents.myStatus(caller, {}),
    };
    const functions = [mail, topics, locks, state, policy, approvals, agents].flatMap((room) =>
      Object.keys(room),
    );
    expect(functions.length).toBeGreaterThanOrEqual(20);
    expect(functions.filter((name) => !(name in withoutRefusal)).sort()).toEqual(Object.keys(tries).sort());
    for (const [name, attempt] of Object.entries(tries))
      await expect(attempt(), name).rejects.toMatchObject({ code: "access.denied" });
    expect(await mail.news(caller)).toBeUndefined();
    expect(await locks.hasAny(caller.principal)).toBe(false);
    await locks.guardStop(caller.principal, "a session");
    for (const isAbsent of [true, false]) await locks.noteAbsence(caller, isAbsent);
    for (const take of [undefined, { session: "a session", lease_seconds: 60 }])
      expect(
        await locks.guardFiles(caller.principal, { files: [there.resource], ...(take && { take }) }),
      ).toEqual({
        ...{ reserved: [], unnameable: [], untold: [], wanted: [] },
        refused: [expect.objectContaining({ code: "access.denied", path: there.resource })],
      });
    expect(await image()).toEqual(before);
  });
});

/** A real client of an observer's connection to the rooms. */
async function connect(house: House, agent: string) {
  const observer = (principal: Principal): Principal => ({ ...principal, roles: ["observer"] });
  const rooms: Rooms = {
    ...house.rooms,
    runs: { ...house.rooms.runs, begin: (principal) => house.rooms.runs.begin(observer(principal)) },
    access: { usableBy: (principal) => house.rooms.access.usableBy(observer(principal)) },
  };
  const connection = new Connection(
    rooms,
    { namespace: "default", version: "0", log: noLog },
    { session: true, agent },
  );
  const server = createServer({
    connection,
    structured: false,
    exchangeOf: () => newExchange(new AbortController().signal),
    watches: new Watches(rooms, () => undefined),
  });
  const { Client } = await import("@modelcontextprotocol/client");
  const { InMemoryTransport } = await import("@modelcontextprotocol/server");
  const [here, far] = InMemoryTransport.createLinkedPair();
  const client = new Client({ name: "test", version: "0" });
  await server.connect(here);
  await client.connect(far as never);
  return { client, rooms };
}
