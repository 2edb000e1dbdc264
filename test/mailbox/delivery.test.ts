import { afterAll, beforeAll, expect, it } from "vitest";
import { describeOnEachStore } from "../stores/index.js";
import { type MailOffice, openMail } from "./open-mail.js";

describeOnEachStore("delivering mail", (store) => {
  let office: MailOffice;
  beforeAll(async () => {
    office = await openMail(store().url);
  });
  afterAll(() => office.close());

  it("delivers a message once, with who sent it, and settles it by the next read", async () => {
    const alice = await office.as("alice");
    const bob = await office.as("bob");
    const sent = await alice.send("bob", "hello", { subject: "greeting", data: { n: 1 } });
    expect(sent).toMatchObject({ recipients: [{ to: "bob", state: "stored" }], replayed: false });
    const inbox = await bob.read();
    expect(inbox.messages).toMatchObject([
      {
        id: sent.message_id,
        from: "alice",
        verified: false,
        body: "hello",
        subject: "greeting",
        data: { n: 1 },
        delivery_count: 1,
      },
    ]);
    expect(inbox.unread).toBe(0);
    expect(inbox.open).toBe(1);
    expect(await bob.read()).toMatchObject({ messages: [], open: 0 });
    // Programs get this as it is: nothing of how we wait.
    const fields = ["messages", "unread", "urgent", "open", "reminders", "gaps", "collapsed", "timed_out"];
    expect(Object.keys(await bob.read())).toEqual(fields);
    const waited = await bob.read({ wait_seconds: 1 });
    expect(waited).toMatchObject({ timed_out: true, waited_seconds: 1 });
    expect(Object.keys(waited)).toEqual([...fields, "waited_seconds"]);
  });

  it("gives what a run had open to the agent's next run, counted", async () => {
    const alice = await office.as("alice");
    const first = await office.as("carol");
    await alice.send("carol", "one");
    expect((await first.read()).messages).toHaveLength(1);
    await first.end();
    const second = await office.as("carol");
    expect((await second.read()).messages).toMatchObject([{ body: "one", delivery_count: 2 }]);
  });

  it("does not count a read whose reply never arrived, and delivers again with the next", async () => {
    const alice = await office.as("alice");
    const dora = await office.as("dora");
    await alice.send("dora", "one");
    expect((await dora.read({}, { reached: false })).messages).toHaveLength(1);
    expect((await dora.read()).messages).toMatchObject([{ body: "one", delivery_count: 1 }]);
  });

  it("orders by priority, then by arrival", async () => {
    const alice = await office.as("alice");
    const eve = await office.as("eve");
    await alice.send("eve", "normal 1");
    await alice.send("eve", "low", { priority: "low" });
    await alice.send("eve", "urgent", { priority: "urgent" });
    await alice.send("eve", "normal 2");
    expect((await eve.read()).messages.map((m) => m.body)).toEqual(["urgent", "normal 1", "normal 2", "low"]);
  });

  it("wakes a waiting reader when a message is stored", async () => {
    const alice = await office.as("alice");
    const fred = await office.as("fred");
    const reading = fred.read({ wait_seconds: 20 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const started = Date.now();
    await alice.send("fred", "wake up");
    expect((await reading).messages).toHaveLength(1);
    expect(Date.now() - started).toBeLessThan(5_000);
  });

  it("answers a wait that saw nothing as a timeout, not as an error", async () => {
    const gina = await office.as("gina");
    expect(await gina.read({ wait_seconds: 1 })).toMatchObject({ messages: [], timed_out: true });
  });

  it("gives each job of a queue to one consumer and takes it back from a run that is gone", async () => {
    const alice = await office.as("alice");
    const one = await office.as("worker-1");
    const two = await office.as("worker-2");
    await alice.send("queue:reviews", "job", {});
    const job = (await one.read({ mailbox: "queue:reviews" })).messages[0]!;
    expect(job).toMatchObject({ body: "job", to: "queue:reviews", delivery_count: 1 });
    expect((await two.read({ mailbox: "queue:reviews" })).messages).toEqual([]);
    await one.end(false);
    expect((await two.read({ mailbox: "queue:reviews" })).messages).toMatchObject([
      { id: job.id, delivery_count: 2 },
    ]);
    expect((await one.ack(job.id)).results).toMatchObject([
      { state: "refused", refusal: { code: "delivery.superseded" } },
    ]);
    expect((await two.ack(job.id)).results).toEqual([{ id: job.id, state: "settled" }]);
    expect((await two.ack(job.id)).results).toEqual([{ id: job.id, state: "settled" }]);
  });

  it("buries a job after its third failure and tells the sender", async () => {
    const hank = await office.as("hank");
    const worker = await office.as("worker-3");
    await hank.send("queue:fails", "poison");
    for (const expected of ["retrying", "retrying", "dead"]) {
      const [job] = (await worker.read({ mailbox: "queue:fails", wait_seconds: 2 })).messages;
      const [result] = (await worker.ack(job!.id, "retry", { delay_seconds: 0 })).results;
      expect(result!.state).toBe(expected);
    }
    const told = await hank.read({ wait_seconds: 5 });
    expect(told.messages).toMatchObject([{ from: "postmaster", verified: true }]);
    expect(told.messages[0]!.body).toContain("dead letter");
  });

  it("sends to several with a receipt for each, and replays the same answer for the same key", async () => {
    const alice = await office.as("alice");
    await office.as("ida");
    await office.as("jon");
    const first = await alice.send(["ida", "jon"], "both", { idempotency_key: "k1" });
    expect(first.recipients).toEqual([
      { to: "ida", state: "stored" },
      { to: "jon", state: "stored" },
    ]);
    const again = await alice.send(["jon", "ida"], "both", { idempotency_key: "k1" });
    expect(again).toMatchObject({
      message_id: first.message_id,
      replayed: true,
      recipients: first.recipients,
    });
    await expect(alice.send(["jon", "ida"], "other", { idempotency_key: "k1" })).rejects.toThrow(
      /^mailbox.idempotency_conflict/,
    );
    const ida = await office.as("ida");
    expect((await ida.read()).messages.filter((m) => m.body === "both")).toHaveLength(1);
  });

  it("inserts nothing for an equal send of the same run within a minute, unless again", async () => {
    const alice = await office.as("alice");
    const kim = await office.as("kim");
    const first = await alice.send("kim", "same");
    const second = await alice.send("kim", "same");
    expect(second.duplicate_of).toBe(first.message_id);
    const third = await alice.send("kim", "same", { again: true });
    expect(third.duplicate_of).toBeUndefined();
    expect((await kim.read()).messages).toHaveLength(2);
  });

  it("refuses a near miss of a known name, and opens a mailbox for any other", async () => {
    const alice = await office.as("alice");
    await office.as("reviewer");
    await expect(alice.send("reviewr", "x")).rejects.toThrow(
      /^mailbox.unknown_recipient: .*did you mean reviewer/,
    );
    expect((await alice.send("zebra", "x")).recipients).toEqual([
      { to: "zebra", state: "stored", opened: true },
    ]);
  });
});
