import { execFileSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Ended, main, spawnIn } from "../cli/command-line.js";
import { startStore, type TestStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";
import { connectStdio, eras, type TestClient } from "./clients.js";

describe.each(eras)("two agents of %s whose edits are guarded", (era) => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "mailbox-hooks-")));
  let store: TestStore;
  const clients: TestClient[] = [];
  beforeAll(async () => {
    execFileSync("git", ["init", "-q"], { cwd: root });
    store = await startStore("embedded");
    return async () => {
      await store.stop();
      rmSync(root, { recursive: true });
    };
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
  });
  const settings = {
    PATH: process.env.PATH!,
    LLM_MAILBOX_ALLOW_UNVERIFIED: "1",
    LLM_MAILBOX_NAMESPACE: newNamespace(),
  };
  const connect = async (agent: string): Promise<TestClient> => {
    const client = await connectStdio(era, {
      ...{ command: process.execPath, args: [main, "stdio", "--agent", agent] },
      env: { ...settings, REDIS_URL: store.url },
    });
    clients.push(client);
    return client;
  };
  const guard = (agent: string, ...args: string[]): Promise<Ended> => {
    const file = { file_path: join(root, args[1] ?? "") };
    const input = { session_id: `of-${agent}`, cwd: root, tool_name: "Edit", tool_input: file };
    const more = args[0] === "edit" ? ["--take"] : [];
    const env = { ...settings, REDIS_URL: store.url };
    return spawnIn(root, JSON.stringify(input), env, "guard", args[0]!, "--agent", agent, ...more);
  };
  const silent = { status: 0, out: "", err: "" };

  it("are told when each waits for what the other has edited, and go on when a turn ends", {
    timeout: 60_000,
  }, async () => {
    const [anna, ben] = [await connect("anna"), await connect("ben")];
    expect(await guard("anna", "edit", "a.ts")).toEqual(silent);
    expect(await guard("ben", "edit", "b.ts")).toEqual(silent);
    for (const [agent, file] of [
      ["anna", "b.ts"],
      ["ben", "a.ts"],
    ] as const)
      expect((await guard(agent, "edit", file)).out).toContain(
        "end its turn, or wait with acquire_lock, which tells it where they wait for it too",
      );
    const waiting = anna.call("acquire_lock", { resources: ["b.ts"], wait_seconds: 50 });
    await expect.poll(async () => (await ben.call("list_locks")).text).toMatch(/waits: anna/);
    const closing = await ben.call("acquire_lock", { resources: ["a.ts"], wait_seconds: 50 });
    const remedy =
      "Before you wait, end your turn, by which your edit hook gives back what it reserved, or release_lock that by its lock_id (in my_status)";
    expect(closing.text).toContain(
      `\nthis wait may never end: you wait for "a.ts", where an edit hook of anna is before you until that turn ends; anna waits for "b.ts", where your own edit hook is before it until your turn ends. ${remedy}\n`,
    );
    const told = await waiting;
    expect(told.text).toContain(
      `\nthis wait may never end: you wait for "b.ts", where an edit hook of ben is before you until that turn ends; ben waits for "a.ts", where your own edit hook is before it until your turn ends. ${remedy}\n`,
    );
    const ticket = /ticket (lk-[0-9a-z]{12})/.exec(closing.text)![1]!;
    const again = ben.call("acquire_lock", { ticket, wait_seconds: 40 });
    expect(await guard("anna", "stop")).toEqual(silent);
    expect((await again).text).toMatch(/^yours until /);
    // The other way: what its edits reserved is given back by its id.
    const id = /you hold "b\.ts".* until \S+: lock_id (lk-\w{12})/.exec(
      (await ben.call("my_status")).text,
    )![1]!;
    expect((await ben.call("release_lock", { lock_id: id })).text).toMatch(/^released.* next: anna$/);
  });
});
