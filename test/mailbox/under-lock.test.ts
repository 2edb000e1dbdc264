import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { House } from "../../src/compose.js";
import { operatorPrincipal, type RunId } from "../../src/identity/index.js";
import { forceRelease } from "../../src/locks/index.js";
import type { MailDependencies, SendMessage, SendReceipt } from "../../src/mailbox/index.js";
import type { Store } from "../../src/redis/index.js";
import { Agent, openFaultHouse } from "../faults/fault-house.js";
import { describeOnEachStore } from "../stores/index.js";

interface Held {
  readonly resource: string;
  readonly fencing_token: number;
}

const stale = /^lock\.stale_token: /;

/** Agents of one process, and the lock that one of them holds. */
class Scene {
  readonly house: House;
  readonly anna: Agent;
  readonly ben: Agent;
  readonly carl: Agent;

  private constructor(house: House, anna: Agent, ben: Agent, carl: Agent) {
    this.house = house;
    this.anna = anna;
    this.ben = ben;
    this.carl = carl;
  }

  static async open(url: string): Promise<Scene> {
    const house = await openFaultHouse(url);
    const begin = (name: string): Promise<Agent> => Agent.begin(house, name);
    const scene = new Scene(house, await begin("anna"), await begin("ben"), await begin("carl"));
    await house.rooms.topics.subscribeTopic(scene.ben.caller, { topic: "news" });
    return scene;
  }

  async lock(
    agent: Agent,
    resource = "src/a.ts",
    more: { mode?: "shared"; lease_seconds?: number } = {},
  ): Promise<Held & { readonly id: string }> {
    const answer = await this.house.rooms.locks.acquireLock(agent.caller, { resources: [resource], ...more });
    return { id: answer.lock_id!, resource, fencing_token: answer.token! };
  }

  async release(agent: Agent, { id }: { readonly id: string }): Promise<void> {
    await this.house.rooms.locks.releaseLock(agent.caller, { lock_id: id });
  }

  forceRelease(lockId: string): Promise<unknown> {
    const principal = operatorPrincipal(this.house.config.namespace);
    return forceRelease(this.house.locks, { principal, run: { id: "operator/test" as RunId } }, lockId, "x");
  }

  /** Whatever ben, or anybody at the queue, has not been given yet. */
  async arrived(): Promise<readonly { readonly body: string; readonly lock?: object }[]> {
    const inbox = await this.ben.read();
    const jobs = await this.ben.read({ mailbox: "queue:work", limit: 20 });
    return [...inbox.messages, ...jobs.messages].map(({ body, lock }) => ({
      body,
      ...(lock ? { lock } : {}),
    }));
  }

  async sent(agent: Agent): Promise<number> {
    const { messages } = await this.house.rooms.mail.searchMessages(agent.caller, { sent: true });
    return messages.length;
  }

  /** Does something after each look at a lease, before what it allows. */
  onVerified(act: () => Promise<unknown>): void {
    const deps = this.house.mail.deps as { -readonly [K in keyof MailDependencies]: MailDependencies[K] };
    const { leaseOf } = deps;
    deps.leaseOf = async (...asked) => {
      const lease = await leaseOf(...asked);
      await act();
      return lease;
    };
  }

  /** Does something before a script runs for the next time. */
  before(script: string, act: () => Promise<unknown>): void {
    const store = this.house.store as { run: Store["run"] };
    const run = store.run.bind(store);
    store.run = async (...call) => {
      if (call[0].name === script) {
        store.run = run;
        await act();
      }
      return run(...call);
    };
  }
}

interface Way {
  readonly name: string;
  readonly send: (
    scene: Scene,
    from: Agent,
    body: string,
    more: Partial<SendMessage>,
  ) => Promise<SendReceipt>;
}

const ways: readonly Way[] = [
  { name: "to one", send: (_, from, body, more) => from.send("ben", body, more) },
  { name: "to several", send: (_, from, body, more) => from.send(["ben", "carl"], body, more) },
  { name: "to everyone", send: (_, from, body, more) => from.send(["everyone"], body, more) },
  { name: "to a topic", send: (_, from, body, more) => from.send("topic:news", body, more) },
  { name: "to a queue", send: (_, from, body, more) => from.send("queue:work", body, more) },
  {
    name: "as a reply",
    send: async ({ ben }, from, body, more) => {
      if (!more.in_reply_to) {
        const name = from.caller.principal.agent;
        const { message_id: id } = await ben.send(name, "a question", { again: true });
        await from.read();
        return from.send("ben", body, { in_reply_to: id, ...more });
      }
      return from.send("ben", body, more);
    },
  },
];

describeOnEachStore("a message under a lock", (store) => {
  const houses: House[] = [];
  const open = async (): Promise<Scene> => {
    const scene = await Scene.open(store().url);
    await scene.house.grants.add(
      { principal: operatorPrincipal(scene.house.config.namespace), run: { id: "operator/test" as RunId } },
      { who: "anna", action: "send", resource: "everyone", effect: "allow" },
    );
    houses.push(scene.house);
    return scene;
  };
  afterAll(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
  });

  describe.each(ways)("sent $name", ({ send }) => {
    let scene: Scene;
    beforeAll(async () => {
      scene = await open();
    });

    it("is stored while its sender holds the lock, and tells its reader so", async () => {
      const { id, ...held } = await scene.lock(scene.anna);
      const receipt = await send(scene, scene.anna, "one", { ...held, resource: "/src/./a.ts" });
      expect(receipt.recipients.map(({ state }) => state)).not.toContain("refused");
      expect(await scene.arrived()).toEqual([{ body: "one", lock: held }]);
      await scene.release(scene.anna, { id });
    });

    it("is refused with a token that is stale, another's, or of another resource, and nothing is stored", async () => {
      const { anna, ben, carl } = scene;
      const old = await scene.lock(anna);
      await scene.release(anna, old);
      const bens = await scene.lock(carl);
      const other = await scene.lock(anna, "src/b.ts");
      const sent = await scene.sent(anna);
      const answered = (await ben.send("anna", "a question")).message_id;
      for (const [what, fence] of [
        ["stale", old],
        ["another's", bens],
        ["of another resource", { ...other, resource: "src/a.ts" }],
        ["never given", { resource: "src/b.ts", fencing_token: other.fencing_token + 1 }],
      ] as const) {
        const { resource, fencing_token } = fence;
        const more = { resource, fencing_token, in_reply_to: answered };
        await expect(send(scene, anna, what, more), what).rejects.toThrow(stale);
        await expect(send(scene, anna, what, { ...more, idempotency_key: what }), what).rejects.toThrow(
          stale,
        );
      }
      expect(await scene.arrived()).toEqual([]);
      expect(await scene.sent(anna)).toBe(sent);
      await scene.release(carl, bens);
    });

    it("is answered again after the lease is over, when it was stored before", async () => {
      const { anna, ben } = scene;
      const { id, ...held } = await scene.lock(anna);
      const in_reply_to = (await ben.send("anna", "a question", { again: true })).message_id;
      const keyed = { ...held, in_reply_to, idempotency_key: "again" };
      const first = await send(scene, anna, "kept", keyed);
      const unkeyed = await send(scene, anna, "kept too", { ...held, in_reply_to });
      await scene.release(anna, { id });
      expect(await send(scene, anna, "kept", keyed)).toMatchObject({
        message_id: first.message_id,
        replayed: true,
      });
      expect(await send(scene, anna, "kept too", { ...held, in_reply_to })).toMatchObject({
        duplicate_of: unkeyed.message_id,
      });
      await expect(send(scene, anna, "new", { ...keyed, idempotency_key: "other" })).rejects.toThrow(stale);
      await expect(send(scene, anna, "new", keyed)).rejects.toThrow(/^mailbox\.idempotency_conflict/);
      expect((await scene.arrived()).map(({ body }) => body)).toEqual(["kept", "kept too"]);
    });
  });

  it("is refused, however it is sent, when the lease ended between the look at it and the storing", async () => {
    const scene = await open();
    const { anna } = scene;
    const { id: _, ...held } = await scene.lock(anna, "short", { lease_seconds: 1 });
    let verified = 0;
    const over = new Promise((resolve) => setTimeout(resolve, 1_050));
    scene.onVerified(() => {
      verified += 1;
      return over;
    });
    const sends = ways.map(({ send }) => send(scene, anna, "late", held));
    for (const [n, sent] of (await Promise.allSettled(sends)).entries())
      expect(sent, ways[n]!.name).toMatchObject({
        reason: { code: "lock.stale_token", message: expect.stringContaining("Nothing was sent;") },
      });
    expect(verified).toBe(ways.length);
    expect(await scene.arrived()).toEqual([]);
    expect(await scene.sent(anna)).toBe(0);
  });

  it("is refused when the lock was taken from its sender and the next holder has sent to the same place", async () => {
    for (const [to, script] of [
      ["ben", "send-message"],
      ["topic:news", "publish-message"],
    ] as const) {
      const scene = await open();
      const { anna, carl } = scene;
      const { id, ...annas } = await scene.lock(anna);
      scene.before(script, async () => {
        await scene.forceRelease(id);
        const { id: _, ...carls } = await scene.lock(carl);
        await carl.send(to, "by the next holder", carls);
      });
      await expect(anna.send(to, "too late", annas), to).rejects.toThrow(stale);
      expect((await scene.arrived()).map(({ body }) => body)).toEqual(["by the next holder"]);
    }
  });

  it("is refused when what was taken from its sender overlaps what the next holder has sent under, and only then", async () => {
    for (const [theirs, next, isLate] of [
      ["src/**", "src/a.ts", true],
      ["src/a.ts", "src/**", true],
      ["src/*.ts", "src/a.*", true],
      ["src/**", "web/a.ts", false],
      ["src/a.ts", "src/b.ts", false],
    ] as const) {
      const what = `${theirs} and ${next}`;
      for (const [to, script] of [
        [["ben"], "send-message"],
        [["topic:news"], "publish-message"],
        [["ben", "anna"], "put-outbox"],
      ] as const) {
        const scene = await open();
        const { anna, carl } = scene;
        const { id, ...annas } = await scene.lock(anna, theirs);
        // Who sends to several keeps the tokens that it sent under: there both are anna's.
        const other = script === "put-outbox" ? anna : carl;
        scene.before(script, async () => {
          await scene.forceRelease(id);
          const { id: _, ...others } = await scene.lock(other, next);
          await other.send([...to], "by the next holder", others);
        });
        const late = anna.send([...to], "too late", annas);
        if (isLate) await expect(late, what).rejects.toThrow(stale);
        else await late;
        expect((await scene.arrived()).map(({ body }) => body).sort(), what).toEqual(
          ["by the next holder", ...(isLate ? [] : ["too late"])].sort(),
        );
      }
    }
  });

  it("to several is accepted once: an older token is refused there, and who is due is reached after the lease", async () => {
    const scene = await open();
    const { anna } = scene;
    const first = await scene.lock(anna);
    scene.before("put-outbox", async () => {
      await scene.forceRelease(first.id);
      const { id: _, ...second } = await scene.lock(anna);
      await anna.send(["ben", "carl"], "by the second", second);
    });
    const { id: _, ...old } = first;
    await expect(anna.send(["ben", "carl"], "by the first", old)).rejects.toThrow(stale);

    const { id, ...held } = await scene.lock(anna, "b");
    scene.before("send-message", () => scene.release(anna, { id }));
    await anna.send(["ben", "carl"], "accepted in time", held);
    expect((await scene.arrived()).map(({ body }) => body)).toEqual(["by the second", "accepted in time"]);
  });

  it("of those who share the lock is never late by another's token, only by one that excludes", async () => {
    const scene = await open();
    const { anna, ben, carl } = scene;
    const shared = { mode: "shared" } as const;
    const { id: annasId, ...annas } = await scene.lock(anna, "doc", shared);
    const { id: carlsId, ...carls } = await scene.lock(carl, "doc", shared);
    await carl.send("ben", "2", carls);
    await anna.send("ben", "1", annas);
    scene.before("send-message", async () => {
      await scene.forceRelease(annasId);
      await scene.forceRelease(carlsId);
      const { id: _, ...bens } = await scene.lock(ben, "doc");
      await ben.send("ben", "3", bens);
    });
    await expect(carl.send("ben", "late", carls)).rejects.toThrow(stale);
    expect((await scene.arrived()).map(({ body }) => body)).toEqual(["2", "1", "3"]);
  });

  it("opens no mailbox for a name that nobody has when the token is stale", async () => {
    const scene = await open();
    const { anna, house } = scene;
    const { id, ...held } = await scene.lock(anna);
    const told = { ...held, create: true, idempotency_key: "k" };
    await anna.send("quentin", "hello", told);
    await scene.release(anna, { id });
    for (const to of ["xavier", "queue:xyz"])
      await expect(anna.send(to, "hello", { ...held, create: true }), to).rejects.toThrow(stale);
    const mailboxes = await house.directory.mailboxes(house.config.namespace);
    expect(mailboxes).not.toContain("xavier");
    expect(mailboxes).not.toContain("queue:xyz");
    expect(await anna.send("quentin", "hello", told)).toMatchObject({ replayed: true });
  });

  it("is another message under another token", async () => {
    const scene = await open();
    const { anna } = scene;
    const { id, ...first } = await scene.lock(anna);
    await anna.send("ben", "the same", first);
    await anna.send("ben", "keyed", { ...first, idempotency_key: "k" });
    await scene.release(anna, { id });
    const { id: _, ...second } = await scene.lock(anna);
    expect(await anna.send("ben", "the same", second)).not.toHaveProperty("duplicate_of");
    await expect(anna.send("ben", "keyed", { ...second, idempotency_key: "k" })).rejects.toThrow(
      /^mailbox\.idempotency_conflict/,
    );
  });

  it("takes resource and fencing_token together, also when the postmaster is answered", async () => {
    const { anna } = await open();
    for (const more of [{ resource: "a" }, { fencing_token: 1 }])
      await expect(anna.send("ben", "x", more)).rejects.toThrow(
        /^input\.invalid: .*resource and fencing_token go together/,
      );
    await expect(
      anna.send("postmaster", "yes", { in_reply_to: "x", resource: "a", fencing_token: 1 }),
    ).rejects.toThrow(/^input\.invalid: .*neither resource nor fencing_token/);
    await expect(anna.send("ben", "x", { resource: "../..", fencing_token: 1 })).rejects.toThrow(
      /^lock\.resource_invalid/,
    );
  });

  it("is found with its lock by its reader, its sender, and in the history of a topic", async () => {
    const scene = await open();
    const { anna, ben, house } = scene;
    const { id: _, ...lock } = await scene.lock(anna);
    const { message_id: id } = await anna.send("ben", "direct", lock);
    await anna.send("topic:news", "published", lock);
    const { mail, topics } = house.rooms;
    const found = [
      ...(await mail.searchMessages(ben.caller, { query: "direct" })).messages,
      ...(await mail.searchMessages(anna.caller, { sent: true })).messages,
      ...(await mail.searchMessages(ben.caller, { topic: "news" })).messages,
      ...(await topics.history(ben.caller, "news", { limit: 9 })).messages,
      await mail.messageById(anna.caller, id),
      ...(await mail.thread(ben.caller, id)).messages,
    ];
    expect(found).toHaveLength(7);
    for (const message of found) expect(message.lock).toEqual(lock);
    await anna.send("ben", "without");
    expect((await ben.read()).messages.map((message) => "lock" in message)).toEqual([true, false, true]);
  });
});
