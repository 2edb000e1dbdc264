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

it("sets what becomes of mail to names nobody has", async () => {
  const alice = await office.as("alice");
  expect((await office.run("agents", "unknown", "refuse")).out).toContain("is refused");
  await expect(alice.send("stranger", "x", { create: true })).rejects.toThrow(/^mailbox.closed_directory/);
  expect((await office.run("agents", "unknown", "open")).out).toContain("opens a mailbox");
  expect((await office.run("agents", "unknown", "perhaps")).status).toBe(2);
});
