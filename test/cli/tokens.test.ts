import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startStore, type TestStore } from "../stores/index.js";
import { type Office, openOffice, runWith } from "./command-line.js";

interface Row {
  readonly id: string;
  readonly agent: string;
  readonly state: string;
  readonly expires_at: string | null;
}
interface Doctor {
  readonly findings: readonly { about: string; state: string; found: string; remedy?: string }[];
}

const day = 24 * 3_600_000;

describe("tokens at the command line", () => {
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
  const tokens = (...args: string[]): Promise<Row[]> => office.json<Row[]>("agents", "tokens", ...args);
  const names = async (): Promise<Doctor["findings"]> =>
    (await office.json<Doctor>("doctor")).findings.filter(({ about }) => /^(names|tokens)$/.test(about));

  it("are issued alone on standard output, once, for 90 days; what else is told goes to standard error", async () => {
    const before = Date.now();
    const { status, out, err } = await office.run("agents", "issue", "@Alice", "--note", "laptop");
    expect([status, out]).toEqual([0, expect.stringMatching(/^lmt_\S{59,}\n$/)]);
    expect(err).toMatch(/^Token [0-9a-f]{16} for alice, until \d{4}-.*It is shown this once:\n/);
    expect(err).toContain("This is the first token here: from now on no agent of this namespace is believed");
    const [row] = await tokens();
    expect(row).toMatchObject({ agent: "alice", state: "live", note: "laptop", by: "operator" });
    expect(Math.abs(Date.parse(row!.expires_at!) - before - 90 * day)).toBeLessThan(60_000);
    const list = await office.run("agents", "tokens");
    expect(list.out).toMatch(
      /^TOKEN +AGENT +STATE +ISSUED +NOTE\n[0-9a-f]{16} +alice +live, ends in 90 d +\S.* by operator +laptop\n$/,
    );
    expect(list.out + list.err + JSON.stringify(row)).not.toContain(out.trim().slice(-43));
    const principal = await office.house.tokens.verify(out.trim());
    expect(principal).toMatchObject({ agent: "alice", namespace: office.house.config.namespace });
    expect((await office.run("agents", "issue", "bob")).err).not.toContain("first token");
  });

  it("hold as long as was typed, or for ever", async () => {
    await office.run("agents", "issue", "alice", "--expires", "12h");
    await office.run("agents", "issue", "bob", "--never");
    const rows = await tokens();
    const hours =
      (Date.parse(rows.find(({ agent }) => agent === "alice")!.expires_at!) - Date.now()) / 3_600_000;
    expect(hours).toBeGreaterThan(11.9);
    expect(hours).toBeLessThanOrEqual(12.1);
    expect(rows.find(({ agent }) => agent === "bob")?.expires_at).toBeNull();
    expect((await tokens("alice")).map(({ agent }) => agent)).toEqual(["alice"]);
    expect((await office.run("agents", "tokens", "carol")).out).toBe("carol has no token.\n");
  });

  it("are rotated, revoked by id or by agent, and recovered", async () => {
    const verified = async (token: string): Promise<string> =>
      office.house.tokens.verify(token).then(
        ({ agent }) => agent,
        (error: { code: string }) => error.code,
      );
    const issue = async (...words: string[]): Promise<string> =>
      (await office.run("agents", ...words)).out.trim();
    const first = await issue("issue", "alice");
    const [{ id }] = (await tokens()) as [Row];
    const second = await issue("rotate", id, "--overlap", "1h");
    expect([await verified(first), await verified(second)]).toEqual(["alice", "alice"]);
    expect((await office.run("agents", "revoke", id)).out).toBe(`1 token revoked: ${id}.\n`);
    expect([await verified(first), await verified(second)]).toEqual(["auth.invalid", "alice"]);
    const third = await issue("recover", "alice");
    expect([await verified(second), await verified(third)]).toEqual(["auth.invalid", "alice"]);
    expect(await office.json("agents", "revoke", "--agent", "alice")).toEqual({
      revoked: [expect.any(String)],
    });
    expect(await verified(third)).toBe("auth.invalid");
    expect((await office.run("agents", "revoke", "--agent", "alice")).out).toContain(
      "no token that still holds",
    );
    expect((await tokens()).map(({ state }) => state)).toEqual(["revoked", "revoked", "revoked"]);
  });

  it("are named by a whole token too, which is not shown again", async () => {
    const token = (await office.run("agents", "issue", "alice")).out.trim();
    const ended = await office.run("agents", "revoke", token);
    expect(ended).toMatchObject({
      status: 0,
      out: expect.stringMatching(/^1 token revoked: [0-9a-f]{16}\.\n$/),
    });
    const cut = await office.run("agents", "revoke", token.slice(0, -1));
    expect(cut).toMatchObject({ status: 2, err: expect.stringContaining("16 characters of 0-9 a-f") });
    expect(cut.err + cut.out).not.toContain(token.slice(-43, -1));
  });

  it("carry roles that are shown and set", async () => {
    const roles = (...words: string[]) => office.run("agents", "roles", "alice", ...words);
    expect((await roles()).out).toBe("alice: agent, as nothing else was set; a JWT may say otherwise.\n");
    await office.run("agents", "issue", "alice", "--role", "observer", "--role", "approver");
    expect((await roles()).out).toBe("alice: observer, approver.\n");
    expect((await roles("admin")).out).toBe("alice: admin.\n");
    // A look is recorded like a change: two of each.
    const rows = await office.json<{ action: string; resource: string }[]>(
      "audit",
      "query",
      "--agent",
      "operator",
    );
    const ofRoles = rows.filter(({ action, resource }) => action === "admin.tokens" && resource === "alice");
    expect(ofRoles).toHaveLength(4);
    expect(await office.json("agents", "roles", "alice", "--reset")).toEqual({
      agent: "alice",
      roles: ["agent"],
      set: false,
    });
  });

  it.each([
    [["issue", "queue:x"], "is not the name of an agent"],
    [["issue", "everyone"], "is not the name of an agent"],
    [["issue", "alice", "--role", "king"], "The roles are admin, agent, observer, approver"],
    [["issue", "alice", "--expires", "soon"], "a time such as 90s, 10m, 1h or 30d"],
    [["issue", "alice", "--expires", "3651d"], "at most 3650d"],
    [["issue", "alice", "--expires", "1d", "--never"], "contradict each other"],
    [["rotate", "0123456789abcdef", "--overlap", "91d"], "at most 90d"],
    [["revoke"], "needs the id of a token, or --agent NAME"],
    [["revoke", "0123456789abcdef", "--agent", "alice"], "needs the id of a token, or --agent NAME"],
    [["roles", "alice", "king"], "the roles are"],
    [["roles", "alice", "admin", "--reset"], "--reset takes no roles"],
  ])("typed as %j are refused with status 2, and nothing is changed", async (words, problem) => {
    const { status, out, err } = await office.run("agents", ...words);
    expect([status, out, err]).toEqual([2, "", expect.stringContaining(problem)]);
    expect((await office.house.access.rules(office.house.config.namespace)).version).toBe("");
  });

  it("that are not there are refused with status 1", async () => {
    for (const word of ["rotate", "revoke"]) {
      const { status, err } = await office.run("agents", word, "0123456789abcdef");
      expect([status, err]).toEqual([1, expect.stringContaining("auth.token_unknown")]);
    }
  });

  it("are not asked of an empty data directory by starting an engine there", async () => {
    const settings = { LLM_MAILBOX_DATA_DIR: "/nonexistent/mailbox" };
    expect(await runWith(settings, "agents", "tokens")).toEqual({
      status: 0,
      out: "No tokens yet: llm-mailbox agents issue NAME.\n",
      err: "",
    });
    expect((await runWith(settings, "agents", "roles", "alice")).status).toBe(0);
  });

  it("are counted by the doctor, which says whether names are proved and what ends soon", async () => {
    expect(await names()).toMatchObject([
      { state: "ok", found: expect.stringMatching(/^not proved: each process says/) },
    ]);
    const { LLM_MAILBOX_ALLOW_UNVERIFIED: _, ...strict } = office.settings;
    const closed = JSON.parse((await runWith(strict, "doctor", "--json")).out) as Doctor;
    expect(closed.findings.find(({ about }) => about === "names")?.found).toContain(
      "a name alone is not believed",
    );
    await office.run("agents", "issue", "alice");
    await office.run("agents", "issue", "bob", "--expires", "3d");
    const [soon] = await tokens("bob");
    expect(await names()).toMatchObject([
      { about: "names", state: "ok", found: "proved by tokens: 2 tokens of 2 agents hold" },
      { about: "tokens", state: "warn", found: `1 token expires within 7 days: ${soon!.id} (bob)` },
    ]);
    await office.run("agents", "revoke", "--agent", "alice");
    await office.run("agents", "revoke", "--agent", "bob");
    expect(await names()).toMatchObject([{ state: "warn", remedy: "llm-mailbox agents issue NAME" }]);
  });
});
