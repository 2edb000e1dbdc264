import { afterAll, beforeAll, expect, it } from "vitest";
import {
  findDeadLetters,
  inspectMailbox,
  queueConsumers,
  recentMessages,
  unreadMail,
  waitingOutboxes,
  watchMailbox,
} from "../../src/mailbox/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { type MailOffice, openMail } from "./open-mail.js";

describeOnEachStore("what the operator sees of mailboxes", (store) => {
  let office: MailOffice;
  beforeAll(async () => {
    office = await openMail(store().url);
  });
  afterAll(() => office.close());

  it("counts what is ready, open, delayed and dead in a queue, and at which run it is open", async () => {
    const { context, namespace } = office;
    const [alice, bob, carol] = [await office.as("alice"), await office.as("bob"), await office.as("carol")];
    const ids: string[] = [];
    for (const priority of ["urgent", "normal", "normal", "urgent", "low"] as const)
      ids.push((await alice.send("queue:counted", `job ${ids.length}`, { priority })).message_id);
    for (const clerk of [bob, bob, carol, carol]) await clerk.read({ mailbox: "queue:counted" });
    await bob.ack(ids[0]!, "reject");
    await carol.ack(ids[1]!, "retry", { delay_seconds: 600 });
    const counts = await inspectMailbox(context, namespace, "queue:counted");
    expect(counts).toMatchObject({ ready: 1, urgent: 0, open: 2, delayed: 1, dead: 1, deadTrimmed: 0 });
    expect(counts.bytes).toBeGreaterThan(0);
    expect([...counts.openAt].sort()).toEqual(
      [
        [bob.caller.run.id, 1],
        [carol.caller.run.id, 1],
      ].sort(),
    );
    expect(await inspectMailbox(context, namespace, "queue:nobody-knows")).toMatchObject({
      ready: 0,
      bytes: 0,
    });
    const consumers = await queueConsumers(context, namespace, ["alice", "bob", "carol"]);
    expect(consumers.get("counted")).toEqual(["bob", "carol"]);
  });

  it("lists everything kept, oldest first, and from a sequence on, over more than one page", async () => {
    const { context, namespace } = office;
    const [dora, emil] = [await office.as("dora"), await office.as("emil")];
    for (let n = 0; n < 205; n++) await dora.send("emil", `letter ${n}`);
    await emil.read({ limit: 3 });
    const newest = await recentMessages(context, namespace, "emil", { limit: 3 });
    expect(newest.map(({ message }) => message.body)).toEqual(["letter 202", "letter 203", "letter 204"]);
    const all = await recentMessages(context, namespace, "emil", { after: 0 });
    expect(all.map(({ message }) => message.body)).toEqual(
      Array.from({ length: 205 }, (_, n) => `letter ${n}`),
    );
    expect(all.slice(0, 4).map(({ state }) => state)).toEqual(["read", "read", "read", "stored"]);
    const rest = await recentMessages(context, namespace, "emil", { after: all[203]!.sequence });
    expect(rest.map(({ message }) => message.body)).toEqual(["letter 204"]);
    expect(await recentMessages(context, namespace, "emil", { after: all[204]!.sequence })).toEqual([]);
  });

  it("is woken when a mailbox changes", async () => {
    const { context, namespace } = office;
    const fred = await office.as("fred");
    let woken = (): void => {};
    const wake = new Promise<void>((resolve) => {
      woken = resolve;
    });
    const stop = await watchMailbox(context, namespace, "queue:watched", woken);
    await fred.send("queue:watched", "job");
    await wake;
    stop();
  });

  it("finds dead letters by id in each mailbox where they lie, and nothing that is alive", async () => {
    const { context, namespace } = office;
    const [gina, hugo] = [await office.as("gina"), await office.as("hugo")];
    const { message_id: id } = await gina.send(["queue:left", "queue:right"], "to both");
    const { message_id: alive } = await gina.send("queue:left", "still good");
    for (const queue of ["queue:left", "queue:right"]) {
      await hugo.read({ mailbox: queue });
      await hugo.ack(id, "reject");
    }
    const found = await findDeadLetters(
      context,
      namespace,
      ["hugo", "queue:left", "queue:right"],
      [id, alive, "no id at all"],
    );
    expect(found.map(({ mailbox, letter }) => [mailbox, letter.message.id, letter.reason])).toEqual([
      ["queue:left", id, "rejected"],
      ["queue:right", id, "rejected"],
    ]);
    expect(await findDeadLetters(context, namespace, ["queue:left"], ["}", ""])).toEqual([]);
  });

  it("counts the unread of an agent without making it anything else, and not what has expired", async () => {
    const { context } = office;
    const [ida, jan] = [await office.as("ida"), await office.as("jan")];
    await ida.send("jan", "quick", { ttl_seconds: 1 });
    expect(await unreadMail(context, jan.caller)).toMatchObject({ unread: 1, senders: ["ida"] });
    await expect
      .poll(() => unreadMail(context, jan.caller), { timeout: 5_000 })
      .toMatchObject({ unread: 0, senders: [] });
    await ida.send("jan", "first", { priority: "low" });
    await office.as("kim").then((kim) => kim.send("jan", "second", { priority: "urgent" }));
    for (let n = 0; n < 2; n++)
      expect(await unreadMail(context, jan.caller)).toMatchObject({
        urgent: 1,
        open: 0,
        senders: ["kim", "ida"],
      });
    const { messages } = await jan.read();
    expect(messages.map(({ body, delivery_count }) => [body, delivery_count])).toEqual([
      ["second", 1],
      ["first", 1],
    ]);
    expect(await unreadMail(context, jan.caller)).toMatchObject({ unread: 0, open: 2, senders: [] });
  });

  it("says how many outboxes wait for delivery and how long they are overdue", async () => {
    const { context, namespace, store: open } = office;
    expect(await waitingOutboxes(context, `${namespace}x`)).toEqual({ count: 0, overdueMs: 0 });
    await open.command("ZADD", `{${namespace}x:dir}:outboxes`, Math.round(open.now()) - 90_000, "late");
    const waiting = await waitingOutboxes(context, `${namespace}x`);
    expect(waiting.count).toBe(1);
    expect(waiting.overdueMs).toBeGreaterThanOrEqual(89_000);
    expect(waiting.overdueMs).toBeLessThan(120_000);
  });
});
