import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeOnEachStore, startStore, type TestStore } from "../stores/index.js";
import { type Office, openOffice, runWith } from "./command-line.js";

interface GrantRow {
  readonly id: string;
  readonly who: string;
  readonly effect: string;
  readonly action: string;
  readonly resource: string;
  readonly expires_at: string | null;
  readonly by: string;
}
interface Verdict {
  readonly allowed: boolean;
  readonly because: string;
  readonly roles: readonly string[];
  readonly to_change: readonly string[];
}

describeOnEachStore("grants at the command line", (store) => {
  let office: Office;
  beforeAll(async () => {
    office = await openOffice(store().url);
  });
  afterAll(() => office.close());

  it("are made, listed, hold at once in a process that runs, and are taken back", async () => {
    const crier = await office.as("crier");
    const bob = await office.as("bob");
    await expect(crier.send("everyone", "x")).rejects.toThrow(/^access.denied/);
    const made = await office.json<GrantRow>(
      "grants",
      "allow",
      "Crier",
      "send",
      "everyone",
      "--expires",
      "1d",
    );
    expect(made).toMatchObject({
      who: "crier",
      effect: "allow",
      action: "mailbox.send",
      resource: "everyone",
    });
    expect(Date.parse(made.expires_at!) - Date.now()).toBeGreaterThan(80_000_000);
    await within(() => crier.send("everyone", "all hands"));
    expect((await bob.read()).messages.map(({ body }) => body)).toEqual(["all hands"]);
    expect(await office.json<GrantRow[]>("grants")).toMatchObject([{ id: made.id, by: "operator" }]);
    const table = (await office.run("grants")).out.split("\n");
    expect(table[0]).toMatch(/^ID +WHO +ACTION +RESOURCE +UNTIL +MADE$/);
    expect(table[1]).toMatch(
      new RegExp(`^${made.id} +crier +allow +mailbox.send +everyone +24 h more +\\S.* by operator$`),
    );
    expect((await office.run("grants", "remove", made.id)).out).toMatch(
      /^g\w+ is gone: crier may mailbox.send everyone/,
    );
    await within(() =>
      crier.send("everyone", "again").then(
        () => Promise.reject(new Error("still allowed")),
        () => undefined,
      ),
    );
    expect((await office.run("grants")).out).toBe("No grants: everybody may do what their role may.\n");
  });
});

describe("the dry run of a grant", () => {
  let store: TestStore;
  let office: Office;
  beforeAll(async () => {
    store = await startStore("embedded");
    office = await openOffice(store.url);
  });
  afterAll(async () => {
    await office?.close();
    await store?.stop();
  });
  const test = (...words: string[]): Promise<Verdict> => office.json<Verdict>("grants", "test", ...words);

  it("says before anything is tried whether somebody may, why, and what would change it", async () => {
    expect(await test("bob", "publish", "builds.ci")).toMatchObject({
      allowed: true,
      because: "role agent",
      roles: ["agent"],
      to_change: ["llm-mailbox grants deny bob topic.publish topic:builds.ci"],
    });
    const denial = await office.json<GrantRow>("grants", "deny", "role:agent", "publish", "builds");
    expect(await test("bob", "publish", "builds.ci")).toMatchObject({
      allowed: false,
      because: `grant ${denial.id}`,
      to_change: [`llm-mailbox grants remove ${denial.id}`],
    });
    const looks = async (): Promise<number> => {
      const rows = await office.json<{ action: string }[]>("audit", "query", "--agent", "operator");
      return rows.filter(({ action }) => action === "admin.grants").length;
    };
    const before = await looks();
    const told = await office.run("grants", "test", "bob", "publish", "builds.ci");
    expect(await looks()).toBe(before + 1);
    expect(told).toMatchObject({ status: 0, err: "" });
    expect(told.out.split("\n")).toEqual([
      "no: bob may not topic.publish topic:builds.ci.",
      expect.stringMatching(
        new RegExp(
          `^ {2}grant ${denial.id}: role:agent may not topic.publish topic:builds \\(.* by operator\\)$`,
        ),
      ),
      "  by role alone (agent): yes",
      "To allow it:",
      `  llm-mailbox grants remove ${denial.id}`,
      "",
    ]);
    await office.run("grants", "remove", denial.id);
    expect(await test("role:observer", "send", "alice")).toMatchObject({
      allowed: false,
      because: "no grant",
      roles: ["observer"],
      to_change: ["llm-mailbox grants allow role:observer mailbox.send alice"],
    });
  });

  it("names commands after which the answer is the other one", async () => {
    const flips = async (...words: string[]): Promise<void> => {
      const before = await test(...words);
      for (const command of before.to_change) {
        const [, ...args] = command.replaceAll("'", "").split(" ");
        expect(await office.run(...args), command).toMatchObject({ status: 0 });
      }
      expect((await test(...words)).allowed).toBe(!before.allowed);
    };
    for (let n = 0; n < 2; n++) await flips("carol", "send", "everyone");
    await flips("carol", "follow", "plans.**");
    await office.run("grants", "deny", "carol", "*", "*");
    await office.run("grants", "deny", "*", "mailbox.*", "dora");
    await flips("carol", "send", "dora");
    await office.run("topics", "create", "closed", "--publishers", "alice");
    await flips("carol", "publish", "closed.room");
    for (let n = 0; n < 2; n++) await flips("ivan", "lock.acquire", "lock:src/auth/**");
    await flips("role:observer", "lock.acquire", "lock:customer:123");
    await flips("role:observer", "lock.acquire", "*");
    // Each of several allows would be enough by itself.
    for (const name of ["a", "b"])
      await office.run("grants", "allow", "role:approver", "lock.acquire", `lock:${name}`);
    await office.run("grants", "allow", "role:approver", "lock.*", "*");
    await flips("role:approver", "lock.acquire", "*");
  }, 60_000);

  it("says of a lock what its name, and the patterns that mean it, bring about", async () => {
    const denial = await office.json<GrantRow>("grants", "deny", "hugo", "lock.acquire", "lock:/src/Auth/**");
    expect(denial).toMatchObject({ action: "lock.acquire", resource: "lock:src/Auth/**" });
    for (const asked of ["lock:src/Auth/a.ts", "lock:src/*/a.ts", "lock:**"])
      expect(await test("hugo", "lock.acquire", asked)).toMatchObject({
        allowed: false,
        because: `grant ${denial.id}`,
        to_change: [`llm-mailbox grants remove ${denial.id}`],
      });
    expect(await test("hugo", "lock.acquire", "lock:src/auth/a.ts")).toMatchObject({ allowed: true });
    expect(await test("hugo", "lock.read", "lock:src/Auth/a.ts")).toMatchObject({ allowed: true });
    expect(await test("role:observer", "lock.acquire", "lock:it's $HOME/a b")).toMatchObject({
      allowed: false,
      to_change: [`llm-mailbox grants allow role:observer lock.acquire 'lock:it'\\''s $HOME/a b'`],
    });
    const any = await office.run("grants", "test", "hugo", "lock.acquire", "*");
    expect(any.out).toContain("yes: hugo may lock.acquire *.");
    expect(any.out).toContain("lock:** asks about all of them");
    const { out } = await office.run("grants", "allow", "hugo", "lock.read", "lock:*");
    expect(out).toContain(
      "lock:* means names of one segment, such as customer:123; lock:** means every lock.",
    );
    expect((await office.run("grants")).out).toMatch(/hugo +deny +lock\.acquire +lock:src\/Auth\/\*\* /);
  });

  it("shows the list of a topic that leaves somebody out whom the grants would let", async () => {
    await office.run("topics", "create", "releases", "--publishers", "ci", "--readers", "ci,alice");
    expect(await office.json<object>("grants", "test", "bob", "publish", "releases.v1")).toMatchObject({
      allowed: false,
      because: "publishers of topic:releases",
      publishers: ["ci"],
      set_for: "releases",
      to_change: ["llm-mailbox topics set releases --publishers ci,bob"],
    });
    expect((await office.run("grants", "test", "bob", "read", "topic:releases.v1")).out).toContain(
      "  the readers of topic:releases are ci, alice\n",
    );
    expect((await test("alice", "follow", "releases.v1")).allowed).toBe(true);
    expect((await test("ci", "publish", "releases")).allowed).toBe(true);
  });

  it("agrees with what happens", async () => {
    await office.run("grants", "deny", "eve", "send", "frank");
    const eve = await office.as("eve");
    for (const to of ["frank", "everyone", "grace"]) {
      const { allowed } = await test("eve", "send", to);
      await within(async () => {
        const done = await eve.send(to, "x", { create: true, again: true }).then(
          () => true,
          () => false,
        );
        expect([to, done]).toEqual([to, allowed]);
      });
    }
  });
});

describe("what is typed wrongly for a grant", () => {
  const settings = { LLM_MAILBOX_DATA_DIR: "/nonexistent/never-made" };

  it.each([
    ["grants allow bob shout alice", /the action is one of/],
    ["grants allow bob send topic:builds", /topic\.publish/],
    ["grants deny bob read lock:web/**", /for locks lock\.acquire and lock\.read/],
    ["grants deny bob lock.acquire src/auth/**", /name lock: with what can be locked/],
    ["grants deny bob lock.acquire lock:../x", /leads above the root/],
    ["grants deny king: send alice", /who is an agent's name/],
    ["grants allow bob send alice --expires soon", /--expires is a time/],
    ["grants allow bob send", /missing required argument 'resource'/],
    ["grants test * send alice", /one agent, or about a role/],
    ["grants test bob mailbox.* alice", /asks about one action/],
    ["grants grant bob send alice", /unknown command 'grants grant'/],
  ])("%s is refused with status 2, and no store is opened for it", async (typed, text) => {
    const ended = await runWith(settings, ...typed.split(" "));
    expect(ended).toMatchObject({ status: 2, out: "", err: expect.stringMatching(text) });
  });
});

/** A change holds within a second: what does not hold yet is tried again for that long, and some. */
async function within(attempt: () => Promise<unknown>): Promise<void> {
  const until = Date.now() + 3_000;
  for (;;)
    try {
      await attempt();
      return;
    } catch (error) {
      if (Date.now() > until) throw error;
    }
}
