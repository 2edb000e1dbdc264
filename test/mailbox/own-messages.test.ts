import { afterEach, beforeEach, expect, it } from "vitest";
import type { House } from "../../src/compose.js";
import { Agent, openFaultHouse } from "../faults/fault-house.js";
import { describeOnEachStore } from "../stores/index.js";

describeOnEachStore("a message that the caller sent itself", (store) => {
  let house: House;
  let alice: Agent;
  let bob: Agent;
  beforeEach(async () => {
    house = await openFaultHouse(store().url);
    [alice, bob] = [await Agent.begin(house, "alice"), await Agent.begin(house, "bob")];
  });
  afterEach(() => house.close());

  it("is read whole by the id that the search tells, part after part, and stays unread at its recipient", async () => {
    const body = Array.from({ length: 40_000 }, (_, n) => `${n % 10}`).join("");
    await alice.send("bob", body);
    const { messages } = await house.rooms.mail.searchMessages(alice.caller, { sent: true });
    const id = messages[0]!.id;
    let read = "";
    for (let offset: number | undefined = 0; offset !== undefined; ) {
      const inbox = await house.rooms.mail.readInbox(
        alice.caller,
        { message_id: id, offset },
        { maxChars: 12_000 },
      );
      expect(inbox.batch).toBeUndefined();
      read += inbox.messages[0]!.body;
      offset = inbox.part?.next_offset;
    }
    expect(read).toBe(body);
    expect((await bob.read({ peek: true })).messages).toMatchObject([{ id, delivery_count: 0 }]);
    const [one] = (await house.rooms.mail.searchMessages(alice.caller, { sent: true })).messages;
    expect(one!.states).toEqual([{ to: "bob", state: "stored" }]);
  });

  it("is nobody else's to read by its id", async () => {
    const { message_id: id } = await alice.send("bob", "x");
    const carl = await Agent.begin(house, "carl");
    await expect(carl.read({ message_id: id })).rejects.toThrow(/^mailbox\.not_yours/);
  });

  it("is gone on with in its thread, which settles nothing", async () => {
    const first = await alice.send("bob", "one", { ack_required: true });
    await bob.read();
    const second = await alice.send("bob", "one more thing", { in_reply_to: first.message_id });
    const [told] = (await bob.read()).messages;
    expect(told).toMatchObject({
      id: second.message_id,
      thread: first.message_id,
      in_reply_to: first.message_id,
    });
    expect((await bob.read({ redeliver: true })).messages.map(({ id }) => id)).toContain(first.message_id);
    await expect(
      (await Agent.begin(house, "carl")).send("bob", "x", { in_reply_to: first.message_id }),
    ).rejects.toThrow(/^mailbox\.not_yours/);
  });

  it("is not held against its sender as one that it has read", async () => {
    const { rooms } = house;
    const { message_id: id } = await alice.send("bob", "x");
    const noted = async (): Promise<unknown> =>
      (await house.store.command("KEYS", `*${house.config.namespace}*reads*`)) as unknown;
    const before = await noted();
    await rooms.mail.readInbox(alice.caller, { message_id: id }, { maxChars: 10_000 });
    expect(await noted()).toEqual(before);
    await rooms.mail.readInbox(bob.caller, { message_id: id }, { maxChars: 10_000 });
    expect(await noted()).not.toEqual(before);
  });
});

describeOnEachStore("a queue whose name is a slip of another's", (store) => {
  it("is not read, and the refusal tells what a reader can do", async () => {
    const house = await openFaultHouse(store().url);
    try {
      const [alice, bob] = [await Agent.begin(house, "alice"), await Agent.begin(house, "bob")];
      await alice.send("queue:reviews", "x");
      await expect(bob.read({ mailbox: "queue:review" })).rejects.toThrow(
        "mailbox.unknown_queue: no queue is called queue:review; did you mean queue:reviews? A slip opens no queue. Read from that name, or have somebody send the first job to queue:review with create: true.",
      );
      await alice.send("queue:review", "y", { create: true });
      expect((await bob.read({ mailbox: "queue:review" })).messages).toMatchObject([{ body: "y" }]);
    } finally {
      await house.close();
    }
  });
});
