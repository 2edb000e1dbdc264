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
  const two = async (
    settings: Record<string, string> = {},
    names = ["anna", "ben"],
  ): Promise<[TestClient, TestClient, ...TestClient[]]> => {
    const namespace = newNamespace();
    const connect = async (agent: string): Promise<TestClient> => {
      const client = await connectStdio(era, {
        ...{ command: process.execPath, args: [main, "stdio", "--agent", agent] },
        env: {
          PATH: process.env.PATH!,
          REDIS_URL: store.url,
          LLM_MAILBOX_ALLOW_UNVERIFIED: "1",
          LLM_MAILBOX_NAMESPACE: namespace,
          ...settings,
        },
      });
      clients.push(client);
      return client;
    };
    return (await Promise.all(names.map(connect))) as [TestClient, TestClient, ...TestClient[]];
  };
  const idIn = (text: string): string => /lk-[0-9a-z]{12}/.exec(text)![0];

  it("lock in turn: queued, woken, released, and told what was lost", { timeout: 60_000 }, async () => {
    const [anna, ben] = await two();
    const first = await anna.call("acquire_lock", { resources: "src/**" });
    expect(first.text).toMatch(/^yours until \S+: "src\/\*\*", lock_id lk-\w{12}, token \d{16}$/);
    const [id, token] = [idIn(first.text), /\d{16}$/.exec(first.text)![0]];
    expect((await anna.call("acquire_lock", { resources: ["src/a.ts"] })).text).toMatch(
      new RegExp(
        `^already yours until \\S+: "src/a.ts", lock_id ${id}, token ${token}\nthis lock covers "src/\\*\\*"; releasing it frees all of that$`,
      ),
    );
    const other = await anna.call("acquire_lock", { resources: ["src/a.ts", "z"] });
    expect(other.text).toMatch(
      new RegExp(
        `\nyou held "src/a.ts" under ${id} already: write to it with this newer token from now on, and when you release this lock release that one too before you write there again$`,
      ),
    );
    expect((await anna.call("acquire_lock", { resources: ["z", "src/b.ts"] })).text).toMatch(
      new RegExp(
        `^already yours, under 2 locks:\n"src/b.ts" until \\S+: lock_id ${id}, token ${token}, which covers "src/\\*\\*"\n"z" until \\S+: lock_id ${idIn(other.text)}, `,
      ),
    );
    await anna.call("release_lock", { lock_id: idIn(other.text) });
    expect((await anna.call("my_status")).text).toMatch(
      new RegExp(`\nyou hold "src/\\*\\*" until \\S+: lock_id ${id}, token ${token}\n`),
    );
    const queued = await ben.call("acquire_lock", { resources: ["src/a.ts"] });
    expect(queued).toMatchObject({ isError: false });
    expect(queued.text).toMatch(
      /^not yours yet: place 1, ticket lk-\w{12}\n"src\/a.ts": held by anna until /,
    );
    expect((await ben.call("my_status")).text).toContain(
      `\nyou wait for "src/a.ts": place 1, ticket ${idIn(queued.text)}\n`,
    );
    const waiting = ben.call("acquire_lock", { ticket: idIn(queued.text), wait_seconds: 40 });
    expect((await anna.call("list_locks")).text).toMatch(
      /^held by anna \(you\) until .*: "src\/\*\*" \(lk-\w{12}\)\nwaits: ben/,
    );
    expect((await anna.call("release_lock", { lock_id: idIn(first.text) })).text).toBe("released; next: ben");
    expect((await waiting).text).toMatch(/^yours until /);
    expect(JSON.parse(await anna.read("mailbox://locks"))).toMatchObject({ holders: [{ agent: "ben" }] });

    const short = await anna.call("acquire_lock", { resources: ["x"], lease_seconds: 1 });
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect((await anna.call("list_locks", { resource: "x" })).text).toBe(
      `nothing is locked\nlock: ${idIn(short.text)} ("x") is lost and others may get it; acquire it again before you change it`,
    );
    const five = await anna.call("acquire_lock", { resources: ["e", "d", "c", "b", "a"] });
    expect(five.text).toMatch(/^yours until \S+: "a", "b", "c" and 2 more, lock_id /);
    expect((await anna.call("acquire_lock", { lock_id: idIn(five.text) })).text).toMatch(
      /^renewed until \S+: "a", "b", "c" and 2 more, lock_id /,
    );
    const refused = await anna.call("acquire_lock", { resources: ["../x"] });
    expect([refused.isError, refused.text.slice(0, 21)]).toEqual([true, "lock.resource_invalid"]);
  });

  it("are told again of a loss that an answer or a refusal told which was cancelled", {
    timeout: 60_000,
  }, async () => {
    const [anna, ben] = await two();
    const take = async (resource: string): Promise<string> =>
      idIn((await anna.call("acquire_lock", { resources: [resource], lease_seconds: 1 })).text);
    const calls: readonly [string, (id: string) => readonly [tool: string, input: object]][] = [
      ["a", (id) => ["release_lock", { lock_id: id }]],
      ["b", (id) => ["acquire_lock", { lock_id: id }]],
      ["c", (id) => ["acquire_lock", { ticket: id }]],
      ["d", () => ["list_locks", {}]],
    ];
    for (const [resource, call] of calls) {
      const id = await take(resource);
      await new Promise((resolve) => setTimeout(resolve, 1_200));
      expect((await ben.call("acquire_lock", { resources: [resource] })).text).toMatch(/^yours/);
      const cancel = new AbortController();
      const [tool, input] = call(id);
      const cancelled = anna.call(tool, { ...input }, { signal: cancel.signal });
      cancel.abort();
      await expect(cancelled).rejects.toThrow();
      const told = `lock: ${id} ("${resource}") is lost and others may get it; acquire it again before you change it`;
      expect((await anna.call("my_status")).text.split("\n")).toContain(told);
      expect((await anna.call("my_status")).text).not.toContain(id);
    }
    // What reaches its client is told by it alone.
    const id = await take("e");
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect((await anna.call("release_lock", { lock_id: id })).text).toBe(
      "nothing to release: you had lost it, and others may have changed what it protected",
    );
    expect((await anna.call("my_status")).text).not.toContain(id);
  });

  it("are told of every loss, whatever the reply is about, and by a refusal too", {
    timeout: 60_000,
  }, async () => {
    const [anna, ben] = await two();
    await ben.call("send_message", { to: ["anna"], body: "m".repeat(60_000) });
    const name = (n: number): string => `src/${"long/".repeat(16)}${n}`;
    const lose = async (count: number): Promise<string[]> => {
      const ids: string[] = [];
      for (let n = 0; n < count; n++) {
        const resources = [name(n), name(n + 100), name(n + 200)];
        ids.push(idIn((await anna.call("acquire_lock", { resources, lease_seconds: 5 })).text));
      }
      await new Promise((resolve) => setTimeout(resolve, 5_500));
      return ids;
    };
    const lost = await lose(27);
    const reply = await anna.call("read_inbox");
    const next = await anna.call("list_locks");
    const linesOf = ({ text }: { text: string }): string[] =>
      text.split("\n").filter((line) => line.startsWith("lock: "));
    const whole =
      /^lock: lk-\w{12} \("src\/[^"]+" and 2 more\) is lost and others may get it; acquire it again before you change it$/;
    expect(linesOf(reply)).toHaveLength(21);
    for (const line of linesOf(reply).slice(0, 20)) expect(line).toMatch(whole);
    expect(linesOf(reply)[20]).toBe("lock: 7 more are lost; your next replies name them");
    expect(reply.text).toMatch(
      /\[cut: \d+ of 60000 characters shown so far; the rest: read_inbox message_id: /,
    );
    expect(reply.text.length).toBeLessThan(12_100);
    expect(linesOf(next)).toHaveLength(7);
    expect([...linesOf(reply).slice(0, 20), ...linesOf(next)].map(idIn).sort()).toEqual([...lost].sort());

    const { text } = await anna.call("acquire_lock", { resources: ["k"], lease_seconds: 1 });
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const late = await anna.call("put_state", {
      ...{ key: "k", value: "late", resource: "k", fencing_token: /token (\d{16})/.exec(text)![1]! },
    });
    expect(late.isError).toBe(true);
    expect(late.blocks).toEqual([
      expect.stringMatching(/^lock\.stale_token: .*release_lock what you still hold of the resource/),
      `lock: ${idIn(text)} ("k") is lost and others may get it; acquire it again before you change it`,
    ]);
    const many: string[] = [];
    for (let n = 0; n < 50; n++) many.push(`${"n".repeat(100)}/${n}`);
    for (let n = 0; n < 50; n += 1)
      await ben.call("acquire_lock", { resources: [0, 1, 2].map((part) => `${part}${many[n]}`) });
    const listed = await anna.call("list_locks");
    expect(listed.text).toMatch(/\nand \d+ more; ask about one resource$/);
    expect(listed.text).not.toContain("[cut here");
  });

  it("read who is before them: another run of theirs as that, and who waits where nobody holds", {
    timeout: 60_000,
  }, async () => {
    const [anna, ben, other, carl] = await two({}, ["anna", "ben", "anna", "carl"]);
    const held = await anna.call("acquire_lock", { resources: ["x"] });
    const queued = await other!.call("acquire_lock", { resources: ["x"] });
    expect(queued.text).toMatch(
      new RegExp(
        `\n"x": held by another run of yours until \\S+; acquire_lock with lock_id ${idIn(held.text)} makes it this run's\n`,
      ),
    );
    await ben.call("acquire_lock", { resources: ["y"] });
    await anna.call("acquire_lock", { resources: ["y", "z"] });
    expect((await other!.call("acquire_lock", { resources: ["z"] })).text).toMatch(
      /^not yours yet: place 2, ticket lk-\w{12}\nbefore you in line: another run of yours\n/,
    );
    expect((await carl!.call("acquire_lock", { resources: ["z"], wait_seconds: 1 })).text).toMatch(
      /^not yours yet after 1 s: place 3, ticket lk-\w{12}\nbefore you in line: anna\n/,
    );
    const renewed = await other!.call("acquire_lock", { lock_id: idIn(held.text) });
    expect(renewed.text).toMatch(/^renewed until /);
    expect((await anna.call("my_status")).text).toMatch(
      new RegExp(
        `\nlock: ${idIn(held.text)} \\("x"\\) is with another run of yours now, and with this one no more$`,
      ),
    );
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

  it("send under a lock: the reader is told which, and nobody sends under a lock that is lost", {
    timeout: 60_000,
  }, async () => {
    const [anna, ben] = await two();
    await ben.call("subscribe_topic", { topic: "builds" });
    const lock = async (resource: string, more: object = {}): Promise<[id: string, token: string]> => {
      const { text } = await anna.call("acquire_lock", { resources: [resource], ...more });
      return [idIn(text), /token (\d{16})/.exec(text)![1]!];
    };
    const [id, token] = await lock("src/a.ts");
    const under = { resource: "src/a.ts", fencing_token: token };
    const key = { idempotency_key: "k" };
    const sent = await anna.call("send_message", { to: "ben", body: "changed", ...under, ...key });
    expect(sent.text).toMatch(/^sent \S+ to ben$/);
    const messageId = sent.text.split(" ")[1]!;
    await anna.call("send_message", { to: ["topic:builds", "queue:work"], body: "all", ...under });
    const told = `under lock "src/a.ts", token ${token}`;
    const [envelope, quote] = (await ben.call("read_inbox", { sender: "anna", limit: 1 })).blocks.slice(1);
    expect(envelope).toMatch(new RegExp(`^${messageId} from anna \\(unverified\\) to ben · \\S+ · ${told}$`));
    expect(quote).not.toContain(token);
    const shown = [
      (await ben.call("read_inbox")).text,
      (await ben.call("read_inbox", { mailbox: "queue:work" })).text,
      (await ben.call("search_messages", { query: "changed" })).text,
      (await anna.call("search_messages", { sent: true, query: "changed" })).text,
      (await ben.call("search_messages", { topic: "builds" })).text,
      await ben.read(`mailbox://messages/${messageId}`),
      await anna.read(`mailbox://messages/${messageId}`),
      await ben.read(`mailbox://threads/${messageId}`),
      await ben.read("mailbox://topics/builds"),
    ];
    for (const text of shown) expect(text).toContain(` · ${told}`);

    await anna.call("release_lock", { lock_id: id });
    const late = await anna.call("send_message", { to: "ben", body: "late", ...under });
    expect([late.isError, late.text.slice(0, 17)]).toEqual([true, "lock.stale_token:"]);
    const again = await anna.call("send_message", { to: "ben", body: "changed", ...under, ...key });
    expect(again).toMatchObject({ isError: false, text: `replayed: ${sent.text}` });
    const alone = await anna.call("send_message", { to: "ben", body: "x", fencing_token: token });
    expect(alone.text).toMatch(/^input\.invalid: .*resource and fencing_token go together/);
    expect((await ben.call("read_inbox")).text).toMatch(/^nothing new/);

    const long = `packages/${"deeper/".repeat(20)}file.ts`;
    const [, second] = await lock(long);
    await anna.call("send_message", { to: "ben", body: "far", resource: long, fencing_token: second });
    const { text } = await ben.call("read_inbox");
    expect(text).toContain(`under lock "${long.slice(0, 79)}…", token ${second}`);
    expect(text).toContain(`\nresource: ${long}\n\nfar\n`);
  });

  it("tell programs of the lock of a message in fields", { timeout: 60_000 }, async () => {
    const [anna, ben] = await two({ LLM_MAILBOX_STRUCTURED: "1" });
    const { structured: granted } = await anna.call("acquire_lock", { resources: ["a"] });
    const lock = { resource: "a", fencing_token: granted!.token };
    await anna.call("send_message", { to: ["ben"], body: "x", ...lock });
    expect((await ben.call("search_messages")).structured).toMatchObject({ messages: [{ lock }] });
    expect(JSON.parse(await ben.read("mailbox://inbox"))).toMatchObject({ envelopes: [{ lock }] });
    expect((await ben.call("read_inbox")).structured).toMatchObject({ messages: [{ body: "x", lock }] });
  });
});
