import { describe, expect, it } from "vitest";
import { type AgentsOnRecord, profiles } from "../../src/policy/index.js";
import { adviseRules } from "../../src/policy/rule-compiler.js";

const now = Date.UTC(2026, 10, 26);
const nobody: AgentsOnRecord = { roles: new Set(), teams: new Set(), holders: new Map() };

/** What is said of rules, one a line: `line about: text`. */
function said(text: string, there?: AgentsOnRecord): readonly string[] {
  return adviseRules(text, now, there).map(({ line, about, text }) => `${line} ${about}: ${text}`);
}

const rules = (...lines: readonly string[]): string =>
  ["version: 1", "rules:", ...lines.map((line) => `  - ${line}`)].join("\n");
const limits = (...lines: readonly string[]): string =>
  ["version: 1", "limits:", ...lines.map((line) => `  - ${line}`)].join("\n");

describe("what a rule set says in vain", () => {
  it("is nothing in the profiles, as they are, as what others build on, and as a text of one's own", () => {
    for (const [name, text] of Object.entries(profiles))
      for (const there of [undefined, nobody]) {
        expect([name, said(text, there)]).toEqual([name, []]);
        expect([name, said(`version: 1\nprofile: ${name}\n`, there)]).toEqual([name, []]);
      }
  });

  it("is nothing in rules that take effect", () => {
    const there = { ...nobody, roles: new Set(["junior"]), holders: new Map([["approver", ["ann", "ben"]]]) };
    const text = `version: 1
vocabulary: { infra.apply: [] }
counters: { asked: { actions: ["*"], per: agent, window: 1h } }
limits:
  - { id: calls, of: calls, actions: [email.send], per: agent, most: 10, window: 1h }
  - { id: day, of: calls, actions: [email.send], per: agent, most: 50, window: 1d }
rules:
  - { id: no-prod, actions: ["file.**"], resources: ["prod/**"], effect: deny, except: [file.read] }
  - { id: reading, actions: [file.read], resources: ["prod/**"], effect: allow }
  - { id: other, actions: [file.write], resources: ["**"], effect: allow }
  - { id: infra, actions: ["infra.**", "mcp.github.**"], when: 'counts["asked"] > 3', effect: deny }
  - { id: two, actions: [deploy.start], effect: require_approval, approval: { quorum: 2 } }
  - { id: later, actions: [a.b], when: 'now > timestamp("2027-01-01T00:00:00Z") && agent.role == "junior"', effect: deny }
  - { id: other-than, actions: [a.b], when: '!(agent.role in ["x"]) && agent.team != "y"', effect: deny }
  - { id: locks, actions: [lock.acquire], resources: ["lock:prod/**", "**/x"], effect: deny }
  - { id: pages, actions: [web.fetch], resources: ["https://x.org/**", "C:/x/**", "localhost:8080/**", "lock-it:80/x"], effect: deny }
  - { id: tables, actions: ["db.**"], resources: ["postgres:main/users"], effect: deny }
  - { id: keys, actions: [state.write], resources: ["STATE:x"], effect: deny }
  - { id: admin, actions: [web.fetch], when: 'resource.startsWith("https://x.org/admin")', effect: deny }
`;
    expect(said(text, there)).toEqual([]);
  });

  it.each([
    [
      "an allowance behind a prohibition of the same",
      rules(
        "{ id: no, actions: [file.delete], resources: ['prod/**'], effect: deny }",
        "{ id: yes, actions: [file.delete], resources: [prod/a], priority: 9, effect: allow }",
      ),
      ["4 rule yes: it never takes effect: no denies all that it speaks of"],
    ],
    [
      "a wish for approval behind prohibitions of wider actions",
      rules(
        "{ id: no-files, actions: ['file.**'], effect: deny }",
        "{ id: no-git, actions: ['git.*'], when: 'true', effect: deny }",
        "{ id: ask, actions: [file.delete, git.push], effect: require_approval }",
      ),
      ["5 rule ask: it never takes effect: no-files, no-git denies all"],
    ],
    [
      "a condition that is never true",
      rules(
        "{ id: a, actions: [x.y], when: false, effect: deny }",
        '{ id: b, actions: [x.y], when: \'!(1 == 1) || "a" == "b"\', effect: deny }',
        '{ id: c, actions: [x.y], when: \'agent.role == "a" && (context.cost > 1 && "b" == agent.role)\', effect: deny }',
        "{ id: d, actions: [x.y], when: 'false ? agent.verified : 2 > 3', effect: allow }",
      ),
      ["a", "b", "c", "d"].map((id, n) => `${n + 3} rule ${id}: its condition is never true; correct it`),
    ],
    [
      "a time that is over",
      rules(
        "{ id: a, actions: [x.y], when: 'now < timestamp(\"2026-01-01T00:00:00Z\") && agent.verified', effect: deny }",
        "{ id: b, actions: [x.y], when: 'timestamp(\"2026-01-01T00:00:00Z\") >= now', effect: deny }",
        "{ id: c, actions: [x.y], when: 'now.getFullYear(\"UTC\") == 2025', effect: deny }",
      ),
      ["a", "b", "c"].map((id, n) => `${n + 3} rule ${id}: its time is over`),
    ],
    [
      "names that nothing is called by",
      rules(
        "{ id: a, actions: ['mailbx.**'], effect: deny }",
        "{ id: b, actions: [mailbox.sent], effect: deny }",
        "{ id: c, actions: [lock.acquire], resources: ['prod/**'], effect: deny }",
        "{ id: d, actions: [x.y], resources: ['lok:prod/**'], effect: deny }",
        "{ id: e, actions: [web.fetch], when: 'resource.matches(\"^https://x\")', effect: deny }",
      ),
      [
        "3 rule a: no action that is known is one of mailbx.**",
        "4 rule b: none of our tools is called mailbox.sent; the nearest is mailbox.send",
        "5 rule c: prod/** is never asked about with these actions; write lock:prod/**",
        "6 rule d: no resource of ours is of the kind lok:; the nearest is lock:",
        "7 rule e: pages are named by host and path",
      ],
    ],
    [
      "limits that are 0 or never reached",
      limits(
        "{ id: none, of: cost, actions: [a.b], per: agent, most: 0, window: 1d }",
        "{ id: half, of: calls, actions: [a.b], per: team, most: 0.5, window: 1d }",
        "{ id: free, of: cost, actions: [mailbox.send, 'lock.**'], per: agent, most: 5, window: 1d }",
        "{ id: day, of: calls, actions: ['*'], per: agent, most: 5, window: 1d }",
        "{ id: hour, of: calls, actions: [c.d], per: agent, most: 6, window: 1h }",
      ),
      [
        "3 limit none: it lets nothing pass",
        "4 limit half: it lets nothing pass",
        "5 limit free: it is never reached: our own tools cost nothing",
        "7 limit hour: it is never reached: day lets no more than 5 pass",
      ],
    ],
    [
      "a limit behind a prohibition, a counter that no rule asks for, and an escalation that comes too late",
      `version: 1
counters:
  asked: { actions: ["*"], per: agent, window: 1h }
limits:
  - { id: l, of: calls, actions: [a.b], per: agent, most: 5, window: 1d }
rules:
  - { id: no, actions: ["a.*"], effect: deny }
  - id: ask
    actions: [b.c]
    effect: require_approval
    approval: { expires: 15m, escalate: { after: 15m, to: [role:admin] } }
`,
      [
        "3 counter asked: no rule asks for it",
        "5 limit l: it is never reached: no denies all that it speaks of",
        "8 rule ask: it is over before it is escalated",
      ],
    ],
  ])("is found: %s", (_, text, expected) => {
    const found = said(text);
    expect(found).toHaveLength(expected.length);
    for (const [n, one] of expected.entries()) expect(found[n]!.slice(0, one.length)).toBe(one);
    for (const one of found)
      expect(one).toMatch(/; (?:correct|except|take|name|write|lower|escalate|ask for|limit|a rule that)/);
  });

  it("depends on who is there for roles, teams, quorums and escalations", () => {
    const text = rules(
      '{ id: role, actions: [x.y], when: \'agent.role in ["junior", "junor"]\', effect: deny }',
      "{ id: team, actions: [x.y], when: 'agent.verified || \"blu\" == agent.team', effect: deny }",
      "{ id: two, actions: [x.y], effect: require_approval, approval: { quorum: 2, approvers: ['role:approver', ann] } }",
      "{ id: own, actions: [x.y], when: agent.name == 'ann', effect: require_approval, approval: { approvers: [ann] } }",
      "{ id: up, actions: [x.y], effect: require_approval, approval: { approvers: [ben], escalate: { after: 5m, to: ['role:admin'] } } }",
    );
    expect(said(text)).toEqual([]);
    const there = {
      roles: new Set(["junior"]),
      teams: new Set(["blue"]),
      holders: new Map([["approver", ["ann"]]]),
    };
    expect(said(text, there)).toEqual([
      expect.stringMatching(/^3 rule role: no agent on record has the role junor; record it/),
      expect.stringMatching(/^4 rule team: no agent on record is of the team blu; record it/),
      expect.stringMatching(
        /^5 rule two: 2 have to agree, and on record only ann may \(role:approver, ann\); give/,
      ),
      expect.stringMatching(
        /^6 rule own: somebody has to agree, and on record nobody may, without ann who asks/,
      ),
      expect.stringMatching(
        /^7 rule up: it escalates to nobody: on record nobody is role:admin; name somebody/,
      ),
    ]);
    const more = {
      ...there,
      holders: new Map([
        ["approver", ["ann", "ben"]],
        ["admin", ["zoe"]],
      ]),
    };
    expect(said(text, more).map((one) => one.split(":", 1)[0])).toEqual([
      "3 rule role",
      "4 rule team",
      "6 rule own",
    ]);
  });
});
