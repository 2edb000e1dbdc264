import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";
import type { House } from "../../src/compose.js";
import { type Caller, localPrincipal, operatorPrincipal, type RunId } from "../../src/identity/index.js";
import { verifyToken } from "../../src/locks/index.js";
import { recallMessage, recentMessages } from "../../src/mailbox/index.js";
import { main, runWith } from "../cli/command-line.js";
import { Agent, openFaultHouse } from "../faults/fault-house.js";
import { connectStdio, type TestClient } from "../protocol/clients.js";
import { describeOnEachStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";

const stopThenDie = fileURLToPath(new URL("../faults/stop-then-die.mjs", import.meta.url));
const stopped = expect.objectContaining({ code: "access.stopped" });

describeOnEachStore("an agent that is stopped", (store) => {
  const closing: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });
  const open = async (namespace = newNamespace()): Promise<House> => {
    const house = await openFaultHouse(store().url, namespace);
    closing.push(() => house.close());
    return house;
  };
  const settingsOf = ({ config }: House): Record<string, string> => ({
    REDIS_URL: store().url,
    LLM_MAILBOX_ALLOW_UNVERIFIED: "1",
    LLM_MAILBOX_NAMESPACE: config.namespace,
    LLM_MAILBOX_LOG_LEVEL: "silent",
  });
  const operatorOf = ({ config }: House): Caller => ({
    principal: operatorPrincipal(config.namespace),
    run: { id: "operator/command-line" as RunId },
  });
  const commandLine = async (house: House, ...words: string[]): Promise<void> => {
    const { status, err } = await runWith(settingsOf(house), ...words);
    expect(err).toBe("");
    expect(status).toBe(0);
  };
  /** A client of a process of its own. */
  const clientOf = async (house: House, agent: string): Promise<TestClient> => {
    const client = await connectStdio("2025-11-25", {
      command: process.execPath,
      args: [main, "stdio", "--agent", agent],
      env: { PATH: process.env.PATH!, HOME: process.env.HOME!, ...settingsOf(house) },
    });
    closing.push(() => client.close());
    return client;
  };
  const bodiesFor = async (house: House, mailbox: string): Promise<string[]> =>
    (await recentMessages(house.mail, house.config.namespace, mailbox, { limit: 10 })).map(
      ({ message }) => message.body,
    );

  it("by the command line loses its waits, locks and places in every process within a second", async () => {
    const house = await open();
    const bob = await Agent.begin(house, "bob");
    const { locks } = house.rooms;
    await locks.acquireLock(bob.caller, { resources: ["held-by-bob"] });
    const alice = await clientOf(house, "alice");
    const told: string[] = [];
    await alice.follow(["mailbox://inbox"], (uri) => told.push(uri));
    const granted = await alice.call("acquire_lock", { resources: ["held-by-alice"] });
    const token = Number(/token (\d+)/.exec(granted.text)![1]);
    const waits = [
      alice.call("read_inbox", { wait_seconds: 45 }),
      alice.call("acquire_lock", { resources: ["held-by-bob"], wait_seconds: 45 }),
    ];
    const queued = async (): Promise<unknown[]> =>
      (await locks.listLocks(bob.caller, { resource: "held-by-bob" })).waiters.filter(
        ({ agent }) => agent === "alice",
      );
    await expect.poll(queued, { timeout: 5_000 }).toHaveLength(1);
    const dora = await Agent.begin(house, "dora");
    const waiting = locks.acquireLock(dora.caller, { resources: ["held-by-alice"], wait_seconds: 30 });
    await house.killSwitch.stop(operatorOf(house), "carol", "somebody else, so that rules are warm");

    await commandLine(house, "agents", "stop", "alice", "--reason", "it misbehaves");
    const from = Date.now();
    for (const { text, isError } of await Promise.all(waits)) {
      expect(isError).toBe(true);
      expect(text).toMatch(/^access\.stopped: alice was stopped by the operator: .*agents resume alice/);
    }
    expect((await waiting).state).toBe("granted");
    expect(Date.now() - from).toBeLessThan(1_000);
    expect(await queued()).toEqual([]);
    expect(await verifyToken(house.locks, bob.caller, "held-by-alice", token)).toMatchObject({
      valid: false,
    });
    for (const [tool, input] of [
      ["send_message", { to: ["bob"], body: "still here" }],
      ["put_state", { key: "a", value: "1", resource: "held-by-alice", fencing_token: token }],
      ["my_status", {}],
      ["ack_messages", { ids: ["1kq0x3v9a2-0a1b2c3d4e5f6"] }],
    ] as const)
      expect(await alice.call(tool, input)).toMatchObject({
        isError: true,
        text: expect.stringMatching(/^access\.stopped/),
      });
    expect((await house.directory.agents(house.config.namespace)).has("alice")).toBe(true);

    await bob.send("alice", "for later");

    await commandLine(house, "agents", "resume", "alice");
    await expect.poll(async () => (await alice.call("my_status")).isError, { timeout: 2_000 }).toBe(false);
    // Nothing was told to it meanwhile; what it watched has to be asked for again.
    expect(told).toEqual([]);
    await alice.follow(["mailbox://inbox"], (uri) => told.push(uri));
    await bob.send("alice", "for now");
    await expect.poll(() => told.length, { timeout: 3_000 }).toBeGreaterThan(0);
    // What it wrote down from before is still no good.
    expect(
      await alice.call("put_state", {
        key: "a",
        value: "1",
        resource: "held-by-alice",
        fencing_token: token,
      }),
    ).toMatchObject({ isError: true, text: expect.stringMatching(/^lock\.stale_token/) });
    await house.rooms.locks.releaseLock(dora.caller, { lock_id: (await waiting).lock_id! });
    expect((await alice.call("acquire_lock", { resources: ["held-by-alice"] })).text).toMatch(/^yours until/);
  });

  it("gives its open jobs to other consumers without a failure, and keeps its own mail for later", async () => {
    const house = await open();
    const away = await open(house.config.namespace);
    const [alice, bob] = [await Agent.begin(away, "alice"), await Agent.begin(house, "bob")];
    await bob.send("queue:builds", "a job");
    await bob.send("alice", "a letter");
    await house.rooms.topics.subscribeTopic(bob.caller, { topic: "news" });
    await away.rooms.topics.subscribeTopic(alice.caller, { topic: "news" });
    await bob.send("topic:news", "a headline");
    const [job] = (await alice.read({ mailbox: "queue:builds" })).messages;
    expect((await alice.read({ limit: 10 })).messages.map(({ body }) => body).sort()).toEqual([
      "a headline",
      "a letter",
    ]);
    await house.killSwitch.stop(operatorOf(house), "alice", "test");
    const [again] = (await bob.read({ mailbox: "queue:builds" })).messages;
    expect(again).toMatchObject({ id: job!.id, delivery_count: 2 });
    await house.killSwitch.resume(operatorOf(house), "alice");
    const next = await Agent.begin(house, "alice");
    expect((await next.read({ limit: 10 })).messages.map(({ body }) => body).sort()).toEqual([
      "a headline",
      "a letter",
    ]);
  });

  /** Has alice stopped between the acceptance of what she sends to several and its delivery. */
  const stopBeforeDelivery = (house: House, other: House): void => {
    const run = house.store.run.bind(house.store);
    house.store.run = async (script, ...rest) => {
      const reply = await run(script, ...rest);
      if (script.name === "put-outbox") {
        await other.killSwitch.stop(operatorOf(other), "alice", "between accepting and delivering");
        const isStopped = async (): Promise<boolean> =>
          (await house.access.rules(house.config.namespace)).stopped.has("alice");
        await expect.poll(isStopped).toBe(true);
      }
      return reply;
    };
  };

  it("has what it sent and nobody got yet held back, until it is resumed", async () => {
    const house = await open();
    const namespace = house.config.namespace;
    const other = await open(namespace);
    const alice = await Agent.begin(house, "alice");
    await alice.send("bob", "delivered before");
    stopBeforeDelivery(house, other);
    const { recipients } = await alice.send(["bob", "carol", "topic:news"], "held back");
    expect(recipients.map(({ state }) => state)).toEqual(["pending", "pending", "pending"]);
    const { flushOutbox } = await import("../../src/mailbox/outbox.js");
    await flushOutbox(other.mail, namespace, "alice");
    expect(await bodiesFor(other, "bob")).toEqual(["delivered before"]);
    expect(await bodiesFor(other, "carol")).toEqual([]);
    await other.killSwitch.resume(operatorOf(other), "alice");
    expect(await bodiesFor(other, "bob")).toEqual(["delivered before", "held back"]);
    expect(await bodiesFor(other, "carol")).toEqual(["held back"]);
  });

  it("has what is held back recalled, so that nobody gets it once it is resumed", async () => {
    const house = await open();
    const namespace = house.config.namespace;
    const other = await open(namespace);
    const alice = await Agent.begin(house, "alice");
    stopBeforeDelivery(house, other);
    const { message_id: id } = await alice.send(["bob", "carol"], "a slip");
    const recall = (): Promise<unknown> => recallMessage(other.mail, operatorOf(other), "alice", id);
    for (let n = 0; n < 2; n++) expect(await recall()).toEqual({ recalled: ["bob", "carol"], delivered: [] });
    await other.killSwitch.resume(operatorOf(other), "alice");
    const { flushOutbox } = await import("../../src/mailbox/outbox.js");
    await flushOutbox(other.mail, namespace, "alice");
    for (const name of ["bob", "carol"]) expect(await bodiesFor(other, name)).toEqual([]);
    const outbox = `{${namespace}:mb:alice}:outbox`;
    expect(await other.store.command("HLEN", outbox)).toBe(0);
    // Also whoever was about to deliver it when it was recalled delivers nothing.
    const { deliver } = await import("../../src/mailbox/outbox.js");
    const posting = {
      message: {
        id,
        from: "alice",
        verified: false,
        to: "bob,carol",
        sentAt: Date.now(),
        priority: "normal",
        thread: id,
        origin: id,
        contentType: "text/plain",
        body: "a slip",
      },
      bytes: 6,
      lifeMs: 60_000,
      ttlMs: undefined,
      ackRequired: false,
    } as const;
    await deliver(other.mail, { posting, namespace, agent: "alice", verified: false }, "bob");
    expect(await bodiesFor(other, "bob")).toEqual([]);
  });

  it("loses its locks also when whoever stopped it was killed on the way", async () => {
    const house = await open();
    house.runs.attend();
    const bob = await Agent.begin(house, "bob");
    const away = await open(house.config.namespace);
    const alice = await Agent.begin(away, "alice");
    await away.rooms.locks.acquireLock(alice.caller, { resources: ["src/auth/**"] });
    const waiting = house.rooms.locks.acquireLock(bob.caller, {
      resources: ["src/auth/login.ts"],
      wait_seconds: 25,
    });
    const child = spawn(process.execPath, [stopThenDie, "alice"], {
      env: { PATH: process.env.PATH!, HOME: process.env.HOME!, ...settingsOf(house) },
      stdio: "ignore",
    });
    expect(await once(child, "exit")).toEqual([null, "SIGKILL"]);
    expect((await waiting).state).toBe("granted");
    await expect(alice.read()).rejects.toEqual(stopped);
  });

  it("keeps nothing that a call under way took after it was stopped", async () => {
    const house = await open();
    const away = await open(house.config.namespace);
    const alice = await Agent.begin(away, "alice");
    const run = away.store.run.bind(away.store);
    away.store.run = async (script, ...rest) => {
      // Admitted already, and not yet done.
      if (script.name === "acquire-lock") await house.killSwitch.stop(operatorOf(house), "alice", "test");
      return run(script, ...rest);
    };
    await away.rooms.locks.acquireLock(alice.caller, { resources: ["late"] });
    const bob = await Agent.begin(house, "bob");
    const late = async (): Promise<number> =>
      (await house.rooms.locks.listLocks(bob.caller, { resource: "late" })).holders.length;
    expect(await late()).toBe(1);
    await expect.poll(late, { timeout: 20_000 }).toBe(0);
  });

  it("is refused whatever proves it, and the operator is never stopped", async () => {
    const house = await open();
    const operator = operatorOf(house);
    const { namespace } = house.config;
    const { token } = await house.tokens.issue(operator, "alice");
    const proved = await house.credentials.verify(token);
    const signed = {
      ...localPrincipal(namespace, "alice"),
      verified: true,
      credential: { kind: "jwt", id: "j", expiresAt: Date.now() + 60_000 },
    } as const;
    await house.credentials.check(proved);
    await house.credentials.check(signed);
    await house.killSwitch.stop(operator, "alice", "test");
    await expect(house.credentials.check(proved)).rejects.toEqual(stopped);
    await expect(house.credentials.check(signed)).rejects.toEqual(stopped);
    await expect(house.rooms.runs.begin(proved)).rejects.toEqual(stopped);
    const { token: another } = await house.tokens.issue(operator, "alice");
    await expect(house.rooms.runs.begin(await house.credentials.verify(another))).rejects.toEqual(stopped);
    await expect(house.killSwitch.stop(operator, "operator", "test")).rejects.toMatchObject({
      code: "input.invalid",
    });
    await house.killSwitch.resume(operator, "alice");
    await house.credentials.check(proved);
  });

  it("may not be stopped or resumed by agents, and each stop and resume leaves a row that says which", async () => {
    const house = await open();
    const alice = await Agent.begin(house, "alice");
    await expect(house.killSwitch.stop(alice.caller, "bob", "envy")).rejects.toMatchObject({
      code: "access.denied",
    });
    await expect(house.killSwitch.resume(alice.caller, "bob")).rejects.toMatchObject({
      code: "access.denied",
    });
    await house.killSwitch.stop(operatorOf(house), "bob", "a reason that nobody else has to know");
    await house.killSwitch.resume(operatorOf(house), "bob");
    const key = `{${house.config.namespace}:dir}:audit`;
    const rows = ((await house.store.command("LRANGE", key, 0, -1)) as string[]).join("\n");
    expect(rows).toMatch(/"a":"admin\.agents","o":"bob","d":"allow","y":"operator; stop"/);
    expect(rows).toMatch(/"a":"admin\.agents","o":"bob","d":"allow","y":"operator; resume"/);
    expect(rows).not.toContain("reason");
  });
});
