import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { describeOnEachStore, startStore, type TestStore } from "../stores/index.js";
import { type Office, openOffice, startWith } from "./command-line.js";

const nobody = "hocmosmtck-0bcpp03v4vi82";

describe("the operator's command line", () => {
  let store: TestStore;
  let office: Office;
  beforeAll(async () => {
    store = await startStore("embedded");
  });
  afterAll(() => store.stop());
  beforeEach(async () => {
    office = await openOffice(store.url);
    return () => office.close();
  });

  it("says of an empty namespace what would fill it", async () => {
    const lists = ["agents", "queues", "topics", "dead-letters"];
    const ended = await Promise.all(lists.map((list) => office.run(list)));
    expect(ended.map(({ status, out }) => [status, out.split(/[:.]/)[0]])).toEqual([
      [0, "No agents yet"],
      [0, "No queues yet"],
      [0, "No topics yet"],
      [0, "No dead letters"],
    ]);
  });

  it("lists agents with who is online and what waits for each", async () => {
    const alice = await office.as("alice");
    const bob = await office.as("bob");
    await office.house.directory.describe(bob.caller, "builds\u001b[31m things", ["build"], {
      row: "",
    });
    await alice.send("bob", "urgent", { priority: "urgent" });
    await alice.send("bobby-tables", "is anybody there?", { create: true });
    await bob.end();
    const rows = await office.json<Record<string, unknown>[]>("agents");
    expect(rows).toEqual([
      expect.objectContaining({ name: "alice", online: true, unread: 0 }),
      expect.objectContaining({
        name: "bob",
        online: false,
        unread: 1,
        urgent: 1,
        description: "builds\u001b[31m things",
        capabilities: ["build"],
      }),
      expect.objectContaining({ name: "bobby-tables", online: false, last_seen: null, unread: 1 }),
    ]);
    const { out } = await office.run("agents");
    expect(out).toMatch(/^AGENT +SEEN +UNREAD +OPEN +DEAD +ABOUT\n/);
    expect(out).toMatch(/\nalice +online +0 /);
    expect(out).toMatch(
      /\nbob +last call \S+( s ago)? +1 \(1 urgent\) +0 +0 +builds\\u\{1b\}\[31m things · build\n/,
    );
    expect(out).toMatch(/\nbobby-tables +never +1 /);
    expect(out).toContain("1 name nobody has claimed has unread mail");
  });

  it("opens a queue once and lists it with its jobs and consumers", async () => {
    expect(await office.json("queues", "create", "builds")).toEqual({ name: "builds", created: true });
    expect(await office.json("queues", "create", "queue:builds")).toEqual({ name: "builds", created: false });
    expect((await office.run("queues")).out).toContain("nobody has come for a job yet");
    const [alice, bob, carol] = [await office.as("alice"), await office.as("bob"), await office.as("carol")];
    for (const n of [1, 2, 3]) await alice.send("queue:builds", `job ${n}`);
    await bob.read({ mailbox: "queue:builds" });
    await carol.read({ mailbox: "queue:builds", peek: true });
    expect(await office.json("queues")).toEqual([
      {
        name: "builds",
        ready: 2,
        open: 1,
        delayed: 0,
        dead_letters: 0,
        consumers: [{ name: "bob", online: true, open: 1 }],
      },
    ]);
    expect((await office.run("queues")).out).toMatch(/\nqueue:builds +2 +1 +0 +0 +bob \(1 open\)\n/);
    const refused = await office.run("queues", "create", "everyone");
    expect(refused).toMatchObject({
      status: 2,
      out: "",
      err: expect.stringContaining("the name is reserved"),
    });
  });

  it("creates a topic, sets what holds for it, lists it, and deletes it when nobody follows or by force", async () => {
    const alice = await office.as("alice");
    expect(await office.json("topics", "create", "builds.ci", "--retention", "2d")).toEqual({
      topic: "builds.ci",
      created: true,
    });
    await alice.follow("builds.ci");
    await alice.send("topic:builds.ci", "red");
    await alice.send("topic:builds.ci", "green\u202e");
    expect(
      await office.json("topics", "set", "builds.ci", "--max-subscribers", "3", "--publishers", "alice,bob"),
    ).toEqual({
      topic: "builds.ci",
      settings: { retentionMs: 172_800_000, subscribersMost: 3, publishers: ["alice", "bob"] },
    });
    await office.json("topics", "set", "builds.ci", "--retention", "inherit");
    const [row] = (await office.json<Record<string, unknown>[]>("topics")).filter(
      ({ name }) => name === "builds.ci",
    );
    expect(row).toMatchObject({
      published: 2,
      subscribers: 1,
      settings: { subscribersMost: 3, publishers: ["alice", "bob"] },
    });
    expect((await office.run("topics")).out).toMatch(
      /\nbuilds\.ci +2 +\d+ +1 +[^ ].*? +at most 3 followers, published by alice bob\n/,
    );

    const history = await office.run("topics", "history", "builds.ci");
    expect(history.out).toMatch(/│ red\n[^│]+│ green\\u\{202e\}\n$/);
    const page = await office.json<{ messages: { body: string }[]; before: string }>(
      ...["topics", "history", "builds.ci", "--limit", "1"],
    );
    expect(page.messages.map(({ body }) => body)).toEqual(["green\u202e"]);
    const older = await office.json<{ messages: { body: string }[] }>(
      ...["topics", "history", "builds.ci", "--before", page.before],
    );
    expect(older.messages.map(({ body }) => body)).toEqual(["red"]);

    const followed = await office.run("topics", "delete", "builds.ci");
    expect(followed).toMatchObject({
      status: 1,
      err: expect.stringMatching(/^llm-mailbox: topic\.has_subscribers: .*--force/),
    });
    expect(await office.json("topics", "delete", "builds.ci", "--force")).toEqual({
      topic: "builds.ci",
      deleted: true,
      subscriptions_ended: 1,
    });
    const gone = await office.run("topics", "delete", "builds.ci");
    expect(gone).toMatchObject({ status: 1, err: expect.stringContaining("topic.unknown") });
  });

  it("refuses settings of a topic that mean nothing, and says what they may be", async () => {
    const [time, count, names, none] = await Promise.all([
      office.run("topics", "create", "a.b", "--retention", "soon"),
      office.run("topics", "create", "a.b", "--retention-count", "0"),
      office.run("topics", "set", "a.b", "--readers", "Bob Smith"),
      office.run("topics", "set", "a.b"),
    ]);
    expect(time).toMatchObject({ status: 2, err: expect.stringContaining("30m, 12h or 7d") });
    expect(count).toMatchObject({ status: 2, err: expect.stringContaining("whole number from 1") });
    expect(names).toMatchObject({ status: 2, err: expect.stringContaining("or everyone") });
    expect(none).toMatchObject({ status: 2, err: expect.stringContaining("help topics set") });
    expect(await office.json("topics")).toEqual([]);
  });

  it("lists, shows, requeues and purges dead letters, of one mailbox or of all", async () => {
    const [alice, bob] = [await office.as("alice"), await office.as("bob")];
    const ids: string[] = [];
    for (const body of ["one", "two\u001b]0;x\u0007", "three"]) {
      const { message_id } = await alice.send("queue:builds", body, { subject: `job ${body}` });
      await bob.read({ mailbox: "queue:builds" });
      await bob.ack(message_id, "reject", "no compiler");
      ids.push(message_id);
    }
    const listed = await office.json<{ total: number; dead_letters: { id: string; mailbox: string }[] }>(
      "dead-letters",
    );
    expect(listed.total).toBe(3);
    expect(listed.dead_letters.map(({ id, mailbox }) => [id, mailbox])).toEqual(
      ids.toReversed().map((id) => [id, "queue:builds"]),
    );
    const { out } = await office.run("dead-letters", "queue:builds", "--limit", "1");
    expect(out).toMatch(/^ID +MAILBOX +FROM +BURIED +WHY +TEXT\n/);
    expect(out).toContain(`${ids[2]}  queue:builds  alice`);
    expect(out).toContain("1 of 3 shown; --limit 3 shows all.");

    const whole = await office.run("dead-letters", "inspect", ids[1]!);
    expect(whole.out).toMatch(
      /^Dead letter in queue:builds, buried .*: rejected: no compiler \(failed 1×\)\.\n/,
    );
    expect(whole.out).toContain("  │ two\\u{1b}]0;x\\u{7}\n");

    expect(await office.json("dead-letters", "requeue", ids[0]!)).toEqual({
      requeued: 1,
      mailboxes: { "queue:builds": 1 },
    });
    const again = await bob.read({ mailbox: "queue:builds" });
    expect(again.messages.map(({ id }) => id)).toEqual([ids[0]]);
    expect((await office.run("dead-letters", "purge", ids[1]!)).out).toBe(
      "queue:builds: 1 dead letter purged.\n",
    );
    expect(await office.json("dead-letters", "purge", "--all", "--yes")).toEqual({
      purged: 1,
      mailboxes: { "queue:builds": 1 },
    });
    expect((await office.run("dead-letters")).out).toBe("No dead letters.\n");
  });

  it("does nothing to dead letters when one of them, a mailbox or the word of consent is missing", async () => {
    const [alice, bob] = [await office.as("alice"), await office.as("bob")];
    const { message_id: id } = await alice.send("queue:builds", "one");
    await bob.read({ mailbox: "queue:builds" });
    await bob.ack(id, "reject");
    const [unknown, none, both, consent, mailbox, elsewhere] = await Promise.all([
      office.run("dead-letters", "purge", id, nobody),
      office.run("dead-letters", "requeue"),
      office.run("dead-letters", "requeue", id, "--all"),
      office.run("dead-letters", "purge", "--all"),
      office.run("dead-letters", "builds"),
      office.run("dead-letters", "requeue", id, "--mailbox", "alice"),
    ]);
    expect(unknown).toMatchObject({ status: 1, err: expect.stringContaining(`no dead letter ${nobody}`) });
    expect(none).toMatchObject({ status: 2, err: expect.stringContaining("ids of messages, or --all") });
    expect(both).toMatchObject({ status: 2 });
    expect(consent).toMatchObject({ status: 2, err: expect.stringContaining("--yes") });
    expect(mailbox).toMatchObject({ status: 1, err: expect.stringContaining("did you mean queue:builds?") });
    expect(elsewhere).toMatchObject({
      status: 1,
      err: expect.stringContaining(`no dead letter ${id} in alice`),
    });
    expect((await office.json<{ total: number }>("dead-letters")).total).toBe(1);
  });

  it("has a mailbox refuse a sender and accept it again", async () => {
    const [alice] = [await office.as("alice"), await office.as("bob")];
    expect((await office.run("blocks")).out).toBe("No mailbox refuses anybody.\n");
    expect(await office.json("blocks", "add", "alice", "--mailbox", "bob")).toEqual({
      mailbox: "bob",
      sender: "alice",
      blocked: true,
    });
    await expect(alice.send("bob", "hello")).rejects.toThrow(/^mailbox\.blocked/);
    expect((await office.run("blocks")).out).toMatch(/^MAILBOX +REFUSES\nbob +alice\n$/);
    const [missing, removed] = [
      await office.run("blocks", "add", "alice", "--mailbox", "bobb"),
      await office.run("blocks", "remove", "alice", "--mailbox", "bob"),
    ];
    expect(missing).toMatchObject({ status: 1, err: expect.stringContaining("did you mean bob?") });
    expect(removed.out).toBe("bob accepts what alice sends.\n");
    await alice.send("bob", "hello again");
    const twice = await office.run("blocks", "remove", "alice", "--mailbox", "bob");
    expect(twice).toMatchObject({ status: 1, err: expect.stringContaining("does not refuse alice") });
  });

  it("recalls a message from those who have not been given it, and says for whom it is too late", async () => {
    const [alice, bob] = [await office.as("alice"), await office.as("bob")];
    await office.as("carol");
    const { message_id: id } = await office.house.rooms.mail.sendMessage(alice.caller, {
      to: ["bob", "carol"],
      body: "wrong",
    });
    await bob.read();
    const foreign = await office.run("recall", id, "--sender", "bob");
    expect(foreign).toMatchObject({ status: 1, err: expect.stringContaining("mailbox.not_yours") });
    const { status, out } = await office.run("recall", id, "--sender", "alice");
    expect({ status, out }).toEqual({
      status: 0,
      out: "Recalled from carol.\nToo late for bob: delivered already, or published to a topic.\n",
    });
    const { message_id: read } = await alice.send("bob", "also wrong");
    await bob.read();
    const late = await office.run("recall", read, "--sender", "alice");
    expect(late).toMatchObject({ status: 1, err: expect.stringContaining("mailbox.not_recallable") });
  });
});

describeOnEachStore("the operator's command line", (store) => {
  let office: Office;
  beforeAll(async () => {
    office = await openOffice(store().url);
  });
  afterAll(() => office.close());

  it("lists what there is and manages what was given up, whatever the store", async () => {
    const [alice, bob] = [await office.as("alice"), await office.as("bob")];
    await bob.follow("deploys.**");
    await alice.send("topic:deploys.eu", "news");
    const { message_id: mail } = await alice.send("bob", "mail");
    const { message_id: id } = await alice.send("queue:tests", "job");
    await bob.read({ mailbox: "queue:tests" });
    await bob.ack(id, "reject");
    const [agents, queues, topics, dead] = await Promise.all([
      office.json<object[]>("agents"),
      office.json<object[]>("queues"),
      office.json<object[]>("topics"),
      office.json<{ dead_letters: object[] }>("dead-letters"),
    ]);
    expect(agents).toContainEqual(expect.objectContaining({ name: "bob", online: true, unread: 2 }));
    expect(queues).toContainEqual(expect.objectContaining({ name: "tests", ready: 0, dead_letters: 1 }));
    expect(topics).toContainEqual(
      expect.objectContaining({ name: "deploys.eu", published: 1, subscribers: 1 }),
    );
    expect(dead.dead_letters).toEqual([expect.objectContaining({ id, mailbox: "queue:tests", body: "job" })]);
    expect(await office.json("dead-letters", "requeue", "--all")).toEqual({
      requeued: 1,
      mailboxes: { "queue:tests": 1 },
    });
    expect(await office.json("recall", mail, "--sender", "alice")).toMatchObject({ recalled: ["bob"] });
    const health = await office.json<{ healthy: boolean }>("doctor");
    expect(health.healthy).toBe(true);
  });

  it("goes on as messages arrive, each once and in order, until it is told to stop", async () => {
    const alice = await office.as("alice");
    await alice.send("queue:builds", "before");
    const { child, until } = startWith(office.settings, "tail", "--queue", "builds", "--follow", "--json");
    await until("before");
    for (let n = 0; n < 20; n++) await alice.send("queue:builds", `job ${n}.`);
    const out = await until("job 19.");
    const bodies = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).body);
    expect(bodies).toEqual(["before", ...Array.from({ length: 20 }, (_, n) => `job ${n}.`)]);
    child.kill("SIGINT");
    const status = await new Promise((resolve) => child.once("exit", resolve));
    expect(status).toBe(0);
  });
});

describe("watching messages", () => {
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

  it("shows the newest of a mailbox, newest last, and takes none", async () => {
    const [alice, bob] = [await office.as("alice"), await office.as("bob")];
    for (const n of [1, 2, 3]) await alice.send("bob", `letter ${n}\n2026-01-01  mallory → bob`);
    const { out } = await office.run("tail", "--agent", "bob", "-n", "2");
    expect(out).not.toContain("letter 1");
    expect(out).toMatch(
      /^\S+ {2}alice \(unverified\) → bob {2}stored {2}\S+\n {2}│ letter 2\n {2}│ 2026-01-01 {2}mallory → bob\n\S+ .*\n {2}│ letter 3\n/,
    );
    const { messages } = await bob.read();
    expect(messages.map(({ delivery_count }) => delivery_count)).toEqual([1, 1, 1]);
    const lines = (await office.run("tail", "--agent", "bob", "--json")).out.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).state)).toEqual(["read", "read", "read"]);
  });

  it("says under which lock a message was sent", async () => {
    const alice = await office.as("alice");
    const { token } = await office.house.rooms.locks.acquireLock(alice.caller, { resources: ["src/a b"] });
    const lock = { resource: "src/a b", fencing_token: token! };
    await alice.send("dan", "done", lock);
    const { out } = await office.run("tail", "--agent", "dan");
    expect(out).toMatch(
      new RegExp(`→ dan {2}stored {2}under lock "src/a b", token ${token} {2}\\S+\\n {2}│ done`),
    );
    expect(JSON.parse((await office.run("tail", "--agent", "dan", "--json")).out)).toMatchObject({ lock });
  });

  it("follows the topics a pattern means, also those that come up later, each message once", async () => {
    const alice = await office.as("alice");
    await alice.send("topic:deploy.eu", "first");
    await alice.send("topic:other", "not meant");
    const { child, until } = startWith(office.settings, "tail", "--topic", "*.eu", "-f", "--json");
    await until("first");
    await alice.send("topic:release.eu", "second");
    await until("second");
    await alice.send("topic:deploy.eu", "third");
    const out = await until("third");
    expect(
      out
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).body),
    ).toEqual(["first", "second", "third"]);
    child.kill("SIGTERM");
    await new Promise((resolve) => child.once("exit", resolve));
  });

  it("must be told one thing to watch", async () => {
    const [none, two, wrong] = await Promise.all([
      office.run("tail"),
      office.run("tail", "--agent", "bob", "--topic", "builds"),
      office.run("tail", "--topic", "builds..ci"),
    ]);
    expect(none).toMatchObject({ status: 2, err: expect.stringContaining("one of --agent NAME") });
    expect(two).toMatchObject({ status: 2 });
    expect(wrong).toMatchObject({ status: 2, err: expect.stringContaining("address.pattern_invalid") });
  });
});
