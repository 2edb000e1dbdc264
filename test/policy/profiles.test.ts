import { describe, expect, it } from "vitest";
import { type Effect, profiles } from "../../src/policy/index.js";
import { compileRules } from "../../src/policy/rule-compiler.js";
import { question } from "./question.js";

const open = compileRules(profiles.open);
const standard = compileRules(profiles.standard);
const strict = compileRules(profiles.strict);

/** What our own tools ask about when they act. */
const ownSteps = ["mailbox.send", "topic.publish", "lock.acquire", "state.write"];
const stranger = { unverified: ["eve"], foreign: [] };

describe("the profile open", () => {
  it("forbids nothing, also of what nobody knows", () => {
    for (const action of ["file.delete", "rm", "paint.house", ...ownSteps])
      expect(open.decide(question({ action, reads: stranger })).effect).toBe("allow");
    expect(open.concerns("file.delete")).toBe(false);
  });
});

describe("the profile standard", () => {
  it.each(ownSteps)("says nothing of %s: no rule, no counter, no limit, and no need to ask", (action) => {
    for (const resource of ["bob", "topic:a.b", "lock:teams/other/x", "state:teams/other"]) {
      const asked = question({ action, resource, reads: stranger, counts: { repeats: 1_000 } });
      expect(standard.decide(asked)).toMatchObject({ effect: "allow", rules: [], shadow: [], known: true });
      expect(standard.countersOf(asked)).toEqual([]);
      expect(standard.limitsOf(asked)).toEqual([]);
    }
    expect(standard.concerns(action)).toBe(false);
  });

  it.each([
    ["junior", "spend-junior", 100],
    ["senior", "spend-senior", 1_000],
    ["admin", "spend-admin", 10_000],
    ["intern", "spend-others", 100],
    ["", "spend-others", 100],
  ])("limits what an agent of the role %j spends in a day by %s to %s", (role, id, most) => {
    const limits = standard.limitsOf(question({ action: "llm.call", agent: { role }, context: { cost: 1 } }));
    expect(limits).toEqual([
      expect.objectContaining({
        id,
        of: "cost",
        subject: "agent:bob",
        most: most * 1_000_000,
        windowMs: 86_400_000,
        effect: "deny",
        shadow: false,
      }),
    ]);
  });

  it.each(["", "blue"])(
    "asks a person, and forbids nothing, where a folder or a pattern may hold what is another team's: for the team %j",
    (team) => {
      const effect = (action: string, resource: string): string =>
        standard.decide(question({ action, resource, agent: { team } })).effect;
      for (const [action, resource] of [
        ["directory.delete", "."],
        ["directory.delete", "*"],
        ["directory.delete", "**/node_modules"],
        ["directory.delete", "../tmpdir"],
        ["file.delete", "**/*.pyc"],
        ["file.delete", "*/x.log"],
        ["access.grant", "."],
        ["file.write", "../x"],
        ["file.read", "**/*.ts"],
        ["file.read", "*/README.md"],
        ["file.read", "teams/**"],
        ["directory.delete", "teams"],
        ["shell.run", "."],
        ["deploy.start", "./"],
      ] as const)
        expect([action, resource, effect(action, resource)]).toEqual([action, resource, "require_approval"]);
      for (const resource of ["*.md", "src/**/*.ts", "docs/", "~/x", "/srv/*"])
        expect([resource, effect("file.read", resource)]).toEqual([resource, "allow"]);
      for (const resource of ["teams/red/*", "teams/red/", "teams/r*/**/x", "x/../teams/red/**"])
        expect([resource, effect("file.read", resource)]).toEqual([resource, "deny"]);
      expect(effect("file.read", "teams/blue/**")).toBe(team === "blue" ? "allow" : "deny");
      expect(effect("file.read", "teams/*/x")).toBe(team === "blue" ? "require_approval" : "deny");
    },
  );

  it("limits how often an agent sends email, and a team deploys", () => {
    const ids = (action: string): readonly string[] =>
      standard.limitsOf(question({ action })).map((limit) => limit.id);
    expect(ids("email.send")).toContain("rate-email");
    expect(ids("deploy.start")).toContain("rate-deploy");
    expect(ids("file.read")).not.toContain("rate-email");
  });

  it.each<[what: string, given: Parameters<typeof question>[0], effect: Effect, rule: string | undefined]>([
    [
      "its team's own",
      { action: "file.write", resource: "teams/pay/a", agent: { team: "pay" } },
      "allow",
      undefined,
    ],
    [
      "the team's root",
      { action: "file.write", resource: "teams/pay", agent: { team: "pay" } },
      "allow",
      undefined,
    ],
    [
      "another team's",
      { action: "file.write", resource: "teams/pay/a", agent: { team: "ops" } },
      "deny",
      "team-resources",
    ],
    [
      "a team's whose name is longer",
      { action: "file.read", resource: "teams/pay/a", agent: { team: "pa" } },
      "deny",
      "team-resources",
    ],
    [
      "a team's, as an agent without one",
      { action: "file.read", resource: "teams/pay/a" },
      "deny",
      "team-resources",
    ],
    ["a team's by a detour", { action: "file.read", resource: "x/../teams/pay/a" }, "deny", "team-resources"],
    [
      "a file, to delete it",
      { action: "file.delete", resource: "a" },
      "require_approval",
      "destructive-needs-approval",
    ],
    ["a table, to drop it", { action: "db.drop" }, "require_approval", "destructive-needs-approval"],
    [
      "whatever can be deleted",
      { action: "cloud.bucket.delete" },
      "require_approval",
      "destructive-needs-approval",
    ],
    ["a deployment", { action: "deploy.start" }, "allow", undefined],
    [
      "a deployment after a stranger's mail",
      { action: "deploy.start", reads: stranger },
      "require_approval",
      "destructive-after-unverified-mail",
    ],
    [
      "a file, after a stranger's mail",
      { action: "file.delete", reads: stranger },
      "require_approval",
      "destructive-after-unverified-mail",
    ],
    ["a command", { action: "shell.run", context: { arguments: { command: "ls -la" } } }, "allow", undefined],
    ["a command that is not told", { action: "shell.run" }, "allow", undefined],
    [
      "a command that deletes",
      { action: "shell.run", context: { arguments: { command: "cd /x && rm -rf y" } } },
      "require_approval",
      "destructive-command-needs-approval",
    ],
    [
      "a command that overwrites history",
      { action: "shell.run", context: { arguments: { command: "git push origin main --force" } } },
      "require_approval",
      "destructive-command-needs-approval",
    ],
    [
      "what only sounds like it",
      { action: "shell.run", context: { arguments: { command: "npm run format" } } },
      "allow",
      undefined,
    ],
    ["the same for the 19th time", { action: "file.read", counts: { repeats: 19 } }, "allow", undefined],
    ["the same for the 20th time", { action: "file.read", counts: { repeats: 20 } }, "deny", "loop-guard"],
    ["what nobody knows", { action: "paint.house" }, "require_approval", undefined],
  ])("answers about %s", (_, given, effect, rule) => {
    const decision = standard.decide(question(given));
    expect(decision.effect).toBe(effect);
    expect(decision.rules[0]?.id).toBe(rule);
    expect(decision.rules.some(({ failed }) => failed)).toBe(false);
  });

  it.each([
    ["rm", "file.delete"],
    ["rm -rf", "directory.delete"],
    ["del", "file.delete"],
    ["unlink", "file.delete"],
    ["remove", "file.delete"],
    ["mv", "file.move"],
    ["cp", "file.copy"],
    ["exec", "shell.run"],
    ["bash", "shell.run"],
    ["push", "git.push"],
    ["drop table", "db.drop"],
    ["release", "deploy.start"],
    ["deleteFile", "file.delete"],
    ["database.remove", "db.delete"],
    ["send_message", "mailbox.send"],
    ["sendMessage", "mailbox.send"],
    ["mailbox.sned", "mailbox.send"],
    ["put_state", "state.write"],
    ["state.wriet", "state.write"],
    ["acquire_lock", "lock.acquire"],
    ["lock.aquire", "lock.acquire"],
    ["topic.publsh", "topic.publish"],
    ["publish_message", "topic.publish"],
  ])("knows what %s means, and wants it asked as %s", (said, meant) => {
    const decision = standard.decide(question({ action: said }));
    expect(decision).toMatchObject({ effect: "deny", known: false });
    expect(decision.nearest[0]).toBe(meant);
  });
});

describe("the profile strict", () => {
  it("lets our own tools pass, and forbids what it does not allow by name", () => {
    for (const action of ownSteps)
      expect(strict.decide(question({ action, resource: "a" })).effect).toBe("allow");
    expect(strict.decide(question({ action: "file.read", resource: "a" })).effect).toBe("allow");
    expect(strict.decide(question({ action: "file.write", resource: "a" })).effect).toBe("deny");
    expect(strict.decide(question({ action: "paint.house" })).effect).toBe("deny");
  });

  it("allows changes of listed resources and of those of the agent's team", () => {
    const write = (resource: string, team = ""): Effect =>
      strict.decide(question({ action: "file.write", resource, agent: { team } })).effect;
    expect(write("workspace/a")).toBe("allow");
    expect(write("teams/pay/a", "pay")).toBe("allow");
    expect(write("teams/pay/a", "ops")).toBe("deny");
  });

  it("wants a resource named", () => {
    expect(strict.decide(question({ action: "file.delete" })).rules[0]?.id).toBe("name-the-resource");
  });

  it("has quiet hours, at night and at weekends", () => {
    const rules = (nowMs: number): readonly string[] =>
      strict.decide(question({ action: "deploy.start", resource: "shop", nowMs })).rules.map(({ id }) => id);
    expect(rules(Date.UTC(2026, 0, 6, 12))).toEqual(["outward-needs-approval"]);
    expect(rules(Date.UTC(2026, 0, 6, 23))).toEqual(["quiet-hours", "outward-needs-approval"]);
    expect(rules(Date.UTC(2026, 0, 10, 12))).toEqual(["quiet-hours", "outward-needs-approval"]);
  });

  it("gives its lists to whoever builds on it", () => {
    const own = compileRules(`
version: 1
profile: strict
rules: [{ id: allow-resources, actions: [file.write], resources: ["src/**"], effect: allow }]
`);
    expect(own.decide(question({ action: "file.write", resource: "src/a" })).effect).toBe("allow");
    expect(own.decide(question({ action: "file.write", resource: "workspace/a" })).effect).toBe("deny");
  });
});
