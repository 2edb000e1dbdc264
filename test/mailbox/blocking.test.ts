import { afterAll, beforeAll, expect, it } from "vitest";
import { blockSender, listBlocked, unblockSender } from "../../src/mailbox/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { type MailOffice, openMail } from "./open-mail.js";

describeOnEachStore("blocking a sender", (store) => {
  let office: MailOffice;
  beforeAll(async () => {
    office = await openMail(store().url);
  });
  afterAll(() => office.close());

  it("refuses the blocked sender alone, keeps what was there, and ends with the block", async () => {
    const [spammer, friend, bob] = [
      await office.as("spammer"),
      await office.as("friend"),
      await office.as("bob"),
    ];
    await spammer.send("bob", "before");
    await blockSender(office.context, office.operator, "bob", "spammer");
    expect(await listBlocked(office.context, office.namespace, "bob")).toEqual(["spammer"]);
    await expect(spammer.send("bob", "during")).rejects.toThrow(/^mailbox.blocked/);
    await friend.send("bob", "hello");
    expect((await bob.read()).messages.map((m) => m.body)).toEqual(["before", "hello"]);
    expect(await unblockSender(office.context, office.operator, "bob", "spammer")).toBe(true);
    expect(await unblockSender(office.context, office.operator, "bob", "spammer")).toBe(false);
    expect((await spammer.send("bob", "after")).recipients).toMatchObject([{ state: "stored" }]);
  });
});
