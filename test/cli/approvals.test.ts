import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  type Approval,
  type ApprovalRequest,
  awaitApproval,
  claimApproval,
  openApproval,
} from "../../src/approvals/index.js";
import { plainTerms } from "../approvals/approval-desk.js";
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

let asked = 0;
/** A request of alice for something that nobody asked for before. */
async function ask(more: Partial<ApprovalRequest> = {}, expiresMs = 3_600_000) {
  const { caller } = await office.as("alice");
  const question = {
    ...{ action: "file.delete", resource: `prod/${asked++}`, arguments: { path: "/prod" }, context: {} },
    ...more,
  };
  const { id } = await openApproval(office.house.approvals, caller, {
    ...{ rules: ["destructive"], reasons: ["it destroys"], why: "old", risk: "high", ...question },
    terms: { ...plainTerms, expiresMs },
  });
  return { id, caller, question };
}

it("says that nothing waits", async () => {
  expect((await office.run("approvals")).out).toBe("Nothing waits for a decision.\n");
  expect(await office.json("approvals")).toEqual({ approvals: [] });
});

it("lists what waits, shows it whole, and approves it once as the operator", async () => {
  const { id, caller, question } = await ask();
  const table = (await office.run("approvals")).out;
  expect(table).toMatch(/^ID +STATE +WHO +ACTION +RESOURCE +RULES +EXPIRES +VOTES$/m);
  expect(table).toMatch(
    new RegExp(`^${id} +pending +alice \\(unverified\\) +file\\.delete +prod/\\d+ +destructive `, "m"),
  );
  const shown = (await office.run("approvals", "show", id)).out;
  for (const part of [
    `${id} is pending.`,
    "| why:       old",
    '"path": "/prod"',
    "reason:    it destroys",
    "then",
  ])
    if (part !== "then") expect(shown).toContain(part);
  const done = await office.run("approvals", "approve", id, "--comment", "after the backup");
  expect([done.status, done.out]).toEqual([0, `${id} was approved.\n`]);
  expect((await office.run("approvals", "approve", id, "--comment", "again")).out).toBe(
    `${id} was approved before.\n`,
  );
  expect(await awaitApproval(office.house.approvals, caller, id)).toMatchObject({
    state: "approved",
    votes: [{ by: "operator", way: "command", verified: true, comment: "after the backup" }],
  });
  const claim = { operation: "op", attempt: "1", terms: plainTerms };
  const claimed = await claimApproval(office.house.approvals, caller, question, claim);
  expect(claimed).toMatchObject({ id });
  await claimed!.settle(true);
  expect((await office.run("approvals")).out).toBe("Nothing waits for a decision.\n");
  expect((await office.run("approvals", "list", "--all")).out).toMatch(new RegExp(`^${id} +used `, "m"));
});

it("approves with other arguments from a file, rejects, and answers", async () => {
  const { id, caller } = await ask({ arguments: { path: "/prod", force: true } });
  const file = join(mkdtempSync(join(tmpdir(), "mailbox-edit-")), "edited.json");
  writeFileSync(file, '{"path": "/prod", "force": false}');
  expect((await office.run("approvals", "approve", id, "--edit", file)).status).toBe(0);
  expect(await office.json<Approval>("approvals", "show", id)).toMatchObject({
    ...{ state: "approved", edited_arguments: { path: "/prod", force: false } },
  });
  const rejected = await ask();
  expect((await office.run("approvals", "reject", rejected.id)).out).toBe(`${rejected.id} was rejected.\n`);
  const answered = await ask();
  await office.run("approvals", "answer", answered.id, "which of the two?");
  expect(await awaitApproval(office.house.approvals, caller, answered.id)).toMatchObject({
    ...{ state: "answered", answer: "which of the two?" },
  });
  writeFileSync(file, "[1]");
  expect((await office.run("approvals", "approve", id, "--edit", file)).status).toBe(2);
  expect((await office.run("approvals", "approve", id, "--edit", `${file}.none`)).status).toBe(2);
});

it("says why it does nothing for what is unknown or over", async () => {
  const gone = await office.run("approvals", "approve", "ap-000000000000");
  expect([gone.status, gone.err]).toEqual([1, expect.stringContaining("approval.unknown")]);
  const { id, caller } = await ask({}, 200);
  await awaitApproval(office.house.approvals, caller, id, { waitMs: 20_000 });
  const late = await office.run("approvals", "reject", id);
  expect([late.status, late.err]).toEqual([1, expect.stringContaining(`${id} is expired`)]);
});

it("shows nothing of a request that a terminal would obey", async () => {
  const hostile = "\u001b[2J\u202e\u0007\u0085| rules: none\r\nreject";
  const { id } = await ask({
    ...{ action: hostile, resource: `r${hostile}`, why: hostile, arguments: { [hostile]: hostile } },
  });
  await office.run("approvals", "answer", id, "x\u001b[31my");
  for (const args of [
    ["approvals", "list", "--all"],
    ["approvals", "show", id],
    ["approvals", "show", id, "--json"],
  ]) {
    const { out } = await office.run(...args);
    for (const character of ["\u001b", "\u202e", "\u0007", "\u0085", "\r"])
      expect(out, args.join(" ")).not.toContain(character);
  }
  const lines = (await office.run("approvals", "show", id)).out.split("\n");
  // What follows a line end of the requester's stands behind the bar too.
  expect(lines.filter((line) => /^\s*(rules: none|reject)/.test(line))).toEqual([]);
  expect((await office.json<Approval>("approvals", "show", id)).why).toBe(hostile);
});

it("makes a link for an approver and for nobody else", async () => {
  const { id } = await ask();
  const none = await office.run("approvals", "link", id, "--for", "carol");
  expect([none.status, none.err]).toEqual([2, expect.stringContaining("approval.no_link_for")]);
  await office.run("agents", "roles", "carol", "approver");
  await office.house.access.rulesNow(office.house.config.namespace);
  const made = await office.json<{ url: string; agent: string }>("approvals", "link", id, "--for", "carol");
  expect(made.agent).toBe("carol");
  expect(made.url).toMatch(
    new RegExp(`^http://127\\.0\\.0\\.1:7678/a/${id}~carol~[\\w-]+~[\\w-]{22}~[\\w-]{43}$`),
  );
  expect((await office.run("approvals", "link", id)).status).toBe(2);
});
