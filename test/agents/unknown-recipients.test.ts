import { afterAll, beforeAll, expect, it } from "vitest";
import { Directory } from "../../src/agents/index.js";
import { type MailOffice, openMail, unrecorded } from "../mailbox/open-mail.js";
import { describeOnEachStore } from "../stores/index.js";

describeOnEachStore("names nobody has", (store) => {
  let office: MailOffice;
  beforeAll(async () => {
    office = await openMail(store().url);
  });
  afterAll(() => office.close());

  it("are refused in a namespace that is set so, known names not", async () => {
    const alice = await office.as("alice");
    await office.as("bob");
    const directory = new Directory(office.store, 100);
    await directory.setUnknownRecipients(office.namespace, "refuse", unrecorded);
    for (const to of ["somebody-new", "queue:somewhere-new"])
      await expect(alice.send(to, "x", { create: true })).rejects.toThrow(/^mailbox.closed_directory/);
    expect((await alice.send("bob", "x")).recipients).toMatchObject([{ state: "stored" }]);
    await directory.setUnknownRecipients(office.namespace, "open", unrecorded);
    expect((await alice.send("somebody-new", "x")).recipients).toMatchObject([{ opened: true }]);
  });

  it("open no mailbox by a send that is refused, so that the next still says that nobody has been seen", async () => {
    const alice = await office.as("alice");
    await office.as("quentin");
    const directory = new Directory(office.store, 100);
    const before = await directory.mailboxes(office.namespace);
    await expect(alice.send(["zebra-one", "queue:zebras", "quentim"], "x")).rejects.toThrow(
      /did you mean quentin/,
    );
    await expect(alice.send("queue:zebras", "x", { attachments: ["none"] })).rejects.toThrow(
      /^attachment.unknown/,
    );
    expect(await directory.mailboxes(office.namespace)).toEqual(before);
    expect((await alice.send("zebra-one", "x")).recipients).toMatchObject([{ opened: true }]);
  });

  it("are said to be nobody's with every send, until somebody reads there", async () => {
    const alice = await office.as("alice");
    for (const body of ["one", "two"])
      expect((await alice.send("future-colleague", body)).recipients).toMatchObject([{ opened: true }]);
    await office.as("future-colleague");
    expect((await alice.send("future-colleague", "three")).recipients).toEqual([
      { to: "future-colleague", state: "stored" },
    ]);
  });

  it("are suggested where a known name is near", async () => {
    const alice = await office.as("alice");
    await office.as("reviewer");
    await alice.send("queue:builds", "job");
    for (const [slip, meant] of [
      ["reviewr", "reviewer"],
      ["reviewre", "reviewer"],
      ["queue:build", "queue:builds"],
      ["builds", "queue:builds"],
    ] as const)
      await expect(alice.send(slip, "x")).rejects.toThrow(`did you mean ${meant}?`);
    expect((await alice.send("reviewr", "x", { create: true })).recipients).toMatchObject([{ opened: true }]);
  });
});
