import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AuditDesk } from "../audit/audit-desk.js";
import type { Agent } from "../faults/fault-house.js";
import { startStore, type TestStore } from "../stores/index.js";
import { type Ended, runWith } from "./command-line.js";

describe("llm-mailbox audit", () => {
  let store: TestStore;
  let desk: AuditDesk;
  let alice: Agent;
  const run = (...args: readonly string[]): Promise<Ended> => runIn("audit", ...args);
  const runIn = (...args: readonly string[]): Promise<Ended> =>
    runWith(
      {
        REDIS_URL: store.url,
        LLM_MAILBOX_NAMESPACE: desk.namespace,
        LLM_MAILBOX_DATA_DIR: desk.house.config.dataDir,
      },
      ...args,
    );
  const events = async (...args: readonly string[]): Promise<Record<string, unknown>[]> =>
    JSON.parse((await run("query", ...args, "--json")).out) as Record<string, unknown>[];
  beforeAll(async () => {
    store = await startStore("redis-server");
    desk = await AuditDesk.open(store.url);
    alice = await desk.begin("alice");
    await desk.begin("bob");
    await alice.send("bob", "hello");
    await alice.send("queue:reviews", "a job");
    await alice.send("everyone", "x").catch(() => undefined);
    await desk.sealer().seal(desk.namespace);
    await alice.send("bob", "later");
  });
  afterAll(async () => {
    await desk.close();
    await store.stop();
  });

  it("query lists decisions newest first, sealed or not, as a table", async () => {
    const { out, status } = await run("query", "--agent", "alice");
    expect(status).toBe(0);
    const lines = out.trim().split("\n");
    expect(lines[0]).toMatch(/^ *ROW +WHEN +WHO +BY +ACTION +RESOURCE +OUTCOME +WHY$/);
    expect(lines[1]).toMatch(/^not sealed {2}\S+ {2}alice +none +mailbox\.send +bob +allow +role agent$/);
    expect(lines[2]).toMatch(/^ +3 .*everyone +deny +access\.denied: no grant$/);
    expect(lines).toHaveLength(5);
  });

  it("query finds by agent, action, resource, outcome and time", async () => {
    expect(await events("--outcome", "deny")).toMatchObject([{ resource: "everyone", sealed: true }]);
    expect(await events("--outcome", "access.denied")).toHaveLength(1);
    expect(await events("--resource", "queue:reviews")).toMatchObject([{ action: "mailbox.send" }]);
    expect(await events("--action", "mailbox.*", "--limit", "2")).toHaveLength(2);
    expect(await events("--agent", "bob")).toEqual([]);
    const [first] = await events("--resource", "queue:reviews");
    expect(await events("--agent", "alice", "--since", String(first!.at))).toHaveLength(3);
    expect(await events("--agent", "alice", "--until", "2020-01-01T00:00:00Z")).toEqual([]);
    expect((await run("query", "--since", "yesterday")).status).toBe(2);
  });

  it("query is recorded itself, as what the operator did", async () => {
    const before = (await events("--agent", "operator", "--limit", "10000")).length;
    expect((await events("--agent", "operator", "--limit", "10000")).length).toBe(before + 1);
    expect((await events("--agent", "operator"))[0]).toMatchObject({
      action: "admin.audit",
      by: "operator",
      because: "operator",
    });
  });

  it.each([
    [["agents"], "agents.find", "operator"],
    [["queues"], "admin.mailboxes", "operator"],
    [["topics"], "topic.read", "operator"],
    [["blocks"], "admin.mailboxes", "operator"],
    [["doctor"], "agents.find", "operator"],
    [["check", "--agent", "alice"], "mailbox.read", "alice"],
  ])("has a row of a look by llm-mailbox %j", async (command, action, agent) => {
    const rows = () => events("--agent", agent, "--action", action, "--limit", "10000");
    const before = (await rows()).length;
    expect((await runIn(...command)).status).toBe(0);
    expect(await rows()).toHaveLength(before + 1);
  });

  it("verify says that all is as it was sealed, and export writes what it takes to see so elsewhere", async () => {
    const { out, status } = await run("verify");
    expect([status, out]).toEqual([
      0,
      expect.stringMatching(
        /^Rows 1 to 3 are what was sealed \(1 checkpoint compared\)\.\n\d+ rows not sealed yet, since \S+Z: nothing proves those\.\n$/,
      ),
    ]);
    const rows = (await run("export")).out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { number: number });
    expect(rows.map(({ number }) => number)).toEqual([1, 2, 3]);
  });

  it("verify names the first row that was changed, and ends with status 1", async () => {
    const folder = mkdtempSync(join(tmpdir(), "mailbox-checkpoints-"));
    const copy = join(folder, "kept.checkpoints");
    copyFileSync(desk.checkpoints, copy);
    const key = `{${desk.namespace}:au}:rows:0`;
    const entry = (await desk.house.store.command("LINDEX", key, 1)) as string;
    await desk.house.store.command("LSET", key, 1, entry.replace("role agent", "role admin"));
    const found = await run("verify", "--checkpoints", copy);
    expect(found).toMatchObject({
      status: 1,
      out: "",
      err: expect.stringMatching(/^llm-mailbox: the audit does not verify from row 2 on: /),
    });
    const { status, out } = await run("verify", "--json");
    expect([status, JSON.parse(out)]).toMatchObject([1, { ok: false, problem: { number: 2 } }]);
    await desk.house.store.command("LSET", key, 1, entry);
    expect((await run("verify", "--checkpoints", copy)).status).toBe(0);
    expect((await run("verify", "--checkpoints", join(folder, "none"))).status).toBe(1);
    rmSync(folder, { recursive: true });
  });

  it("verify says how much waits to be sealed and since when, and ends with status 1 where that cannot be read", async () => {
    const waiting = (await events("--limit", "10000")).filter(({ sealed }) => !sealed);
    const told = JSON.parse((await run("verify", "--json")).out) as Record<string, unknown>;
    // Those who looked have their rows too.
    expect(told).toMatchObject({ ok: true, waiting: waiting.length + 1, unreadable: [] });
    expect(Date.parse(String(told.waiting_since))).toBeLessThanOrEqual(
      Date.parse(String(waiting.at(-1)!.at)) + 1,
    );
    const key = `{${desk.namespace}:mb:bob}:audit`;
    await desk.house.store.command("SET", key, "not a list");
    expect(await run("verify")).toMatchObject({
      status: 1,
      err: "llm-mailbox: what was recorded in mb:bob and not sealed yet cannot be read\n",
    });
    expect(JSON.parse((await run("verify", "--json")).out)).toMatchObject({
      ok: false,
      unreadable: ["mb:bob"],
    });
    await desk.house.store.command("DEL", key);
    expect((await run("verify")).status).toBe(0);
  });

  it("records what else the operator does at the command line, with its refusals", async () => {
    const settings = {
      REDIS_URL: store.url,
      LLM_MAILBOX_NAMESPACE: desk.namespace,
      LLM_MAILBOX_DATA_DIR: desk.house.config.dataDir,
    };
    const { message_id: id } = await alice.send("bob", "to be recalled");
    const done: readonly (readonly [command: readonly string[], row: string])[] = [
      [["queues", "create", "builds"], "admin.mailboxes queue:builds allow operator"],
      [["agents", "unknown", "open"], "admin.mailboxes * allow operator"],
      [["blocks", "add", "spammer", "--mailbox", "bob"], "admin.mailboxes bob allow operator"],
      [["blocks", "remove", "spammer", "--mailbox", "bob"], "admin.mailboxes bob allow operator"],
      [["recall", id, "--sender", "alice"], "admin.mailboxes bob allow operator"],
      [
        ["recall", "1kq0x3v9a2-0a1b2c3d4e5f6", "--sender", "alice"],
        "admin.mailboxes alice refuse mailbox.not_yours",
      ],
      [["grants", "deny", "bob", "send", "zoe"], "admin.grants * allow operator"],
      [["grants", "remove", "g0000000"], "admin.grants * refuse access.unknown_grant"],
      [["topics", "create", "news"], "admin.topics topic:news allow operator"],
      [["topics", "set", "news", "--readers", "bob"], "admin.topics topic:news allow operator"],
      [["topics", "history", "news"], "topic.read topic:news allow operator"],
      [["topics", "delete", "news"], "admin.topics topic:news allow operator"],
      [["topics", "delete", "news"], "admin.topics topic:news refuse topic.unknown"],
      [["tail", "--agent", "bob"], "mailbox.read bob allow operator"],
      [["tail", "--topic", "news.**"], "topic.read topic:news.** allow operator"],
      [["dead-letters", "bob"], "admin.dead-letters bob allow operator"],
      [["dead-letters", "requeue", "--all", "--mailbox", "bob"], "admin.dead-letters bob allow operator"],
    ];
    for (const [command, row] of done) {
      const before = await desk.events();
      await runWith(settings, ...command);
      const found = await desk.eventsSince(before);
      expect(
        found.map(({ action, resource, outcome, because }) => `${action} ${resource} ${outcome} ${because}`),
        command.join(" "),
      ).toEqual([row]);
      expect(found[0]).toMatchObject({ agent: "operator", by: "operator" });
    }
  });
});
