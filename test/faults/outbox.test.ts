import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { House } from "../../src/compose.js";
import { sweepOutboxes } from "../../src/mailbox/index.js";
import { type StoreName, startStore, type TestStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";
import { Agent, openFaultHouse } from "./fault-house.js";
import { type Cut, StoreProxy } from "./store-proxy.js";

const recipients = ["bob", "carl", "dora", "queue:work", "topic:news.today"];
const stores: readonly StoreName[] = ["embedded", "redis-server"];

/** Sweeps as if time had passed, until nothing is left to sweep. */
async function sweepAll({ store, mail, config: { namespace } }: House): Promise<void> {
  const outboxes = `{${namespace}:dir}:outboxes`;
  for (;;) {
    const waiting = (await store.command("ZRANGE", outboxes, "0", "-1")) as string[];
    if (waiting.length === 0) return;
    for (const mailbox of waiting) await store.command("ZADD", outboxes, "XX", "1", mailbox);
    await sweepOutboxes(mail, namespace);
  }
}

/** What each recipient has in the end. */
type Reached = Record<string, readonly string[]>;

describe.each(stores)("a send to several whose process is gone at some step (%s)", (name) => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startStore(name, "disk");
  });
  afterAll(() => store.stop());

  /** Sends through a connection that ends for good at this step; then another process does what is left, and all read. */
  async function sendAndDie(
    cut: Cut,
  ): Promise<{ readonly commands: number; readonly answered: boolean; reached: Reached }> {
    const namespace = newNamespace();
    const proxy = await StoreProxy.before(store.url);
    const survivor = await openFaultHouse(store.url, namespace);
    const readers = await Promise.all(["bob", "carl", "dora"].map((one) => Agent.begin(survivor, one)));
    await survivor.rooms.topics.subscribeTopic(readers[0]!.caller, { topic: "news.**" });
    const dying = await openFaultHouse(proxy.url, namespace, 3_000);
    const alice = await Agent.begin(dying, "alice");
    void proxy.arm({ ...cut, stayAway: true });
    const answered = await alice.send(recipients, "to all of you", { idempotency_key: "k" }).then(
      () => true,
      () => false,
    );
    const commands = proxy.seen.length;
    await proxy.close(); // nothing of that process reaches the store any more
    await sweepAll(survivor);
    const [bob, carl, dora] = readers as [Agent, Agent, Agent];
    const bodies = async (reader: Agent, mailbox?: string): Promise<readonly string[]> => {
      const found: string[] = [];
      for (;;) {
        const { messages } = await reader.read(mailbox ? { mailbox, limit: 10 } : {});
        if (messages.length === 0) return found;
        found.push(
          ...messages.map(
            (one) => `${one.body} by ${one.from} at ${one.to.startsWith("topic:") ? "topic" : "box"}`,
          ),
        );
      }
    };
    const reached = {
      bob: [...(await bodies(bob))].sort(),
      carl: await bodies(carl),
      dora: await bodies(dora),
      queue: await bodies(bob, "queue:work"),
    };
    await Promise.all([survivor.close(), dying.close()]);
    return { commands, answered, reached };
  }

  const direct = "to all of you by alice at box";
  const all: Reached = {
    bob: [direct, "to all of you by alice at topic"],
    carl: [direct],
    dora: [direct],
    queue: [direct],
  };
  const nobody: Reached = { bob: [], carl: [], dora: [], queue: [] };

  const title = "reaches every recipient once when it was accepted, and nobody when it was not";
  it(title, { timeout: 180_000 }, async () => {
    const whole = await sendAndDie({ nth: Number.POSITIVE_INFINITY, when: "before" });
    expect(whole).toMatchObject({ answered: true, reached: all });
    const cuts: Cut[] = Array.from({ length: whole.commands }, (_, n) => n + 1).flatMap((nth) =>
      (["before", "after"] as const).map((when) => ({ nth, when })),
    );
    // Which of them accepts it differs from run to run, and that one is met on purpose too.
    for (const when of ["before", "after"] as const) cuts.push({ nth: 1, when, of: recipients.join(",") });
    const ends: ({ readonly where: string } & Awaited<ReturnType<typeof sendAndDie>>)[] = [];
    // Few at a time: each opens two processes' worth of connections, and none may run out of time for that.
    const worker = async (): Promise<void> => {
      for (let cut = cuts.pop(); cut; cut = cuts.pop())
        ends.push({
          where: `${cut.when} ${cut.nth} ${cut.of ? "that accepts" : ""}`,
          ...(await sendAndDie(cut)),
        });
    };
    await Promise.all(Array.from({ length: 24 }, worker));
    for (const { where, answered, reached } of ends) {
      if (answered) expect(reached, where).toEqual(all);
      else expect([all, nobody], where).toContainEqual(reached);
    }
    // Both ends were met, so the middle was not left out.
    const accepting = ends.filter(({ where }) => where.includes("accepts"));
    expect(accepting).toContainEqual(expect.objectContaining({ answered: false, reached: nobody }));
    expect(accepting).toContainEqual(expect.objectContaining({ answered: false, reached: all }));
  });
});
