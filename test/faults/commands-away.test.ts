import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import type { House } from "../../src/compose.js";
import type { WatchTarget } from "../../src/mcp/index.js";
import { changeGrants } from "../agents/change-grants.js";
import { describeBeside, startStore, type TestStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";
import { Agent, openFaultHouse } from "./fault-house.js";

/** Before a store, for one process: takes away the connections for commands, and leaves the one for hints. */
class CommandsAway {
  readonly url: string;
  isAway = false;
  readonly #server: Server;
  readonly #commands = new Set<Socket>();
  readonly #all = new Set<Socket>();

  constructor(path: string, target: string) {
    this.url = `unix://${path}`;
    this.#server = createServer((client) => {
      client.on("error", () => undefined);
      this.#all.add(client);
      client.once("data", (first: Buffer) => {
        const isForHints = first.includes("llm-mailbox-hints");
        if (this.isAway && !isForHints) {
          client.destroy();
          return;
        }
        const store = connect(target);
        store.on("error", () => undefined);
        if (!isForHints) this.#commands.add(client);
        store.write(first);
        client.pipe(store);
        store.pipe(client);
        for (const [one, other] of [
          [client, store],
          [store, client],
        ] as const)
          one.on("close", () => other.destroy());
      });
    });
    this.#server.listen(path);
  }

  takeAway(): void {
    this.isAway = true;
    for (const socket of this.#commands) socket.destroy();
    this.#commands.clear();
  }

  async close(): Promise<void> {
    for (const socket of this.#all) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** Longer than a call tries, and than rules are believed without being asked for. */
const callTimeoutMs = 500;
const awayMs = 2_000;

describeBeside(
  "hints that come while commands do not reach the store",
  ["embedded", "redis-server"],
  (name) => {
    let store: TestStore;
    let way: CommandsAway;
    let here: House;
    let there: House;
    let [bob, alice]: Agent[] = [];
    beforeAll(async () => {
      store = await startStore(name);
    });
    afterAll(() => store.stop());
    beforeEach(async () => {
      const path = join(tmpdir(), `mailbox-away-${randomBytes(8).toString("hex")}`);
      way = new CommandsAway(path, store.url.slice("unix://".length));
      const namespace = newNamespace();
      here = await openFaultHouse(way.url, namespace, callTimeoutMs);
      there = await openFaultHouse(store.url, namespace);
      [bob, alice] = [await Agent.begin(here, "bob"), await Agent.begin(there, "alice")];
    });
    afterEach(async () => {
      way.isAway = false;
      await Promise.all([here.close(), there.close()]);
      await way.close();
    });

    const whileAway = async (change: () => Promise<unknown>): Promise<void> => {
      way.takeAway();
      await delay(1_000);
      await change();
      await delay(awayMs);
      way.isAway = false;
    };

    const changes: readonly [WatchTarget["kind"], WatchTarget, () => Promise<unknown>][] = [
      ["inbox", { kind: "inbox" }, () => alice!.send("bob", "hello")],
      [
        "state",
        { kind: "state", key: "plan" },
        () => there.rooms.state.putState(alice!.caller, { key: "plan", value: "1" }),
      ],
      ["locks", { kind: "locks" }, () => there.rooms.locks.acquireLock(alice!.caller, { resources: ["x"] })],
      ["agents", { kind: "agents" }, () => Agent.begin(there, "newcomer")],
      ["topic", { kind: "topic", name: "news" }, () => alice!.send("topic:news", "news")],
      ["topics", { kind: "topics" }, () => alice!.send("topic:fresh", "news")],
    ];

    it.each(changes)(
      "are told to who watches (%s) when they do again, and once",
      async (_, target, change) => {
        let told = 0;
        const stop = await here.rooms.watch(bob!.caller, target, () => {
          told += 1;
        });
        await delay(300);
        const before = told;
        await whileAway(change);
        await expect.poll(() => told - before, { timeout: 10_000 }).toBeGreaterThan(0);
        await delay(1_500);
        expect(told - before).toBeLessThan(5);
        stop();
      },
    );

    it("are told to who watches what it may see a part of, and not of what it may not", async () => {
      await changeGrants(there.access, there.config.namespace, [
        "deny",
        "bob",
        "lock.read",
        "lock:secret/**",
      ]);
      const maySee = async (): Promise<boolean> =>
        (await here.access.rightsOf(bob!.caller))("lock.read", "lock:secret/x");
      await expect.poll(maySee, { timeout: 5_000 }).toBe(false);
      let told = 0;
      const stop = await here.rooms.watch(bob!.caller, { kind: "locks" }, () => {
        told += 1;
      });
      const acquire = (resource: string) => () =>
        there.rooms.locks.acquireLock(alice!.caller, { resources: [resource] });
      await whileAway(acquire("secret/x"));
      await delay(3_000);
      expect(told).toBe(0);
      await whileAway(acquire("open/x"));
      await expect.poll(() => told, { timeout: 10_000 }).toBe(1);
      stop();
    });

    it("are not told to who may not look any more", async () => {
      let told = 0;
      const stop = await here.rooms.watch(bob!.caller, { kind: "state", key: "plan" }, () => {
        told += 1;
      });
      await whileAway(async () => {
        await changeGrants(there.access, there.config.namespace, ["deny", "bob", "state.read", "state:plan"]);
        await there.rooms.state.putState(alice!.caller, { key: "plan", value: "1" });
      });
      await delay(3_000);
      expect(told).toBe(0);
      stop();
    });

    it("wake who waits for mail of a topic that came up then", async () => {
      await here.rooms.topics.subscribeTopic(bob!.caller, { topic: "**" });
      const reading = bob!.read({ wait_seconds: 20 });
      await delay(300);
      const from = performance.now();
      await whileAway(() => alice!.send("topic:unheard.of", "news"));
      expect((await reading).messages).toMatchObject([{ body: "news" }]);
      expect(performance.now() - from).toBeLessThan(15_000);
    });
  },
);
