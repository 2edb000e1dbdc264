import { afterEach, expect, it } from "vitest";
import { Directory } from "../../src/agents/index.js";
import { refuse } from "../../src/errors/index.js";
import {
  type DeadLetter,
  listDeadLetters,
  MailboxKeeper,
  messageById,
  purgeDeadLetters,
  readInbox,
  recallMessage,
  requeueDeadLetters,
  searchMessages,
  thread,
} from "../../src/mailbox/index.js";
import { changeGrants } from "../agents/change-grants.js";
import { describeOnEachStore } from "../stores/index.js";
import { type MailOffice, openMail, unrecorded } from "./open-mail.js";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describeOnEachStore("what becomes of mail", (store) => {
  const offices: MailOffice[] = [];
  const open = async (limits: Parameters<typeof openMail>[1] = {}): Promise<MailOffice> => {
    const office = await openMail(store().url, limits);
    offices.push(office);
    return office;
  };
  afterEach(async () => {
    await Promise.all(offices.splice(0).map((office) => office.close()));
  });
  const stateFor = async (
    office: MailOffice,
    clerk: Awaited<ReturnType<MailOffice["as"]>>,
  ): Promise<string | undefined> =>
    (await searchMessages(office.context, clerk.caller, { sent: true })).messages[0]?.states[0]?.state;

  it("shows the sender each state of a message: stored, read, settled", async () => {
    const office = await open();
    const alice = await office.as("alice");
    const bob = await office.as("bob");
    await alice.send("bob", "hi");
    expect(await stateFor(office, alice)).toBe("stored");
    await bob.read();
    expect(await stateFor(office, alice)).toBe("read");
    await bob.read();
    expect(await stateFor(office, alice)).toBe("settled");
  });

  it("buries what expires unread, tells its state, and never delivers it", async () => {
    const office = await open();
    const alice = await office.as("alice");
    const bob = await office.as("bob");
    await alice.send("bob", "soon gone", { ttl_seconds: 1 });
    await alice.send("bob", "stays");
    await pause(1_100);
    expect((await bob.read()).messages.map((m) => m.body)).toEqual(["stays"]);
    const dead = await listDeadLetters(office.context, office.namespace, "bob", { limit: 10 });
    expect(dead).toMatchObject([{ reason: "expired", message: { body: "soon gone" } }]);
    const sent = await searchMessages(office.context, alice.caller, { sent: true });
    expect(sent.messages.map((m) => m.states[0]!.state)).toEqual(["read", "expired"]);
  });

  it("buries what expires in a mailbox that nobody reads, when it is swept", async () => {
    const office = await open();
    const alice = await office.as("alice");
    await alice.send("nobody", "never read", { ttl_seconds: 1 });
    await pause(1_100);
    await new MailboxKeeper(office.context).sweep(office.namespace);
    expect(await stateFor(office, alice)).toBe("expired");
    expect(await listDeadLetters(office.context, office.namespace, "nobody", { limit: 10 })).toHaveLength(1);
  });

  it("buries a job that expires while it is claimed and comes back", async () => {
    const office = await open({ claimMs: 300 });
    const alice = await office.as("alice");
    const worker = await office.as("worker");
    const other = await office.as("other");
    await alice.send("queue:q", "x", { ttl_seconds: 1 });
    expect((await worker.read({ mailbox: "queue:q" })).messages).toHaveLength(1);
    await pause(1_200);
    expect((await other.read({ mailbox: "queue:q" })).messages).toEqual([]);
    expect(await listDeadLetters(office.context, office.namespace, "queue:q", { limit: 10 })).toHaveLength(1);
  });

  it("gives a job to the next consumer when its claim is over", async () => {
    const office = await open({ claimMs: 200, longestClaimMs: 200 });
    const alice = await office.as("alice");
    const one = await office.as("one");
    const two = await office.as("two");
    await alice.send("queue:q", "job");
    const [job] = (await one.read({ mailbox: "queue:q" })).messages;
    expect((await two.read({ mailbox: "queue:q", wait_seconds: 5 })).messages).toMatchObject([
      { id: job!.id, delivery_count: 2 },
    ]);
  });

  it("prolongs the claim of a job by the run's own calls", async () => {
    const office = await open({ claimMs: 600 });
    const alice = await office.as("alice");
    const one = await office.as("one");
    const two = await office.as("two");
    await alice.send("queue:q", "job");
    await one.read({ mailbox: "queue:q" });
    for (let n = 0; n < 5; n++) {
      await pause(250);
      await one.read();
    }
    expect((await two.read({ mailbox: "queue:q" })).messages).toEqual([]);
  });

  it("requeues and purges dead letters", async () => {
    const office = await open({ failures: 1 });
    const alice = await office.as("alice");
    const worker = await office.as("worker");
    for (const body of ["a", "b"]) {
      await alice.send("queue:q", body);
      const [job] = (await worker.read({ mailbox: "queue:q" })).messages;
      expect((await worker.ack(job!.id, "reject", { reason: "no" })).results).toMatchObject([
        { state: "dead" },
      ]);
    }
    const dead = await listDeadLetters(office.context, office.namespace, "queue:q", { limit: 10 });
    expect(dead.map((letter) => letter.message.body)).toEqual(["b", "a"]);
    expect(
      await requeueDeadLetters(office.context, office.operator, "queue:q", [dead[0]!.message.id]),
    ).toEqual({ done: 1, left: 1 });
    expect((await worker.read({ mailbox: "queue:q" })).messages).toMatchObject([{ body: "b" }]);
    expect(await purgeDeadLetters(office.context, office.operator, "queue:q", [])).toEqual({
      done: 1,
      left: 0,
    });
    expect(await listDeadLetters(office.context, office.namespace, "queue:q", { limit: 10 })).toEqual([]);
  });

  it("lists dead letters page by page, also where the last of a page was purged or requeued meanwhile", async () => {
    const office = await open({ failures: 1 });
    const alice = await office.as("alice");
    const worker = await office.as("worker");
    for (let n = 0; n < 6; n++) await alice.send("queue:q", `${n}`, { ttl_seconds: 1 });
    await pause(1_200);
    // These six are buried in one instant, the seventh later.
    await worker.read({ mailbox: "queue:q" });
    await alice.send("queue:q", "last");
    const [job] = (await worker.read({ mailbox: "queue:q" })).messages;
    await worker.ack(job!.id, "reject", { reason: "no" });
    const page = (limit: number, after?: DeadLetter): Promise<readonly DeadLetter[]> =>
      listDeadLetters(office.context, office.namespace, "queue:q", { limit, ...(after ? { after } : {}) });
    const all = await page(10);
    expect(all).toHaveLength(7);
    const ids = (letters: readonly DeadLetter[]): string[] => letters.map(({ message }) => message.id);
    const places = [0, 2, 4];
    for (const at of places) expect(ids(await page(2, all[at]))).toEqual(ids(all.slice(at + 1, at + 3)));
    for (const at of [0, 2])
      await purgeDeadLetters(office.context, office.operator, "queue:q", [ids(all)[at]!]);
    await requeueDeadLetters(office.context, office.operator, "queue:q", [ids(all)[4]!]);
    const left = (from: number): string[] =>
      ids(all.filter((_, n) => n > from && !places.includes(n)).slice(0, 2));
    for (const at of places) expect(ids(await page(2, all[at]))).toEqual(left(at));
    expect(await page(2, all[6])).toEqual([]);
  });

  it("keeps why a job was rejected, in the words of who did it, and tells its sender", async () => {
    const office = await open();
    const alice = await office.as("alice");
    const worker = await office.as("worker");
    await alice.send("queue:q", "impossible");
    const [job] = (await worker.read({ mailbox: "queue:q" })).messages;
    await worker.ack(job!.id, "reject", { reason: "no | access,\nsorry" });
    const [letter] = await listDeadLetters(office.context, office.namespace, "queue:q", { limit: 10 });
    expect(letter).toMatchObject({ reason: "rejected", said: "no | access,\nsorry" });
    expect((await alice.read({ wait_seconds: 5 })).messages[0]!.body).toContain("no | access,\nsorry");
  });

  it("keeps a job as long as its queue says", async () => {
    const office = await open();
    const alice = await office.as("alice");
    const [one, two] = [await office.as("one"), await office.as("two")];
    await new Directory(office.store, 100).createQueue(
      office.namespace,
      "quick",
      { claimSeconds: 1 },
      unrecorded,
    );
    await alice.send("queue:quick", "job");
    const [job] = (await one.read({ mailbox: "queue:quick" })).messages;
    const left = Date.parse(job!.claimed_until!) - office.store.now();
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(1_000);
    expect((await two.read({ mailbox: "queue:quick", wait_seconds: 5 })).messages).toMatchObject([
      { delivery_count: 2 },
    ]);
  });

  it("keeps mail that asks for an acknowledgement open until it gets one", async () => {
    const office = await open();
    const alice = await office.as("alice");
    const bob = await office.as("bob");
    const { message_id } = await alice.send("bob", "please", { ack_required: true });
    await bob.read();
    await bob.read();
    expect(await stateFor(office, alice)).toBe("read");
    expect((await bob.ack(message_id)).results).toEqual([{ id: message_id, state: "settled" }]);
    expect(await stateFor(office, alice)).toBe("settled");
  });

  it("settles by a reply, which joins the thread", async () => {
    const office = await open();
    const alice = await office.as("alice");
    const bob = await office.as("bob");
    const { message_id } = await alice.send("bob", "question", { ack_required: true });
    await bob.read();
    await bob.send("alice", "answer", { in_reply_to: message_id });
    expect(await stateFor(office, alice)).toBe("settled");
    const [answer] = (await alice.read()).messages;
    expect(answer).toMatchObject({ thread: message_id, in_reply_to: message_id });
    expect((await thread(office.context, alice.caller, message_id)).map((d) => d.message.body)).toEqual([
      "answer",
    ]);
  });

  it("does not send again what is open, unless asked", async () => {
    const office = await open();
    const alice = await office.as("alice");
    const bob = await office.as("bob");
    const { message_id } = await alice.send("bob", "please", { ack_required: true });
    await bob.read();
    expect((await bob.read()).messages).toEqual([]);
    expect((await bob.read({ redeliver: true })).messages).toMatchObject([
      { id: message_id, body: "please" },
    ]);
    expect(await stateFor(office, alice)).toBe("read");
  });

  it("takes nothing by peeking", async () => {
    const office = await open();
    const alice = await office.as("alice");
    const bob = await office.as("bob");
    await alice.send("bob", "hi");
    expect((await bob.read({ peek: true })).messages).toMatchObject([{ body: "hi", delivery_count: 0 }]);
    expect(await stateFor(office, alice)).toBe("stored");
    expect((await bob.read()).messages).toHaveLength(1);
  });

  it("recalls what nobody has read, and nothing else", async () => {
    const office = await open();
    const alice = await office.as("alice");
    const bob = await office.as("bob");
    const one = await alice.send("bob", "oops");
    expect(await recallMessage(office.context, office.operator, "alice", one.message_id)).toEqual({
      recalled: ["bob"],
      delivered: [],
    });
    expect((await bob.read()).messages).toEqual([]);
    const two = await alice.send("bob", "too late");
    await bob.read();
    await expect(recallMessage(office.context, office.operator, "alice", two.message_id)).rejects.toThrow(
      /^mailbox.not_recallable/,
    );
    await expect(recallMessage(office.context, office.operator, "bob", two.message_id)).rejects.toThrow(
      /^mailbox.not_yours/,
    );
  });

  it("keeps history and pages through every match exactly once, while mail goes on arriving", async () => {
    const office = await open();
    const alice = await office.as("alice");
    const carl = await office.as("carl");
    const bob = await office.as("bob");
    for (let n = 0; n < 25; n++) await (n % 2 ? alice : carl).send("bob", `note ${n}`);
    await bob.read({ limit: 20 });
    await bob.read({ limit: 20 });
    await bob.read();
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await searchMessages(office.context, bob.caller, {
        sender: "carl",
        query: "NOTE",
        limit: 4,
        ...(cursor ? { cursor } : {}),
      });
      found.push(...page.messages.map((m) => m.excerpt));
      cursor = page.cursor;
      await carl.send("bob", `note later ${found.length}`);
    } while (cursor);
    expect(found).toEqual(Array.from({ length: 13 }, (_, n) => `note ${24 - 2 * n}`));
  });

  it("applies filters before the page is cut", async () => {
    const office = await open();
    const alice = await office.as("alice");
    const carl = await office.as("carl");
    const bob = await office.as("bob");
    for (let n = 0; n < 30; n++) await alice.send("bob", `a${n}`);
    await carl.send("bob", "needle");
    expect((await bob.read({ sender: "carl", limit: 5 })).messages.map((m) => m.body)).toEqual(["needle"]);
    expect((await bob.read({ limit: 2 })).messages.map((m) => m.body)).toEqual(["a0", "a1"]);
  });

  it("shows nobody a message that is not theirs", async () => {
    const office = await open();
    const alice = await office.as("alice");
    const eve = await office.as("eve");
    await office.as("bob");
    const { message_id } = await alice.send("bob", "secret");
    for (const id of [message_id, "0000000000-0000000000000", "__proto__", "}{", "x".repeat(90)]) {
      await expect(messageById(office.context, eve.caller, id)).rejects.toThrow(/^mailbox.not_yours/);
      await expect(eve.read({ message_id: id })).rejects.toThrow(/^mailbox.not_yours/);
      await expect(eve.send("alice", "re", { in_reply_to: id })).rejects.toThrow(/^mailbox.not_yours/);
      expect((await eve.ack(id)).results).toMatchObject([
        { state: "refused", refusal: { code: "mailbox.not_yours" } },
      ]);
    }
  });

  it("delivers a long text in parts and settles it only when it was read to the end", async () => {
    const office = await open();
    const alice = await office.as("alice");
    const bob = await office.as("bob");
    const text = Array.from({ length: 4_000 }, (_, n) => `${n}`.padStart(5, "0")).join(" ");
    const { message_id } = await alice.send("bob", text);
    await bob.read();
    await bob.read();
    expect(await stateFor(office, alice)).toBe("read");
    let read = "";
    for (let offset: number | undefined = 0; offset !== undefined; ) {
      const inbox: Awaited<ReturnType<typeof bob.read>> = await bob.read({ message_id, offset });
      read += inbox.messages[0]!.body;
      offset = inbox.part!.next_offset;
    }
    expect(read).toBe(text);
    await bob.read();
    expect(await stateFor(office, alice)).toBe("settled");
  });

  it("gives two runs of one agent each message once", async () => {
    const office = await open();
    const alice = await office.as("alice");
    const one = await office.as("twin");
    const two = await office.as("twin");
    for (let n = 0; n < 20; n++) await alice.send("twin", `m${n}`);
    const pages = await Promise.all([one.read({ limit: 15 }), two.read({ limit: 15 })]);
    const bodies = pages.flatMap((page) => page.messages.map((m) => m.body));
    expect(new Set(bodies).size).toBe(20);
    expect(bodies).toHaveLength(20);
  });

  it("tells everyone except the sender, if the sender was granted it", async () => {
    const office = await open();
    const alice = await office.as("alice");
    await expect(alice.send(["bob", "everyone"], "all hands", { create: true })).rejects.toThrow(
      /^access.denied: alice may not mailbox.send everyone/,
    );
    await changeGrants(office.access, office.namespace, ["allow", "alice", "mailbox.send", "everyone"]);
    const bob = await office.as("bob");
    const carl = await office.as("carl");
    const receipt = await alice.send("everyone", "all hands");
    expect(receipt.recipients.map((r) => r.to).sort()).toEqual(["bob", "carl"]);
    for (const clerk of [bob, carl])
      expect((await clerk.read()).messages).toMatchObject([{ body: "all hands" }]);
    expect((await alice.read()).messages).toEqual([]);
  });

  it("reminds twice of mail that asks for an acknowledgement, then tells the sender once", async () => {
    const office = await open();
    const alice = await office.as("alice");
    const bob = await office.as("bob");
    const { message_id } = await alice.send("bob", "please", { ack_required: true });
    await bob.read();
    const remindersKey = `{${office.namespace}:mb:bob}:reminders`;
    const seen: number[] = [];
    for (let n = 0; n < 4; n++) {
      await office.store.command("ZADD", remindersKey, "XX", "1", message_id);
      seen.push((await bob.read()).reminders.length);
    }
    expect(seen).toEqual([1, 1, 0, 0]);
    const told = await alice.read({ wait_seconds: 5 });
    expect(told.messages).toMatchObject([{ from: "postmaster" }]);
    expect((await alice.read()).messages).toEqual([]);
  });

  it("tells the sender of each death: after two reminders, and after a requeue, with what was said then", async () => {
    const office = await open();
    const alice = await office.as("alice");
    const bob = await office.as("bob");
    const told = async (): Promise<string> =>
      (await alice.read({ wait_seconds: 5 })).messages.map(({ body }) => body).join();
    const { message_id: id } = await alice.send("bob", "please", { ack_required: true });
    const remind = async (): Promise<number> => {
      await office.store.command("ZADD", `{${office.namespace}:mb:bob}:reminders`, "XX", "1", id);
      return (await bob.read()).reminders.length;
    };
    await bob.read();
    expect([await remind(), await remind()]).toEqual([1, 1]);
    expect(await told()).toContain("was read but not acknowledged");
    await bob.ack(id, "reject", { reason: "too large" });
    expect(await told()).toContain("Whoever had it said: too large");
    await requeueDeadLetters(office.context, office.operator, "bob", [id]);
    await bob.read();
    // As if newly sent.
    expect([await remind(), await remind(), await remind()]).toEqual([1, 1, 0]);
    expect(await told()).toContain("was read but not acknowledged");
    await bob.ack(id, "reject");
    const again = await told();
    expect(again).toContain("is now a dead letter");
    expect(again).not.toContain("too large");
  });

  it("tells a sender of a dead letter although another, told before, has no room", async () => {
    const office = await open({ mailboxMessages: 2 });
    const alice = await office.as("alice");
    const carl = await office.as("carl");
    const worker = await office.as("worker");
    const one = await alice.send("queue:jobs", "one");
    const two = await carl.send("queue:jobs", "two");
    for (const body of ["a", "b"]) await worker.send("alice", body);
    await worker.read({ mailbox: "queue:jobs", limit: 2 });
    await worker.ack(one.message_id, "reject");
    await worker.ack(two.message_id, "reject");
    expect((await carl.read({ wait_seconds: 5 })).messages).toMatchObject([{ from: "postmaster" }]);
    // Whoever had no room is told when there is some.
    await alice.read();
    await alice.read();
    await pause(4_200);
    await office.sweep();
    expect((await alice.read()).messages).toMatchObject([{ from: "postmaster" }]);
  });

  it("strikes off whom it reached although its sender has no room to be told of another", async () => {
    const office = await open({ mailboxMessages: 1 });
    const alice = await office.as("alice");
    const bob = await office.as("bob");
    const carl = await office.as("carl");
    const { flushOutbox } = await import("../../src/mailbox/outbox.js");
    const outbox = `{${office.namespace}:mb:alice}:outbox`;
    const run = office.store.run.bind(office.store);
    office.store.run = async (script, ...rest) => {
      if (script.name === "send-message") refuse("store.unavailable");
      return run(script, ...rest);
    };
    const { message_id: id } = await alice.send(["bob", "carl"], "hello");
    office.store.run = run;
    const entry = JSON.parse((await office.store.command("HGET", outbox, `entry:${id}`)) as string) as {
      posting: { message: { sentAt: number } };
    };
    entry.posting.message.sentAt = 1_000;
    await office.store.command("HSET", outbox, `entry:${id}`, JSON.stringify(entry));
    await carl.send("carl", "no room");
    await bob.send("alice", "no room");
    await flushOutbox(office.context, office.namespace, "alice");
    expect(await office.store.command("HGET", outbox, `left:${id}`)).toBe("carl");
    await alice.read();
    await alice.read();
    await flushOutbox(office.context, office.namespace, "alice");
    expect((await alice.read()).messages[0]!.body).toContain("could not be delivered to carl");
    expect(await office.store.command("HLEN", outbox)).toBe(0);
    expect((await bob.read()).messages).toHaveLength(1);
  });

  it("tries one notice at a time where there is no room for any, and gives up after a day", async () => {
    const office = await open({ mailboxMessages: 20 });
    const alice = await office.as("alice");
    const worker = await office.as("worker");
    for (let n = 0; n < 20; n++) {
      await alice.send("queue:jobs", `${n}`);
      await worker.send("alice", `${n}`);
    }
    const jobs = (await worker.read({ mailbox: "queue:jobs", limit: 20 })).messages.map(({ id }) => id);
    await worker.ack(jobs, "reject");
    const { flushOutbox } = await import("../../src/mailbox/outbox.js");
    const outbox = `{${office.namespace}:mb:queue:jobs}:outbox`;
    const fields = async (): Promise<string[]> => (await office.store.command("HKEYS", outbox)) as string[];
    let scripts = 0;
    const run = office.store.run.bind(office.store);
    office.store.run = (...call) => {
      scripts++;
      return run(...call);
    };
    await flushOutbox(office.context, office.namespace, "queue:jobs");
    // One is looked up and tried.
    expect(scripts).toBe(2);
    expect(await fields()).toHaveLength(20);
    const notice = (await fields()).find((field) => field.startsWith(`notice:${jobs[0]}:`))!;
    const text = (await office.store.command("HGET", outbox, notice)) as string;
    await office.store.command("HSET", outbox, notice, text.replace(/\d+$/, "1000"));
    await flushOutbox(office.context, office.namespace, "queue:jobs");
    expect(await fields()).toHaveLength(19);
    expect(await fields()).not.toContain(notice);
  });

  it("tells each of several deaths, in their order, to a sender that had no room meanwhile", async () => {
    const office = await open({ mailboxMessages: 1 });
    const alice = await office.as("alice");
    const worker = await office.as("worker");
    const { message_id: id } = await alice.send("queue:jobs", "a job");
    await worker.send("alice", "fills the mailbox");
    for (const reason of ["too large", "too late"]) {
      await worker.read({ mailbox: "queue:jobs" });
      await worker.ack(id, "reject", { reason });
      if (reason === "too large")
        await requeueDeadLetters(office.context, office.operator, "queue:jobs", [id]);
    }
    await alice.read();
    const { flushOutbox } = await import("../../src/mailbox/outbox.js");
    const told: string[] = [];
    for (let n = 0; n < 3; n++) {
      // What was read is settled by the next read, and only then is there room.
      told.push(...(await alice.read()).messages.map(({ body }) => body));
      await flushOutbox(office.context, office.namespace, "queue:jobs");
    }
    told.push(...(await alice.read()).messages.map(({ body }) => body));
    expect(told).toEqual([
      expect.stringContaining("said: too large"),
      expect.stringContaining("said: too late"),
    ]);
  });

  it("shows its sender that a dead letter is dead also when it was trimmed to make room for others", async () => {
    const office = await open({ deadLetters: 2 });
    const alice = await office.as("alice");
    const bob = await office.as("bob");
    const ids: string[] = [];
    for (let n = 0; n < 4; n++) {
      ids.push((await alice.send("bob", `secret ${n}`)).message_id);
      await bob.read();
      await bob.ack(ids[n]!, "reject");
    }
    // Each look takes one away.
    for (let n = 0; n < 3; n++) await bob.read();
    const dead = await listDeadLetters(office.context, office.namespace, "bob", { limit: 10 });
    expect(dead.map(({ message }) => message.id)).toEqual([ids[3], ids[2]]);
    const { messages } = await searchMessages(office.context, alice.caller, { sent: true });
    expect(messages.map(({ id, excerpt, states }) => [id, excerpt, states[0]!.state])).toEqual([
      [ids[3], "secret 3", "dead"],
      [ids[2], "secret 2", "dead"],
      [ids[1], "", "dead"],
      [ids[0], "", "dead"],
    ]);
    await expect(alice.read({ message_id: ids[0]! })).rejects.toThrow(/^mailbox\.text_gone/);
    const keys = ["deliveries", "meta"].map((name) => `{${office.namespace}:mb:bob}:${name}`);
    expect(await office.store.command("HGET", keys[1]!, "dead-trimmed")).toBe("2");
    expect(await office.store.command("HLEN", keys[0]!)).toBe(4);
  });

  it("tells the sender who refused it, and that a dead letter is dead also when it was purged", async () => {
    const office = await open();
    const alice = await office.as("alice");
    const bob = await office.as("bob");
    await office.as("carl");
    await office.store.command("SADD", `{${office.namespace}:mb:carl}:blocked`, "alice");
    const { message_id: id } = await alice.send(["queue:jobs", "bob", "carl"], "hello");
    const states = async (): Promise<Record<string, string>> => {
      const [found] = (await searchMessages(office.context, alice.caller, { sent: true })).messages;
      return Object.fromEntries(found!.states.map(({ to, state }) => [to, state]));
    };
    expect(await states()).toEqual({ "queue:jobs": "stored", bob: "stored", carl: "refused" });
    await bob.read({ mailbox: "queue:jobs" });
    await bob.ack(id, "reject");
    await purgeDeadLetters(office.context, office.operator, "queue:jobs", [id]);
    expect(await states()).toEqual({ "queue:jobs": "dead", bob: "stored", carl: "refused" });
    const only = async (recipient: string): Promise<number> =>
      (await searchMessages(office.context, alice.caller, { sent: true, recipient })).messages.length;
    expect([await only("carl"), await only("bob"), await only("dave")]).toEqual([1, 1, 0]);
    expect((await messageById(office.context, alice.caller, id)).states).toContainEqual({
      to: "carl",
      state: "refused",
    });
    expect(await recallMessage(office.context, office.operator, "alice", id)).toEqual({
      recalled: ["bob"],
      delivered: ["queue:jobs"],
    });
  });

  it("sends again what was taken back from everybody, and tells of no duplicate", async () => {
    const office = await open();
    const alice = await office.as("alice");
    const bob = await office.as("bob");
    const carl = await office.as("carl");
    const recall = (id: string) => recallMessage(office.context, office.operator, "alice", id);
    for (const to of [["bob"], ["bob", "carl"]]) {
      const { message_id: first } = await alice.send(to, "a slip");
      expect((await alice.send(to, "a slip")).duplicate_of).toBe(first);
      await recall(first);
      const again = await alice.send(to, "a slip");
      expect(again).toMatchObject({
        replayed: false,
        recipients: to.map((one) => ({ to: one, state: "stored" })),
      });
      expect(again.duplicate_of).toBeUndefined();
      expect((await alice.send(to, "a slip")).duplicate_of).toBe(again.message_id);
      expect((await bob.read()).messages.map(({ id }) => id)).toEqual([again.message_id]);
    }
    await carl.read();
    // One of them has it already: nobody gets it twice.
    const { message_id: both } = await alice.send(["bob", "carl"], "too late");
    await bob.read();
    expect(await recall(both)).toEqual({ recalled: ["carl"], delivered: ["bob"] });
    expect((await alice.send(["bob", "carl"], "too late")).duplicate_of).toBe(both);
    // With a key it is the same send for as long as the key is remembered.
    const keyed = { idempotency_key: "k" };
    const { message_id: once } = await alice.send("bob", "with a key", keyed);
    await recall(once);
    expect(await alice.send("bob", "with a key", keyed)).toMatchObject({ message_id: once, replayed: true });
  });

  it("shows its sender what became of a message that was purged at its only recipient, and no text", async () => {
    const office = await open();
    const alice = await office.as("alice");
    const bob = await office.as("bob");
    const more = { subject: "a secret subject", priority: "high" } as const;
    const { message_id: id } = await alice.send("queue:jobs", "a secret", more);
    await bob.read({ mailbox: "queue:jobs" });
    await bob.ack(id, "reject", { reason: "a secret reason" });
    for (let n = 0; n < 2; n++)
      expect(await purgeDeadLetters(office.context, office.operator, "queue:jobs", [id])).toEqual({
        done: 1 - n,
        left: 0,
      });
    const search = (asked: object) => searchMessages(office.context, alice.caller, { sent: true, ...asked });
    for (const asked of [{}, { thread: id }, { recipient: "queue:jobs" }])
      expect((await search(asked)).messages).toMatchObject([
        { id, from: "alice", to: "queue:jobs", priority: "high", thread: id, excerpt: "" },
      ]);
    expect((await search({})).messages[0]).toMatchObject({ states: [{ to: "queue:jobs", state: "dead" }] });
    expect((await search({ query: "secret" })).messages).toEqual([]);
    for (const look of [
      () => alice.read({ message_id: id }),
      () => messageById(office.context, alice.caller, id),
      () => alice.send("bob", "about it", { in_reply_to: id }),
    ])
      await expect(look()).rejects.toThrow(/^mailbox\.text_gone/);
    // Nothing of it comes back.
    expect(await requeueDeadLetters(office.context, office.operator, "queue:jobs", [id])).toMatchObject({
      done: 0,
    });
    expect((await bob.ack(id, "done")).results).toMatchObject([{ refusal: { code: "delivery.not_open" } }]);
    expect((await bob.read({ mailbox: "queue:jobs" })).messages).toEqual([]);
    const kept = async (name: string): Promise<unknown> =>
      office.store.command("HGETALL", `{${office.namespace}:mb:queue:jobs}:${name}`);
    expect(JSON.stringify([await kept("messages"), await kept("deliveries")])).not.toContain("secret");
    expect(JSON.stringify(await kept("deliveries"))).not.toContain(
      Buffer.from("a secret reason").toString("base64url"),
    );
  });

  it("counts as open in a queue what the reader has of it, not what others have", async () => {
    const office = await open();
    const alice = await office.as("alice");
    const one = await office.as("one");
    const two = await office.as("two");
    for (let n = 0; n < 3; n++) await alice.send("queue:jobs", `${n}`);
    const mailbox = "queue:jobs";
    expect((await one.read({ mailbox, limit: 2 })).open).toBe(2);
    expect(await two.read({ mailbox, peek: true })).toMatchObject({ unread: 1, open: 0 });
    expect((await two.read({ mailbox })).open).toBe(1);
    for (const more of [{}, { redeliver: true }]) expect((await two.read({ mailbox, ...more })).open).toBe(1);
    expect((await one.read({ mailbox })).open).toBe(2);
  });

  it("keeps nothing of a delivery without a session for one with a session", async () => {
    const office = await open({ unconfirmedMs: 500, claimMs: 60_000 });
    const alice = await office.as("alice");
    const bob = await office.as("bob");
    const later = await office.as("bob");
    await alice.send("bob", "hello");
    const { batch } = await readInbox(
      office.context,
      bob.caller,
      {},
      { maxChars: 10_000, sessionless: true },
    );
    office.context.memory(bob.caller).confirm(batch!, false);
    await bob.read({ sender: "nobody" });
    expect((await readInbox(office.context, later.caller, {}, { maxChars: 10_000 })).messages).toHaveLength(
      1,
    );
    await pause(700);
    expect((await later.read()).messages).toEqual([]);
    expect(await stateFor(office, alice)).toBe("unconfirmed");
  });
});
