import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { queryAudit } from "../../src/audit/index.js";
import type { DecisionRecord } from "../../src/policy/index.js";
import { policyKeys } from "../../src/redis/index.js";
import { startStore, type TestStore } from "../stores/index.js";
import { type Ended, type Office, openOffice, runOn, runWith } from "./command-line.js";

const deleting = (effect: string, more = ""): string => `version: 1
vocabulary:
  file.delete: [rm]
rules:
  - id: no-delete
    actions: ["file.delete"]
    resources: ["prod/**"]
    when: context.risk == "high"
    effect: ${effect}
    reason: what is deleted in production is gone
    guidance: Move it to the attic instead.
  - id: may-look
    actions: ["file.*"]
    effect: allow
${more}`;

const budget = `limits:
  - id: spend
    of: cost
    actions: ["file.delete"]
    per: agent
    most: 10
    window: 1d
counters:
  deletes: { actions: ["file.delete"], per: agent, window: 10m }
`;

describe("llm-mailbox policy", () => {
  let store: TestStore;
  let office: Office;
  let folder: string;
  beforeAll(async () => {
    store = await startStore("embedded");
    folder = mkdtempSync(join(tmpdir(), "mailbox-policy-"));
  });
  afterAll(async () => {
    await store?.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    office = await openOffice(store.url);
    return () => office.close();
  });
  const file = (text: string, name = "rules.yaml"): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const policy = (...args: string[]): Promise<Ended> => office.run("policy", ...args);
  const effectOf = async (risk: string): Promise<string> => {
    const { rules } = await office.house.ruleBook.inForce(office.house.config.namespace);
    return rules.decide({
      agent: { name: "bob", role: "", team: "", labels: {}, roles: ["agent"], verified: true },
      ...{ action: "file.delete", resource: "prod/a", context: { risk }, counts: {} },
      reads: { unverified: [], foreign: [] },
      nowMs: Date.now(),
    }).effect;
  };

  it("puts a file into force in a process that runs, shows it, lists it and goes back", async () => {
    expect((await policy("history")).out).toMatch(/^No rules were ever put: the profile standard holds/);
    expect((await policy("show")).out).toBe("version: 1\nprofile: standard\n");
    const put = await policy("put", file(deleting("deny")), "--note", "no \u202e deletes");
    expect([put.status, put.out, put.err]).toEqual([
      0,
      "Version 1 is in force everywhere within a second.\n",
      "",
    ]);
    await within(async () => expect(await effectOf("high")).toBe("deny"));
    expect(
      await office.json("policy", "put", file(deleting("require_approval")), "--over", "1"),
    ).toMatchObject({
      version: 2,
      state: "put",
    });
    expect((await policy("put", file(deleting("require_approval")))).out).toBe(
      "Version 2, which is in force, says exactly this already.\n",
    );
    expect((await policy("rollback", "1", "--note", "too many questions")).out).toBe(
      "Version 3 is in force everywhere within a second. It says what version 1 said.\n",
    );
    await within(async () => expect(await effectOf("high")).toBe("deny"));
    expect((await policy("show")).out).toBe(deleting("deny"));
    expect((await policy("show", "2")).out).toBe(deleting("require_approval"));
    expect(await office.json("policy", "show", "2")).toMatchObject({
      version: 2,
      by: "operator",
      over: 1,
      note: null,
      text: deleting("require_approval"),
    });
    expect(await office.json("policy", "history")).toMatchObject([
      { version: 3, rollback_to: 1, note: "too many questions", over: 2 },
      { version: 2, over: 1 },
      { version: 1, over: 0, note: "no \u202e deletes" },
    ]);
    const table = (await policy("history")).out.split("\n");
    expect(table[0]).toMatch(/^VERSION +BY +WHEN +OVER +BYTES +NOTE$/);
    expect(table[1]).toMatch(/^ +3 +operator +\S.* +2 +\d+ +as version 1; too many questions$/);
    expect(table[3]).not.toContain("\u202e");
  });

  it("puts nothing over a newer version, and names the command that shows what changed", async () => {
    await policy("put", file(deleting("deny")));
    const late = await policy("put", file(deleting("allow")), "--over", "0");
    expect([late.status, late.out]).toEqual([1, ""]);
    expect(late.err).toMatch(
      /^llm-mailbox: policy.superseded: version 1 of the rules, put by operator, .*policy diff 0 1.*--over 1/,
    );
    const back = await policy("rollback", "0", "--over", "0");
    expect([back.status, back.err]).toEqual([1, expect.stringContaining("policy.superseded")]);
    expect(await effectOf("high")).toBe("deny");
  });

  it("leaves a row in the audit for each look and change, and for what was refused", async () => {
    const { house } = office;
    await policy("put", file(deleting("deny")));
    await policy("put", file(deleting("allow")), "--over", "0");
    await policy("rollback", "0");
    for (const look of [["show"], ["history"], ["diff", "0", "1"], ["replay", file(deleting("deny"))]])
      expect([look, (await policy(...look)).status]).toEqual([look, 0]);
    await policy("explain", "file.delete", "--agent", "bob");
    const found: string[] = [];
    for await (const event of queryAudit(house.store, house.places, house.config.namespace))
      if (event.action === "admin.policy") found.push(`${event.agent} ${event.outcome} ${event.because}`);
    expect(found.filter((one) => one === "operator allow operator")).toHaveLength(8);
    expect(found.filter((one) => one.startsWith("operator refuse policy.superseded"))).toHaveLength(1);
    expect(found).toHaveLength(9);
  });

  it("checks a file without a store, and ends with status 1 when it is none", async () => {
    const nowhere = { LLM_MAILBOX_DATA_DIR: join(folder, "never-made") };
    const valid = file(deleting("deny", budget));
    const said = await runWith(nowhere, "policy", "validate", valid);
    expect([said.status, said.out]).toEqual([
      0,
      `${valid} is valid: 2 rules, 1 limit, 1 counter and no tests.\n`,
    ]);
    const bad = file(deleting("forbid"), "bad.yaml");
    for (const command of ["validate", "test", "put", "replay", "diff"]) {
      const ended = await runWith(nowhere, "policy", command, bad);
      expect([command, ended.status, ended.out]).toEqual([command, 1, ""]);
      expect(ended.err).toMatch(/^llm-mailbox: policy.invalid: .*line 9/);
    }
    const told = await runWith(nowhere, "policy", "validate", bad, "--json");
    expect([told.status, told.err]).toEqual([1, ""]);
    expect(JSON.parse(told.out)).toEqual({
      valid: false,
      line: 9,
      problem: expect.stringContaining("effect"),
    });
    const piped = await runOn(deleting("deny"), nowhere, "policy", "validate", "-");
    expect([piped.status, piped.out]).toEqual([
      0,
      "It is valid: 2 rules, 0 limits, 0 counters and no tests.\n",
    ]);
    expect((await policy("history")).out).toMatch(/^No rules were ever put/);
  });

  it("warns of what takes no effect, and refuses nothing for it", async () => {
    const text = `${deleting("deny")}  - id: juniors
    actions: ["file.delete"]
    when: agent.role == "junor"
    effect: require_approval
    approval: { quorum: 2 }
  - { id: never, actions: ["x.y"], when: "false", effect: deny }
`;
    const path = file(text);
    const never = expect.stringMatching(
      /^warning: line \d+, rule never: its condition is never true; correct it/,
    );
    const ofAgents = [
      expect.stringMatching(
        /^warning: line \d+, rule juniors: no agent on record has the role junor; record it/,
      ),
      expect.stringMatching(/^warning: line \d+, rule juniors: 2 have to agree, and on record nobody may/),
    ];
    const lines = ({ err }: Ended): readonly string[] => err.split("\n").filter(Boolean);
    const nowhere = { LLM_MAILBOX_DATA_DIR: join(folder, "never-made") };
    const away = { REDIS_URL: `unix://${join(folder, "none.sock")}` };
    const offline = await policy("validate", path, "--offline");
    expect([offline.status, lines(offline)]).toEqual([0, [never]]);
    for (const env of [nowhere, away]) {
      const ended = await runWith(env, "policy", "validate", path);
      expect([ended.status, lines(ended)]).toEqual([0, [never]]);
    }
    for (const command of ["validate", "put"]) {
      const ended = await policy(command, path);
      expect([ended.status, lines(ended)]).toEqual([0, [...ofAgents, never]]);
    }
    await office.run("agents", "set", "bob", "--role", "junor");
    const told = await policy("validate", path, "--json");
    expect(JSON.parse(told.out)).toMatchObject({
      valid: true,
      warnings: [
        { about: "rule juniors", line: 15 },
        { about: "rule never", line: 20 },
      ],
    });
    expect(told.err).toBe("");
  });

  it("puts nothing whose own tests fail, unless it is forced", async () => {
    const test = `tests: [{ action: file.delete, resource: "prod/a", context: {risk: high}, expect: allow, rules: [may-look] }]\n`;
    const path = file(deleting("deny", test));
    const why =
      "line 15, test 1: it fails: it expects allow by may-look, and deny by no-delete is decided; correct it, or the rules.";
    const validated = await policy("validate", path, "--offline");
    expect([validated.status, validated.err]).toEqual([0, `warning: ${why}\n`]);
    const refused = await policy("put", path);
    expect([refused.status, refused.out, refused.err.split("\n")]).toEqual([
      1,
      "",
      [
        `warning: ${why}`,
        "llm-mailbox: 1 of 1 test failed, so nothing was put; --force puts it all the same.",
        "",
      ],
    ]);
    const told = await policy("put", path, "--json");
    expect([told.status, told.err, JSON.parse(told.out)]).toEqual([
      1,
      "",
      { state: "refused", warnings: [expect.objectContaining({ line: 15, about: "test 1" })] },
    ]);
    expect((await policy("history")).out).toMatch(/^No rules were ever put/);
    const forced = await policy("put", path, "--force");
    expect([forced.status, forced.out, forced.err]).toEqual([
      0,
      "Version 1 is in force everywhere within a second.\n",
      `warning: ${why}\n`,
    ]);
  });

  it("reads regular files of a bounded size and nothing else", async () => {
    const nowhere = { LLM_MAILBOX_DATA_DIR: join(folder, "never-made") };
    const large = file(`# ${"x".repeat(256 * 1024)}\n`, "large.yaml");
    writeFileSync(join(folder, "latin.yaml"), Buffer.from([0x23, 0xe9, 0x0a]));
    for (const [path, problem] of [
      [join(folder, "none.yaml"), /cannot be read \(ENOENT\)/],
      [folder, /is not a file/],
      ["/dev/zero", /is not a file/],
      [large, /is longer than a rule set may be \(262144 bytes\)/],
      [join(folder, "latin.yaml"), /is not text in UTF-8/],
    ] as const) {
      const ended = await runWith(nowhere, "policy", "validate", path);
      expect([path, ended.status, ended.out]).toEqual([path, 1, ""]);
      expect(ended.err).toMatch(problem);
    }
    const piped = await runOn("#".repeat(300_000), nowhere, "policy", "validate", "-");
    expect([piped.status, piped.err]).toEqual([2, expect.stringContaining("standard input is longer")]);
  });

  it("runs the tests of a file, says which failed and ends with status 1 then", async () => {
    const test = (expected: string, rules: string): string =>
      `  - { agent: {name: bob}, action: file.delete, resource: "prod/a", context: {risk: high}, expect: ${expected}, rules: [${rules}] }\n`;
    const good = file(deleting("deny", `tests:\n${test("deny", "no-delete")}`));
    expect(await policy("test", good)).toMatchObject({ status: 0, out: "1 test passed.\n" });
    const mixed = file(
      deleting(
        "deny",
        `tests:\n${test("deny", "no-delete")}${test("allow", "may-look")}${test("deny", "may-look")}`,
      ),
    );
    const failed = await policy("test", mixed);
    expect([failed.status, failed.out.split("\n")]).toEqual([
      1,
      [
        "test 2 (line 17): bob file.delete prod/a",
        "  expected allow by may-look",
        "  decided  deny by no-delete",
        "test 3 (line 18): bob file.delete prod/a",
        "  expected deny by may-look",
        "  decided  deny by no-delete",
        "2 of 3 tests failed.",
        "",
      ],
    ]);
    const told = await policy("test", mixed, "--json");
    expect(told.status).toBe(1);
    expect(JSON.parse(told.out)).toMatchObject({
      passed: 1,
      failed: 2,
      tests: [{ passed: true }, { passed: false, line: 17, decided: { effect: "deny" } }, { passed: false }],
    });
    expect((await policy("test", file(deleting("deny")))).out).toMatch(/^No tests/);
  });

  it("says what a rule set changes by rule, limit, counter and setting, not by its lines", async () => {
    await policy("put", file(deleting("deny", budget)));
    const same = file(`# A comment.\n${deleting("deny", budget).replace("window: 10m", "window: 600s")}`);
    expect(await policy("diff", same)).toMatchObject({ status: 0, out: "They decide alike.\n" });
    const other = file(
      deleting("require_approval", budget.replace("most: 10", "most: 20").replace("deletes:", "removals:"))
        .replace("version: 1\n", "version: 1\notherwise: deny\n")
        .replace("id: may-look", "id: may-see"),
      "other.yaml",
    );
    const told = await policy("diff", other);
    expect(told.out.split("\n")).toEqual([
      "~ setting otherwise",
      "    value: allow -> deny",
      "- counter deletes",
      expect.stringContaining("actions: "),
      expect.stringContaining("per: agent"),
      expect.stringContaining("same: false"),
      "    window: 10m",
      "+ counter removals",
      expect.stringContaining("actions: "),
      expect.stringContaining("per: agent"),
      expect.stringContaining("same: false"),
      "    window: 10m",
      "~ limit spend",
      "    most: 10 -> 20",
      "~ rule no-delete",
      "    effect: deny -> require_approval",
      "- rule may-look",
      ...Array.from({ length: 5 }, () => expect.stringMatching(/^ {4}\w+: /)),
      "+ rule may-see",
      ...Array.from({ length: 5 }, () => expect.stringMatching(/^ {4}\w+: /)),
      "",
      "7 changes.",
      "",
    ]);
    const { changes } = await office.json<{ changes: { kind: string; name: string; change: string }[] }>(
      "policy",
      "diff",
      other,
      "1",
    );
    expect(changes.find(({ name }) => name === "spend")).toEqual({
      kind: "limit",
      name: "spend",
      change: "changed",
      fields: [{ field: "most", before: 20, after: 10 }],
    });
    // A profile counts as what it says.
    const profiles = await office.json<{ changes: { kind: string; change: string }[] }>(
      "policy",
      "diff",
      file("version: 1\nprofile: open\n", "open.yaml"),
      "0",
    );
    expect(profiles.changes.some(({ kind, change }) => kind === "rule" && change === "added")).toBe(true);
    expect((await policy("diff", "-", "-")).status).toBe(2);
    expect((await policy("diff", "0", "9")).err).toContain("policy.unknown_version");
  });

  it("explains which rules hold and why others do not, with what counters and limits have used", async () => {
    await policy("put", file(deleting("deny", budget)));
    const high = [
      "explain",
      "file.delete",
      "prod/a",
      "--agent",
      "bob",
      "--context",
      '{"risk":"high","cost":3}',
    ];
    const told = await policy(...high);
    expect(told.err).toBe("");
    expect(told.out.split("\n")).toEqual([
      "deny: bob file.delete prod/a, by version 1 of the rules.",
      "  bob has the roles agent, no recorded role, no team.",
      "Rules of this action, the leading one first:",
      '  * no-delete: deny; its condition is true: context.risk == "high"',
      "    may-look: allow; it has no condition",
      "Reason (no-delete): what is deleted in production is gone",
      "Instead: Move it to the attic instead.",
      "Limits:",
      "    spend: not exceeded; 0 used and 0 held of 10 by agent:bob in this window of 24 h, this step takes 3",
      "",
    ]);
    const unknown = await office.json("policy", "explain", "rm", "prod/a", "--agent", "bob");
    expect(unknown).toMatchObject({ decision: "deny", known: false, nearest: ["file.delete"], rules: [] });
    const dev = await office.json<{
      decision: string;
      rules: { id: string; holds: boolean; because: string }[];
    }>("policy", ...["explain", "file.delete", "dev/a", "--agent", "bob", "--context", '{"risk":"low"}']);
    expect(dev).toMatchObject({
      decision: "allow",
      rules: [
        { id: "no-delete", holds: false, because: "it speaks of other resources" },
        { id: "may-look", holds: true },
      ],
    });
    const unsaid = await office.json<{ decision: string; rules: { id: string; because: string }[] }>(
      "policy",
      ...["explain", "file.delete", "prod/a", "--agent", "bob"],
    );
    expect(unsaid.decision).toBe("deny");
    expect(unsaid.rules[0]!.because).toMatch(/^it could not be decided: /);
    expect(unsaid).toMatchObject({ stopped: false });
    await office.run("agents", "stop", "bob", "--reason", "test");
    expect((await policy(...high)).out.split("\n").slice(0, 2)).toEqual([
      "bob is stopped: every call of it is refused (access.stopped), whatever the rules say. They say:",
      "deny: bob file.delete prod/a, by version 1 of the rules.",
    ]);
    expect(await office.json("policy", ...high)).toMatchObject({ stopped: true, decision: "deny" });
    for (const wrong of [
      ["explain", "file.delete"],
      [...high.slice(0, 5), "--context", "[]"],
    ])
      expect((await policy(...wrong)).status).toBe(2);
  });

  it("explains by the use that checks have left in the store, and by facts and rules that are only assumed", async () => {
    const { store: at, config } = office.house;
    await policy("put", file(deleting("allow", budget)));
    // As a check leaves it: what was used, is held and may be used in the window.
    const day = 86_400_000;
    const begin = Math.floor(at.now() / day) * day;
    const { counts } = policyKeys(config.namespace);
    await at.command("HSET", counts, `l|cost|spend|agent:bob|${day}|${begin}`, "6000000,2500000,10000000");
    const asked = [
      "explain",
      "file.delete",
      "prod/a",
      "--agent",
      "bob",
      "--context",
      '{"risk":"high","cost":1.6}',
    ];
    expect(await office.json("policy", ...asked)).toMatchObject({
      decision: "deny",
      decided_by: [{ id: "no-delete", effect: "allow" }, { id: "may-look" }],
      limits: [{ id: "spend", used: 6, held: 2.5, most: 10, takes: 1.6, exceeded: true }],
    });
    const byRole = file(
      `version: 1\nrules:\n  - id: juniors\n    actions: ["file.delete"]\n    when: agent.role == "junior" && agent.team == "a"\n    effect: deny\n`,
      "role.yaml",
    );
    const decided = async (facts: string): Promise<string> =>
      (await office.json<{ decision: string }>("policy", ...asked, "--rules", byRole, "--facts", facts))
        .decision;
    expect(await decided('{"role":"junior","team":"a"}')).toBe("deny");
    expect(await decided('{"role":"senior","team":"a"}')).toBe("allow");
    expect((await policy(...asked, "--facts", '{"rank":1}')).status).toBe(2);
  });

  it("decides past decisions again by other rules, and says which would be others", async () => {
    const { store: at, config } = office.house;
    await policy("put", file(deleting("deny")));
    // Records as a check writes them, put here by hand.
    const record = (n: number, more: Partial<DecisionRecord>): string =>
      JSON.stringify({
        at: Math.round(at.now()) - 60_000 + n,
        version: 1,
        agent: { name: "bob", role: "", roles: ["agent"], team: "", labels: {}, verified: true },
        action: "file.delete",
        resource: "prod/a",
        context: { risk: "high" },
        counts: {},
        reads: { unverified: [], foreign: [] },
        effect: "deny",
        rules: ["no-delete"],
        limits: [],
        via: "check",
        ...more,
      });
    const { decisions } = policyKeys(config.namespace);
    const allowed: Partial<DecisionRecord> = {
      ...{ context: { risk: "low" }, effect: "allow", rules: ["may-look"] },
    };
    await at.command("LPUSH", decisions, record(-90_000_000, {}));
    for (let n = 0; n < 1_200; n++)
      await at.command("LPUSH", decisions, record(n, n % 400 === 7 ? {} : allowed));
    await at.command("LPUSH", decisions, '{"of":"another program"}');
    const other = file(deleting("require_approval"), "other.yaml");
    const replay = await office.json<{ which: object[] }>("policy", "replay", other, "--since", "1d");
    expect(replay).toMatchObject({
      decisions: 1_200,
      changed: 3,
      changes: [{ from: "deny", to: "require_approval", count: 3 }],
      unread: 1,
    });
    expect(replay.which[0]).toMatchObject({
      agent: "bob",
      action: "file.delete",
      resource: "prod/a",
      before: { effect: "deny", rules: ["no-delete"] },
      after: { effect: "require_approval", rules: ["no-delete"] },
    });
    const told = (await policy("replay", other)).out.split("\n");
    expect(told[0]).toMatch(/^Left out: 1 decision of another program/);
    expect(told[1]).toMatch(/^1201 decisions since .*Z: 4 would be another\.$/);
    expect(told[2]).toBe("  4 from deny to require_approval");
    expect(told[4]).toMatch(/^WHEN +AGENT +ACTION +RESOURCE +WAS +BY +WOULD BE +BY$/);
    expect(told[5]).toMatch(/bob +file.delete +prod\/a +deny +no-delete +require_approval +no-delete$/);
    expect((await policy("replay", file(deleting("deny")))).out).toMatch(/: 0 would be another\.\n$/);
    expect((await policy("replay", other, "--since", "1s")).out).toContain(
      "Nothing that is recorded was decided in that time. Calls of our own tools (mail, topics, locks, state) that are simply allowed are not recorded.\n",
    );
  });

  it("explains and decides again what agents really asked, by what is recorded of them", async () => {
    await policy("put", file(deleting("deny", budget)));
    await office.run("agents", "set", "bob", "--role", "junior", "--team", "payments");
    const { caller } = await office.as("bob");
    const check = async (resource: string, risk: string, reserve?: number): Promise<string> =>
      (
        await office.house.rooms.policy.checkPolicy(caller, {
          ...{ action: "file.delete", resource, context: { risk } },
          ...(reserve === undefined ? {} : { reserve }),
        })
      ).decision;
    const asked: string[] = [];
    for (let n = 0; n < 4; n++) asked.push(await check("dev/a", "low", 3));
    asked.push(await check("prod/a", "high"));
    expect(asked).toEqual(["allow", "allow", "allow", "deny", "deny"]);

    const explained = await office.json(
      "policy",
      ...["explain", "file.delete", "dev/a", "--agent", "bob", "--context", '{"cost":2}'],
    );
    expect(explained).toMatchObject({
      decision: "deny",
      agent: { name: "bob", role: "junior", team: "payments" },
      limits: [{ id: "spend", used: 0, held: 9, most: 10, takes: 2, exceeded: true }],
    });

    const again = async (rules: string): Promise<object> =>
      office.json<object>("policy", "replay", file(rules, "other.yaml"));
    expect(await again(deleting("deny", budget))).toMatchObject({ decisions: 5, changed: 0, unread: 0 });
    expect(await again(deleting("deny", budget.replace("most: 10", "most: 5")))).toMatchObject({
      changed: 2,
      changes: [{ from: "allow", to: "deny", count: 2 }],
      which: [{ resource: "dev/a", after: { limits: ["spend"] } }, { resource: "dev/a" }],
    });
    expect(await again(deleting("require_approval", budget))).toMatchObject({
      changes: [{ from: "deny", to: "require_approval", count: 1 }],
    });
  });

  it("lists what was decided, newest first, and what rules in shadow would have decided otherwise", async () => {
    expect((await policy("decisions")).out).toMatch(/^Nothing was decided that fits\. Of our own tools /);
    const rules = `version: 1
rules:
  - { id: no-attic, actions: [file.delete], resources: ["attic/**"], effect: deny }
  - { id: trial, actions: [file.delete, mailbox.send], resources: ["dev/**", carol], effect: deny, shadow: true }
`;
    await policy("put", file(rules));
    const { caller } = await office.as("bob");
    const { mail, policy: asked } = office.house.rooms;
    for (const resource of ["dev/a", "attic/a", "other/a"])
      await asked.checkPolicy(caller, { action: "file.delete", resource });
    await mail.sendMessage(caller, { to: ["carol"], body: "x" });
    await mail.sendMessage(caller, { to: ["dave"], body: "x" });
    const all = await office.json<object[]>("policy", "decisions");
    expect(all).toMatchObject([
      {
        action: "mailbox.send",
        resource: "carol",
        via: "tool",
        decision: "allow",
        shadow: { would_be: "deny" },
      },
      { resource: "other/a", decision: "allow", shadow: { would_be: "allow", rules: [] } },
      { resource: "attic/a", decision: "deny", rules: ["no-attic"], shadow: { would_be: "deny" } },
      {
        resource: "dev/a",
        version: 1,
        shadow: { would_be: "deny", rules: [{ id: "trial", effect: "deny" }] },
      },
    ]);
    const shadow = await office.json<object[]>("policy", "decisions", "--shadow", "--agent", "bob");
    expect(shadow).toEqual([all[0], all[3]]);
    expect(await office.json("policy", "decisions", "--shadow", "--action", "File.Delete")).toEqual([all[3]]);
    expect(await office.json("policy", "decisions", "--agent", "carol")).toEqual([]);
    const told = (await policy("decisions", "--since", "1h")).out.split("\n");
    expect(told[0]).toMatch(/^WHEN +AGENT +ACTION +RESOURCE +WAS +BY +WITH SHADOW +SHADOW RULES$/);
    expect(told[1]).toMatch(/bob +mailbox\.send +carol +allow +deny +trial: deny$/);
    expect(told[3]).toMatch(/bob +file\.delete +attic\/a +deny +no-attic +the same$/);
    const event = { tool: "Bash", input: { command: "rm attic/b" }, folder: "/repo", asksUser: true };
    await asked.hook(caller.principal, event, {});
    const call = { effect: "deny", steps: 2 };
    expect((await office.json<object[]>("policy", "decisions")).slice(0, 2)).toMatchObject([
      { action: "shell.run", decision: "allow", call },
      { action: "file.delete", decision: "deny", call },
    ]);
    const [, first, second] = (await policy("decisions")).out.split("\n");
    expect(first).toMatch(/shell\.run +allow, its call deny +the same$/);
    expect(second).toMatch(/file\.delete +attic\/b +deny +no-attic +the same$/);
  });

  it("says what is wrong with what was typed, with status 2", async () => {
    for (const args of [
      ["put"],
      ["rollback", "first"],
      ["rollback"],
      ["show", "-1"],
      ["replay", file(deleting("deny")), "--since", "soon"],
      ["pit", "x"],
    ]) {
      const ended = await policy(...args);
      expect([args[0], ended.status, ended.out]).toEqual([args[0], 2, ""]);
      expect(ended.err).toMatch(/^llm-mailbox: /);
    }
    expect((await policy("show", "3")).status).toBe(1);
  });
});

/** Tries until it holds; rules hold everywhere within a second. */
async function within(check: () => Promise<void>): Promise<void> {
  const until = performance.now() + 5_000;
  for (;;) {
    try {
      await check();
      return;
    } catch (error) {
      if (performance.now() > until) throw error;
      await new Promise(setImmediate);
    }
  }
}
