import { Redis } from "ioredis";
import { afterAll, beforeAll, type ExpectStatic, expect, it } from "vitest";
import type { House } from "../../src/compose.js";
import { isRefusal, type MailboxError } from "../../src/errors/index.js";
import { type Caller, operatorPrincipal, type RunId } from "../../src/identity/index.js";
import { forceRelease } from "../../src/locks/index.js";
import { sweepOutboxes } from "../../src/mailbox/index.js";
import { directoryKeys } from "../../src/redis/index.js";
import { describeBeside, patientMs, type StoreName, startStore, type TestStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";
import { Agent, openFaultHouse } from "./fault-house.js";
import { plain, storeImage } from "./store-image.js";
import { type Cut, StoreProxy } from "./store-proxy.js";

/** Who takes part in a call, all of them behind the connection that is cut. */
interface Stage {
  readonly house: House;
  readonly alice: Agent;
  readonly bob: Agent;
  /** What the preparation left for the call: an id to answer or settle. */
  id: string;
}

interface Call {
  readonly name: string;
  readonly prepare?: (stage: Stage) => Promise<void>;
  readonly make: (stage: Stage) => Promise<object>;
}

interface Expected {
  readonly answer: Record<string, unknown>;
  readonly image: Record<string, unknown>;
  /** What alice and bob find they have sent. */
  readonly sent: readonly unknown[];
  readonly commands: number;
}

const key = { idempotency_key: "the-key" };
const toBob = async (stage: Stage): Promise<void> => {
  stage.id = (await stage.alice.send("bob", "a question")).message_id;
};
const jobForBob = async (stage: Stage): Promise<void> => {
  stage.id = (await stage.alice.send("queue:work", "a job")).message_id;
  await stage.bob.read({ mailbox: "queue:work" });
};

const sends: readonly Call[] = [
  { name: "send to one", make: ({ alice }) => alice.send("bob", "hello", key) },
  { name: "send to a name nobody has", make: ({ alice }) => alice.send("zebra", "hello", key) },
  { name: "send to several", make: ({ alice }) => alice.send(["bob", "carl", "queue:work"], "hello", key) },
  {
    name: "send to several with a topic",
    make: ({ alice }) => alice.send(["bob", "topic:news.today"], "hello", key),
  },
  { name: "send to a queue", make: ({ alice }) => alice.send("queue:work", "a job", key) },
  { name: "send to a topic", make: ({ alice }) => alice.send("topic:news.today", "news", key) },
  {
    name: "reply to a message that was read",
    prepare: async (stage) => {
      await toBob(stage);
      await stage.bob.read();
    },
    make: ({ bob, id }) => bob.send("alice", "an answer", { in_reply_to: id, ...key }),
  },
  {
    name: "reply to a job",
    prepare: jobForBob,
    make: ({ bob, id }) => bob.send("alice", "the result", { in_reply_to: id, ...key }),
  },
  ...(["bob", "topic:news.today", ["bob", "queue:work"]] as const).map((to) => ({
    name: `send under a lock to ${to}`,
    prepare: async (stage: Stage) => {
      const answer = await stage.house.rooms.locks.acquireLock(stage.alice.caller, { resources: ["x"] });
      stage.id = String(answer.token);
    },
    make: ({ alice, id }: Stage) =>
      alice.send(typeof to === "string" ? to : [...to], "hello", {
        ...{ resource: "x", fencing_token: Number(id) },
        ...key,
      }),
  })),
];

const reads: readonly Call[] = [
  {
    name: "read_inbox",
    prepare: async (stage) => {
      await toBob(stage);
      await stage.bob.read();
      await stage.alice.send("bob", "one more");
    },
    make: ({ bob }) => bob.read(),
  },
  {
    name: "read_inbox with a followed topic",
    prepare: async (stage) => {
      await stage.house.rooms.topics.subscribeTopic(stage.bob.caller, { topic: "news.**" });
      await stage.alice.send("topic:news.today", "earlier");
      await stage.bob.read();
      await stage.alice.send("topic:news.today", "later");
      await stage.alice.send("bob", "direct");
    },
    make: ({ bob }) => bob.read(),
  },
  {
    name: "read_inbox of a queue",
    prepare: async ({ alice }) => {
      await alice.send("queue:work", "job 1");
      await alice.send("queue:work", "job 2");
    },
    make: ({ bob }) => bob.read({ mailbox: "queue:work" }),
  },
];

const settles: readonly Call[] = (["done", "retry", "reject", "extend"] as const).map((outcome) => ({
  name: `ack_messages ${outcome}`,
  prepare: jobForBob,
  make: ({ bob, id }) =>
    bob.ack(id, outcome, outcome === "retry" || outcome === "extend" ? { delay_seconds: 60, ...key } : key),
}));

const others: readonly Call[] = [
  {
    name: "ack_messages done for a topic's message",
    prepare: async (stage) => {
      await stage.house.rooms.topics.subscribeTopic(stage.bob.caller, { topic: "news" });
      stage.id = (await stage.alice.send("topic:news", "x")).message_id;
      await stage.bob.read();
    },
    make: ({ bob, id }) => bob.ack(id, "done", key),
  },
  {
    name: "subscribe_topic",
    make: ({ house, bob }) => house.rooms.topics.subscribeTopic(bob.caller, { topic: "news.*", ...key }),
  },
  {
    name: "subscribe_topic with a pattern of any root",
    prepare: async ({ alice }) => {
      await alice.send("topic:news", "x");
      await alice.send("topic:builds", "x");
    },
    make: ({ house, bob }) => house.rooms.topics.subscribeTopic(bob.caller, { topic: "**", ...key }),
  },
  {
    name: "subscribe_topic to stop",
    prepare: async ({ house, bob }) => {
      await house.rooms.topics.subscribeTopic(bob.caller, { topic: "news.*" });
    },
    make: ({ house, bob }) =>
      house.rooms.topics.subscribeTopic(bob.caller, { topic: "news.*", stop: true, ...key }),
  },
  {
    name: "my_status with a description",
    make: ({ house, bob }) =>
      house.rooms.agents.myStatus(bob.caller, { describe: "reviews code", capabilities: ["review"], ...key }),
  },
];

const aliceHolds = async ({ house, alice }: Stage): Promise<string> =>
  (await house.rooms.locks.acquireLock(alice.caller, { resources: ["x", "src/**"] })).lock_id!;
const bobWaits = async ({ house, bob }: Stage): Promise<string> =>
  (await house.rooms.locks.acquireLock(bob.caller, { resources: ["src/a"] })).ticket!;

const locks: readonly Call[] = [
  {
    name: "acquire_lock",
    make: ({ house, bob }) =>
      house.rooms.locks.acquireLock(bob.caller, { resources: ["x", "src/**"], ...key }),
  },
  {
    name: "acquire_lock of what somebody holds",
    prepare: async (stage) => void (await aliceHolds(stage)),
    make: ({ house, bob }) => house.rooms.locks.acquireLock(bob.caller, { resources: ["src/a"], ...key }),
  },
  {
    name: "acquire_lock with a ticket whose turn it is",
    prepare: async (stage) => {
      const held = await aliceHolds(stage);
      stage.id = await bobWaits(stage);
      await stage.house.rooms.locks.releaseLock(stage.alice.caller, { lock_id: held });
    },
    make: ({ house, bob, id }) => house.rooms.locks.acquireLock(bob.caller, { ticket: id }),
  },
  {
    name: "acquire_lock with a lock_id to renew",
    prepare: async (stage) => {
      stage.id = await aliceHolds(stage);
    },
    make: ({ house, alice, id }) =>
      house.rooms.locks.acquireLock(alice.caller, { lock_id: id, lease_seconds: 3_600 }),
  },
  {
    name: "release_lock with somebody next",
    prepare: async (stage) => {
      stage.id = await aliceHolds(stage);
      await bobWaits(stage);
    },
    make: ({ house, alice, id }) => house.rooms.locks.releaseLock(alice.caller, { lock_id: id, ...key }),
  },
  {
    name: "release_lock without a key",
    prepare: async (stage) => {
      stage.id = await aliceHolds(stage);
    },
    make: ({ house, alice, id }) => house.rooms.locks.releaseLock(alice.caller, { lock_id: id }),
  },
  {
    name: "release_lock of a ticket",
    prepare: async (stage) => {
      await aliceHolds(stage);
      stage.id = await bobWaits(stage);
    },
    make: ({ house, bob, id }) => house.rooms.locks.releaseLock(bob.caller, { ticket: id }),
  },
  {
    name: "list_locks",
    prepare: async (stage) => void (await aliceHolds(stage)),
    make: ({ house, bob }) => house.rooms.locks.listLocks(bob.caller, { resource: "src/a" }),
  },
  {
    name: "the end of a run that holds and waits",
    prepare: async (stage) => {
      await aliceHolds(stage);
      stage.id = await bobWaits(stage);
      await stage.house.rooms.locks.acquireLock(stage.bob.caller, { resources: ["y"] });
    },
    make: async ({ house, bob }) => {
      await house.rooms.runs.end(bob.caller);
      return {};
    },
  },
  {
    name: "a release by force",
    prepare: async (stage) => {
      stage.id = await aliceHolds(stage);
      await bobWaits(stage);
    },
    make: async ({ house, id }) => ({
      ...(await forceRelease(house.locks, operator(house), id, "it hangs")),
    }),
  },
];

const operator = (house: House): Caller => ({
  principal: operatorPrincipal(house.config.namespace),
  run: { id: "operator/command-line" as RunId },
});

/** Long enough for a busy machine, short enough to wait out. */
const shortCallMs = 2_000;

const storesUnderFault: readonly StoreName[] = ["embedded", "redis-server"];

/** Both stores at a time: most tests wait until calls give up. */
describeBeside("the connection to the store cut at each command", storesUnderFault, (name) => {
  let store: TestStore;
  let redis: Redis;
  beforeAll(async () => {
    store = await startStore(name);
    redis = new Redis({ path: store.url.slice("unix://".length) });
  });
  afterAll(async () => {
    redis.disconnect();
    await store.stop();
  });

  interface SetUp {
    readonly stage: Stage;
    readonly proxy: StoreProxy;
    /** From now on the process sweeps, when it beats. */
    readonly sweep: () => Promise<unknown>;
    /** Whether the minute of the beginning still runs: another counts sends anew. */
    readonly isSameMinute: () => boolean;
    readonly leave: () => Promise<void>;
  }

  /** A stage of its own, which does not sweep yet: a cut is made at a command of the call. */
  async function setUp(call: Call, callTimeoutMs: number): Promise<SetUp> {
    const began = minuteNow();
    const namespace = newNamespace();
    const { sweeper } = directoryKeys(namespace);
    await redis.set(sweeper, "another", "PX", 6_000);
    const proxy = await StoreProxy.before(store.url);
    const house = await openFaultHouse(proxy.url, namespace, callTimeoutMs);
    const [alice, bob] = [await Agent.begin(house, "alice"), await Agent.begin(house, "bob")];
    await Agent.begin(house, "carl");
    const stage: Stage = { house, alice, bob, id: "" };
    await call.prepare?.(stage);
    return {
      stage,
      proxy,
      sweep: () => redis.del(sweeper),
      isSameMinute: () => minuteNow() === began,
      leave: async () => {
        proxy.heal();
        await house.close();
        await proxy.close();
      },
    };
  }

  interface CutCall extends SetUp {
    /** The call's answer, or the error it ends with. */
    readonly outcome: Promise<object>;
  }

  /**
   * Makes a call on a stage of its own that is cut there; answers when it is, or when the call is over uncut.
   *
   * @param look what is to be looked at before the call
   */
  async function cutCall(
    call: Call,
    callTimeoutMs: number,
    cut: Cut,
    look: (stage: Stage) => Promise<void> = async () => undefined,
  ): Promise<CutCall> {
    const begun = await setUp(call, callTimeoutMs);
    await look(begun.stage);
    const isCut = begun.proxy.arm(cut);
    const outcome = call.make(begun.stage).catch((error: Error) => error);
    await Promise.race([isCut, outcome]);
    await begun.sweep();
    return { ...begun, outcome };
  }

  const imageOf = (stage: Stage): Promise<Record<string, unknown>> =>
    storeImage(store.url, stage.house.config.namespace);
  const answerOf = (stage: Stage, answer: object): Record<string, unknown> =>
    JSON.parse(
      plain(
        JSON.stringify(answer, (_, value: unknown) =>
          typeof value === "number" && value > 1e9 ? "TIME" : value,
        ),
        stage.house.config.namespace,
      ),
    ) as Record<string, unknown>;

  /** What is there when no outbox holds anything any more; the house sweeps by itself too. */
  async function sweptImage(stage: Stage): Promise<Record<string, unknown>> {
    const { namespace } = stage.house.config;
    for (;;) {
      await makeDue(store.url, namespace);
      await sweepOutboxes(stage.house.mail, namespace);
      const image = await imageOf(stage);
      if (!Object.keys(image).some((name) => name.endsWith(":outbox"))) return image;
    }
  }

  async function sentOf({ house, alice, bob }: Stage): Promise<readonly unknown[]> {
    return Promise.all(
      [alice, bob].map(async ({ caller }) => {
        const { messages } = await house.rooms.mail.searchMessages(caller, { sent: true });
        return messages.map(({ excerpt, states }) => ({ excerpt, states }));
      }),
    );
  }

  const withoutFault = new Map<Call, Promise<Expected>>();
  const expected = (call: Call): Promise<Expected> => {
    const known = withoutFault.get(call) ?? measured(call);
    withoutFault.set(call, known);
    return known;
  };

  /** The call without a fault: its answer, the state it leaves, and the commands it takes once its scripts are loaded. */
  async function measured(call: Call): Promise<Expected> {
    await measure(call);
    const [once, again] = [await measure(call), await measure(call)];
    // What the process does for itself at its own times may fall into one of them.
    return { ...once, commands: Math.min(once.commands, again.commands) };
  }

  async function measure(call: Call): Promise<Expected> {
    const { stage, proxy, isSameMinute, leave } = await setUp(call, patientMs);
    void proxy.arm({ nth: Number.POSITIVE_INFINITY, when: "before" });
    const answer = answerOf(stage, await call.make(stage));
    const commands = proxy.seen.length;
    const image = await imageOf(stage);
    const sent = await sentOf(stage);
    await leave();
    return isSameMinute() ? { answer, image, sent, commands } : measure(call);
  }

  /** Every n of the call and one more, where nothing is cut. */
  async function forEveryCut(
    commands: number,
    attempt: (nth: number, when: "before" | "after") => Promise<boolean>,
  ): Promise<void> {
    await Promise.all(
      (["before", "after"] as const).map(async (when) => {
        const cuts = await Promise.all(Array.from({ length: commands + 1 }, (_, n) => attempt(n + 1, when)));
        expect(cuts.slice(0, commands)).not.toContain(false);
      }),
    );
    expect(commands).toBeGreaterThan(0);
  }

  it.for([...sends, ...reads, ...settles, ...others, ...locks])(
    "$name: the caller notices nothing, and the state is that of one execution",
    async (call) => {
      const once = await expected(call);
      await forEveryCut(once.commands, async function attempt(nth, when): Promise<boolean> {
        const cut = await cutCall(call, patientMs, { nth, when });
        const { stage, proxy, leave, outcome } = cut;
        const answered = await outcome;
        if (answered instanceof Error) throw answered;
        const answer = answerOf(stage, answered);
        const { hasCut } = proxy;
        const where = `cut ${when} command ${nth}: ${proxy.seen[nth - 1]}`;
        const image = await imageOf(stage);
        await leave();
        if (!cut.isSameMinute()) return attempt(nth, when);
        expect(answer, where).toEqual(once.answer);
        expect(image, where).toEqual(once.image);
        return hasCut;
      });
    },
  );

  it.for(sends)(
    "$name: when the store stays away the caller is told so, and its retry says replayed if it had been done",
    async (call, { expect }) => {
      const once = await expected(call);
      await forEveryCut(once.commands, async (nth, when) => {
        const cut: Cut = { nth, when, stayAway: true };
        const { stage, proxy, leave, outcome } = await cutCall(call, shortCallMs, cut);
        const first = await outcome;
        const { hasCut } = proxy;
        const where = `cut ${when} command ${nth}: ${proxy.seen[nth - 1]}`;
        const accepted = /"k\|\w+\|DIGEST = DIGEST\|ATTEMPT/.test(JSON.stringify(await imageOf(stage)));
        if (first instanceof Error) {
          const unavailable = isRefusal(first, "store.unavailable");
          expect(unavailable || isRefusal(first, "store.outcome_unknown"), `${where}: ${first.stack}`).toBe(
            true,
          );
          if (accepted) expect(unavailable, `${where}: told that nothing was done`).toBe(false);
        } else expect(accepted, where).toBe(true);
        await back(stage, proxy, expect);
        const again = answerOf(stage, await makeAgain(call, stage));
        const image = await sweptImage(stage);
        const sent = await sentOf(stage);
        await leave();
        expect(again.replayed, where).toBe(accepted);
        expect(onlyMail(image), where).toEqual(onlyMail(once.image));
        expect(sent, where).toEqual(once.sent);
        return hasCut;
      });
    },
  );

  it.each([
    { when: "after", what: "was done", answer: "stored" },
    { when: "before", what: "is refused", answer: "lock.stale_token" },
  ] as const)(
    "a send under a lock, cut $when it was stored and repeated by us when the lease is over, $what",
    async ({ when, answer }) => {
      const { stage, proxy, sweep, leave } = await setUp({ name: "", make: async () => ({}) }, 20_000);
      const { house, alice, bob } = stage;
      await alice.send("bob", "so that the script is known");
      const { token } = await house.rooms.locks.acquireLock(alice.caller, {
        resources: ["x"],
        lease_seconds: 6,
      });
      const cut = proxy.arm({ nth: 1, when, of: ":mb:bob}:ready", stayAway: true });
      const sending = alice.send("bob", "hello", { resource: "x", fencing_token: token! }).then(
        ({ recipients }) => recipients[0]!.state as string,
        (error: MailboxError) => error.code,
      );
      await cut;
      await sweep();
      await new Promise((resolve) => setTimeout(resolve, 6_050));
      proxy.heal();
      expect(await sending).toBe(answer);
      const bodies = (await bob.read()).messages.map(({ body }) => body);
      expect(bodies.slice(1)).toEqual(when === "after" ? ["hello"] : []);
      await leave();
    },
  );

  it.for(settles)(
    "$name: repeated with its key after the store stayed away, it is done once and says replayed if it had been done",
    async (call, { expect }) => {
      const once = await expected(call);
      await forEveryCut(once.commands, async (nth, when) => {
        let before = {};
        const cut: Cut = { nth, when, stayAway: true };
        const { stage, proxy, leave, outcome } = await cutCall(call, shortCallMs, cut, async (prepared) => {
          before = onlyMail(await imageOf(prepared));
        });
        const first = await outcome;
        const { hasCut } = proxy;
        const where = `cut ${when} command ${nth}: ${proxy.seen[nth - 1]}`;
        const executed = JSON.stringify(onlyMail(await imageOf(stage))) !== JSON.stringify(before);
        if (first instanceof Error)
          expect(String(first), where).toMatch(/store\.(unavailable|outcome_unknown)/);
        if (first instanceof Error && executed)
          expect(String(first), where).toMatch(/store\.outcome_unknown/);
        await back(stage, proxy, expect);
        const again = answerOf(stage, await makeAgain(call, stage));
        const image = await sweptImage(stage);
        await leave();
        expect(again, where).toEqual({ ...once.answer, replayed: executed });
        expect(onlyMail(image), where).toEqual(onlyMail(once.image));
        return hasCut;
      });
    },
  );

  it.for(reads)(
    "$name: what was taken for a reply that never came is delivered by the next read, uncounted",
    async (call, { expect }) => {
      const once = await expected(call);
      await forEveryCut(once.commands, async (nth, when) => {
        const cut: Cut = { nth, when, stayAway: true };
        const { stage, proxy, leave, outcome } = await cutCall(call, shortCallMs, cut);
        const first = await outcome;
        const { hasCut } = proxy;
        const where = `cut ${when} command ${nth}: ${proxy.seen[nth - 1]}`;
        await back(stage, proxy, expect);
        if (first instanceof Error) {
          expect(String(first), where).toMatch(/store\.(unavailable|outcome_unknown)/);
          expect(answerOf(stage, await makeAgain(call, stage)), where).toEqual(once.answer);
        } else expect(answerOf(stage, first as object), where).toEqual(once.answer);
        await leave();
        return hasCut;
      });
    },
  );
});

/** As the store counts sends. */
const minuteNow = (): number => Math.floor(Date.now() / 60_000);

async function back({ house }: Stage, proxy: StoreProxy, expect: ExpectStatic): Promise<void> {
  proxy.heal();
  await expect.poll(() => house.store.connected, { timeout: 20_000 }).toBe(true);
}

/** The call again. A busy machine may not have answered within its short time, which says then that nothing was done. */
async function makeAgain(call: Call, stage: Stage): Promise<object> {
  for (;;)
    try {
      return await call.make(stage);
    } catch (error) {
      if (!isRefusal(error, "store.unavailable")) throw error;
    }
}

/** As if the entries of all outboxes had waited for long. */
async function makeDue(url: string, namespace: string): Promise<void> {
  const redis = new Redis({ path: url.slice("unix://".length) });
  const key = `{${namespace}:dir}:outboxes`;
  for (const mailbox of await redis.zrange(key, "0", "-1")) await redis.zadd(key, "XX", "1", mailbox);
  redis.disconnect();
}

/**
 * Without what tells of attempts rather than of mail: both count against the rate, the answer kept for a replay says how
 * far the first one came, what was noted as sent and never inserted is shown to nobody, and each call the caller makes
 * is a decision of its own.
 */
function onlyMail(image: Record<string, unknown>): Record<string, unknown> {
  const ofAttempts = /:(rate|operations|outboxes|sent|sent-to|audit)$/;
  return Object.fromEntries(Object.entries(image).filter(([name]) => !ofAttempts.test(name)));
}
