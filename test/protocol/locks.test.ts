import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { main } from "../cli/command-line.js";
import { startStore, type TestStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";
import { connectStdio, eras, type TestClient } from "./clients.js";

describe.each(eras)("two clients of %s, each with a server of its own", (era) => {
  let store: TestStore;
  const clients: TestClient[] = [];
  beforeAll(async () => {
    store = await startStore("embedded");
    return () => store.stop();
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
  });
  const two = async (): Promise<[TestClient, TestClient]> => {
    const namespace = newNamespace();
    const connect = async (agent: string): Promise<TestClient> => {
      const client = await connectStdio(era, {
        ...{ command: process.execPath, args: [main, "stdio", "--agent", agent] },
        env: {
          PATH: process.env.PATH!,
          REDIS_URL: store.url,
          LLM_MAILBOX_ALLOW_UNVERIFIED: "1",
          LLM_MAILBOX_NAMESPACE: namespace,
        },
      });
      clients.push(client);
      return client;
    };
    return [await connect("anna"), await connect("ben")];
  };
  const idIn = (text: string): string => /lk-[0-9a-z]{12}/.exec(text)![0];

  it("lock in turn: queued, woken, released, and told what was lost", { timeout: 60_000 }, async () => {
    const [anna, ben] = await two();
    const first = await anna.call("acquire_lock", { resources: "src/**" });
    expect(first.text).toMatch(/^yours until \S+: lock_id lk-\w{12}, token \d{16}$/);
    const queued = await ben.call("acquire_lock", { resources: ["src/a.ts"] });
    expect(queued).toMatchObject({ isError: false });
    expect(queued.text).toMatch(
      /^not yours yet: place 1, ticket lk-\w{12}\n"src\/a.ts": held by anna until /,
    );
    const waiting = ben.call("acquire_lock", { ticket: idIn(queued.text), wait_seconds: 40 });
    expect((await anna.call("list_locks")).text).toMatch(
      /^held by anna until .*: "src\/\*\*" \(lk-\w{12}\)\nwaits: ben/,
    );
    expect((await anna.call("release_lock", { lock_id: idIn(first.text) })).text).toBe("released; next: ben");
    expect((await waiting).text).toMatch(/^yours until /);
    expect(JSON.parse(await anna.read("mailbox://locks"))).toMatchObject({ holders: [{ agent: "ben" }] });

    const short = await anna.call("acquire_lock", { resources: ["x"], lease_seconds: 1 });
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect((await anna.call("list_locks", { resource: "x" })).text).toBe(
      `nothing is locked\nlock: ${idIn(short.text)} ("x") is lost; others may change it now`,
    );
    const refused = await anna.call("acquire_lock", { resources: ["../x"] });
    expect([refused.isError, refused.text.slice(0, 21)]).toEqual([true, "lock.resource_invalid"]);
  });

  it("are both told at once of a circle that a message would open", { timeout: 60_000 }, async () => {
    const [anna, ben] = await two();
    await anna.call("acquire_lock", { resources: ["x"] });
    await ben.call("my_status");
    const { text } = await ben.call("acquire_lock", { resources: ["x"] });
    const waiting = ben.call("acquire_lock", { ticket: idIn(text), wait_seconds: 40 });
    const from = performance.now();
    expect((await anna.call("read_inbox", { sender: "ben", wait_seconds: 40 })).text).toBe(
      'nothing new\nlock: this wait may never end: you wait for a message or a decision of ben; ben waits for "x", where you are before it; release what you hold, or go on without',
    );
    expect((await waiting).text).toContain(
      'this wait may never end: you wait for "x", where anna is before you; anna waits for a message or a decision of yours. Give anna what it waits for before you wait\n',
    );
    expect(performance.now() - from).toBeLessThan(20_000);
    const reading = anna.call("read_inbox", { sender: "ben", wait_seconds: 40 });
    await ben.call("send_message", { to: ["anna"], body: "it is done" });
    expect((await reading).text).toContain("it is done");
  });
});
