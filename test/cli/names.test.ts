import { afterAll, beforeAll, expect, it } from "vitest";
import { startStore, type TestStore } from "../stores/index.js";
import { type Office, openOffice } from "./command-line.js";

let store: TestStore;
let office: Office;
beforeAll(async () => {
  store = await startStore("embedded");
  office = await openOffice(store.url);
});
afterAll(async () => {
  await office.close();
  await store.stop();
});

it("blocks a sender at a mailbox from the command line, and takes the block back", async () => {
  const noisy = await office.as("noisy");
  await office.as("bob");
  expect((await office.run("agents", "block", "bob", "noisy")).out).toContain("bob refuses mail from noisy");
  await expect(noisy.send("bob", "hello?")).rejects.toThrow(/^mailbox.blocked/);
  expect((await office.run("agents", "unblock", "bob", "noisy")).out).toContain(
    "takes mail from noisy again",
  );
  expect((await noisy.send("bob", "hello?")).recipients).toMatchObject([{ state: "stored" }]);
  expect(await office.run("agents", "block", "bob", "queue:jobs")).toMatchObject({ status: 2 });
});

it("sets what becomes of mail to names nobody has", async () => {
  const alice = await office.as("alice");
  expect((await office.run("agents", "unknown", "refuse")).out).toContain("is refused");
  await expect(alice.send("stranger", "x", { create: true })).rejects.toThrow(/^mailbox.closed_directory/);
  expect((await office.run("agents", "unknown", "open")).out).toContain("opens a mailbox");
  expect((await office.run("agents", "unknown", "perhaps")).status).toBe(2);
});
