import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startStore, type TestStore } from "../stores/index.js";
import { type Office, openOffice, runOn, spawnOn } from "./command-line.js";

/** What the other files of this folder see of the command line in their own process holds of the built one as well. */
describe("the built command line", () => {
  const place = mkdtempSync(join(tmpdir(), "mailbox-built-"));
  let store: TestStore;
  let office: Office;
  beforeAll(async () => {
    store = await startStore("embedded");
    office = await openOffice(store.url);
    const [alice, bob] = [await office.as("alice"), await office.as("bob")];
    await alice.send("bob", "mail");
    await alice.send("topic:news", "news");
    const { message_id: id } = await alice.send("queue:builds", "to be given up");
    await bob.read({ mailbox: "queue:builds" });
    await bob.ack(id, "reject", "no");
    await alice.send("queue:builds", "job");
    await office.run("state", "put", "plan", '{"day": 3}');
    await office.run("grants", "add", "bob", "topic.publish", "news");
    writeFileSync(join(place, "rules.yaml"), "version: 1\n");
  });
  afterAll(async () => {
    await office.close();
    await store.stop();
    rmSync(place, { recursive: true, force: true });
  });

  const event = JSON.stringify({ session_id: "s", hook_event_name: "Stop", stop_hook_active: false });
  /** Whose answer is the same however late it is asked. */
  const lines: readonly (readonly [string, string?, Record<string, string>?])[] = [
    ["help dead-letters purge"],
    ["agents --jsn"],
    ["queues create builds --json"],
    ["topics history news --json"],
    ["dead-letters inspect nothing"],
    ["recall none --sender alice"],
    ["tail --queue builds --json"],
    ["state get plan"],
    ["state put plan - --expected-version 0", '"x"'],
    ["locks --json"],
    ["budgets"],
    ["approvals --json"],
    ["grants check bob topic.publish topic:news"],
    ["policy show"],
    [`policy validate ${join(place, "rules.yaml")}`],
    ["policy validate -", "rules: ["],
    ["audit verify --checkpoints /nonexistent"],
    ["attach /nonexistent --agent alice"],
    ["guard edit --agent alice", "{"],
    ["check --agent bob"],
    ["check --agent bob --hook claude-code", event, { XDG_STATE_HOME: join(place, "here") }],
    ["agents", "", { REDIS_URL: "redis://127.0.0.1:1" }],
  ];

  it.concurrent("ends as it does in a process that runs it itself, with the same status and the same words", async () => {
    const statuses = new Set<number>();
    // One after the other: a hook waits only so long, whatever else the machine does.
    for (const [typed, input = "", more = {}] of lines) {
      const args = typed.split(" ");
      const settings = { ...office.settings, ...more };
      const spawned = await spawnOn(input, settings, ...args);
      const elsewhere = more.XDG_STATE_HOME ? { XDG_STATE_HOME: join(place, "there") } : {};
      expect([typed, spawned]).toEqual([typed, await runOn(input, { ...settings, ...elsewhere }, ...args)]);
      statuses.add(spawned.status);
    }
    expect([...statuses].toSorted()).toEqual([0, 1, 2]);
  }, 120_000);

  it.concurrent("lets a hook go on at once whose store is away", async () => {
    const settings = { ...office.settings, REDIS_URL: "redis://127.0.0.1:1", XDG_STATE_HOME: place };
    const [mail, policy] = await Promise.all([
      spawnOn(event, settings, "check", "--hook", "claude-code", "--agent", "bob"),
      spawnOn(
        JSON.stringify({ hook_event_name: "PreToolUse", tool_name: "Read", tool_input: { file_path: "a" } }),
        settings,
        ...["policy", "hook", "claude-code", "--agent", "bob"],
      ),
    ]);
    expect(mail).toMatchObject({ status: 0, out: "", err: expect.stringMatching(/^llm-mailbox: /) });
    expect(policy).toMatchObject({ status: 0, out: "", err: expect.stringContaining("going on without it") });
  }, 60_000);
});
