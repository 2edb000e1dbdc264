import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { isRefusal } from "../../src/errors/index.js";
import { compileInSlices, compileRules } from "../../src/policy/rule-compiler.js";
import { question } from "./question.js";

/** Line and problem of the refusal, as the operator reads them. */
function refusal(text: string): { line: unknown; problem: unknown } {
  try {
    compileRules(text);
  } catch (error) {
    if (!isRefusal(error, "policy.invalid")) throw error;
    return { line: error.facts.line, problem: error.facts.problem };
  }
  throw new Error("the rule set was taken");
}

const withRule = (...lines: readonly string[]): string =>
  ["version: 1", "rules:", "  - id: a", "    actions: [file.delete]", ...lines].join("\n");

describe("a rule set that is not one", () => {
  it.each([
    ["an unknown field", "version: 1\nrulez: []", 2, 'there is no field "rulez"; the nearest is "rules"'],
    [
      "an unknown field of a rule, also where that leaves another one missing",
      withRule("    efect: deny"),
      5,
      'there is no field "efect"; the nearest is "effect"',
    ],
    ["a missing field", withRule("    when: 'true'"), 3, "rules[0].effect: it is missing"],
    [
      "an effect there is not",
      withRule("    effect: denied"),
      5,
      "rules[0].effect: it is allow, require_approval or deny",
    ],
    ["another version", "version: 2", 1, "version: the version of the format is 1"],
    ["nothing at all", "", 1, "it is empty; a rule set begins with version: 1"],
    ["a list", "- version: 1", 1, "fields with values stands here, not a list"],
    [
      "a limit below 0",
      "version: 1\nlimits:\n  - { id: l, of: cost, actions: [a], per: agent, most: -1, window: 1d }",
      3,
      "limits[0].most: it is at least 0",
    ],
    [
      "a priority that is no whole number",
      withRule("    effect: deny", "    priority: 0.5"),
      6,
      "rules[0].priority: a whole number stands here, not one with a fraction",
    ],
    [
      "a list where a text stands",
      withRule("    effect: deny", "    reason: [a]"),
      6,
      "rules[0].reason: a text stands here, not a list",
    ],
    ...["notify", "Notify sec", "notify sec bob", "notify nowhere!!", "notify  sec", "NOTIFY topic:a"].map(
      (one): [string, string, number, string] => [
        `an obligation that reads ${one}, which nobody could be told by`,
        withRule("    effect: deny", `    obligations: ["${one}"]`),
        6,
        "rules[0].obligations[0]: what begins with notify is ours to do, and written as notify ADDRESS, such as notify topic:security; what the agent has to do begins otherwise",
      ],
    ),
    [
      "a field twice",
      "version: 1\notherwise: deny\notherwise: allow",
      3,
      "the same field stands there twice",
    ],
    [
      "two rules of one id",
      `${withRule("    effect: deny")}\n  - id: a\n    actions: [x]\n    effect: allow`,
      6,
      'another rule has the id "a"',
    ],
    [
      "a length of time without a unit",
      "version: 1\ncounters:\n  calls:\n    actions: [x]\n    per: agent\n    window: '10'",
      6,
      "counters.calls.window: a length of time is written as 90s, 15m, 1h or 7d",
    ],
    [
      "an action with a wildcard within a level",
      withRule("    effect: deny").replace("file.delete", "fi*.delete"),
      4,
      "rules[0].actions[0]: an action is names with dots between them, as file.delete, where * stands for one level and ** for any number",
    ],
    [
      "a time zone that nobody knows",
      withRule("    effect: deny", "    when: now.getHours('Europe/Berln') > 6"),
      6,
      'the condition of "a": a time zone stands in the rule as a text, such as Europe/Berlin',
    ],
    [
      "taking out where there is no profile",
      "version: 1\nremove: [x]",
      2,
      "remove takes entries of a profile out, and there is no profile",
    ],
    [
      "taking out what the profile does not have",
      "version: 1\nprofile: standard\nremove:\n  - loop-gard",
      4,
      'the profile has no "loop-gard"; the nearest is "loop-guard"',
    ],
    [
      "an alias",
      "version: 1\nvocabulary:\n  a.b: &x [rm]\n  a.c: *x",
      4,
      "anchors and aliases are not read; write the value where it is used",
    ],
  ])("is refused with the line of %s", (_, text, line, problem) => {
    expect(refusal(text)).toEqual({ line, problem });
  });

  it.each([
    [
      "a field the agent does not have",
      'agent.teem == "x"',
      "there is no agent.teem; the nearest is agent.team",
    ],
    ["the same within has()", "has(agent.teem)", "there is no agent.teem; the nearest is agent.team"],
    ["a counter that is not declared", "counts.calls > 3", "there is no counter calls"],
    ["a counter that is computed", "counts[action] > 3", "a counter is named, not computed"],
    ["all counters at once", "counts == counts", "a counter is asked for by its name, as counts.NAME"],
    ["an unknown variable", "agnet.name == 'a'", "there is no agnet here; the nearest is agent"],
    [
      "a variable like none",
      "cost > 3",
      "there is no cost here (there are agent, action, resource, context, reads, now, counts)",
    ],
    ["parts in parts", `${"(".repeat(40)}true${")".repeat(40)}`, "an expression is nested at most 30 deep"],
    ["too many parts", `true${" || true".repeat(200)}`, "an expression has at most 300 parts"],
    [
      "an unknown function",
      'agent.name.startWith("a")',
      "there is no function startWith; the nearest is startsWith",
    ],
    [
      "two kinds that cannot be compared",
      "agent.role == 1",
      "values of these kinds do not go together: string == int",
    ],
    [
      "what is neither true nor false",
      "agent.role",
      "a condition is true or false, and this is of type string",
    ],
    ["bytes, which nobody needs", 'bytes("a") == b"a"', "there is no function bytes"],
    ["a binding, which grows without bound", "cel.bind(x, 1, x == 1)", "there is no function bind"],
    [
      "an iteration that hides a variable",
      "context.l.exists(action, action == 'a')",
      "action names something else already",
    ],
    ["a pattern that looks ahead", 'resource.matches("(?=a)")', /^the pattern cannot be used/],
    ["a pattern that goes back", 'resource.matches("(a)\\\\1")', /^the pattern cannot be used/],
    [
      "a pattern that is computed",
      "resource.matches(action)",
      "the pattern of matches stands in the rule as a text",
    ],
    [
      "a pattern that repeats itself too often",
      'resource.matches("((a{0,9}){0,9}){0,9}")',
      "the pattern repeats too much",
    ],
  ])("is refused for a condition with %s", (_, condition, problem) => {
    const { line, problem: said } = refusal(
      withRule("    effect: deny", "    when: |", `      ${condition}`),
    );
    const its = String(said).replace('the condition of "a": ', "");
    if (typeof problem === "string") expect(its).toBe(problem);
    else expect(its).toMatch(problem);
    expect(line).toBe(7);
  });

  it("names the line within a condition of several lines, however it is written", () => {
    const lines = ["agent.role == 'x' &&", "  agent.team == 'y' &&", "  agent.teem == 'z'"];
    for (const [style, indent] of [
      ["|", ""],
      [">-", ""],
      ["", ""],
    ] as const)
      expect(
        refusal(
          withRule("    effect: deny", `    when: ${style}`, ...lines.map((one) => `      ${indent}${one}`)),
        ).line,
      ).toBe(9);
    expect(refusal(withRule("    effect: deny", `    when: "${lines.join("\n      ")}"`)).line).toBe(8);
  });

  it("tells why an expression that begins with a quote is no YAML", () => {
    const { line, problem } = refusal(withRule("    effect: deny", '    when: "a" in agent.labels'));
    expect(line).toBe(6);
    expect(problem).toMatch(/stands in quotes or below a \|/);
  });
});

describe("what a rule set holds", () => {
  it("is the actions it names, in rules, limits, counters and its vocabulary", () => {
    const rules = compileRules(`
version: 1
vocabulary: { file.delete: [rm] }
counters: { calls: { actions: [llm.call], per: agent, window: 1h } }
limits: [{ id: l, of: calls, actions: [email.send], per: team, most: 3, window: 1d }]
rules: [{ id: r, actions: [db.drop, "git.**", "*"], effect: deny }]
`);
    expect(rules.actions).toEqual(["db.drop", "email.send", "file.delete", "llm.call"]);
  });

  it("is its tests, with the line of each and everything a question needs", () => {
    const { tests } = compileRules(`
version: 1
tests:
  - { action: a.b, expect: deny, rules: [r] }
  - { action: a.c, agent: { role: junior }, context: { cost: 3 }, now: "2026-01-06T12:00:00Z", expect: allow }
`);
    expect(tests.map(({ line }) => line)).toEqual([4, 5]);
    expect(tests[0]).toMatchObject({
      expect: "deny",
      rules: ["r"],
      question: { action: "a.b", resource: "" },
    });
    expect(tests[1]!.question).toMatchObject({
      agent: { role: "junior", team: "", labels: {} },
      context: { cost: 3 },
      nowMs: Date.UTC(2026, 0, 6, 12),
    });
  });

  it("builds on a profile: entries of the same id take the place of its own, and others are taken out", () => {
    const rules = compileRules(`
version: 1
profile: standard
remove: [destructive-after-unverified-mail, repeats, loop-guard]
limits: [{ id: spend-junior, of: cost, actions: ["*"], per: agent, when: 'agent.role == "junior"', most: 5, window: 1d }]
rules: [{ id: destructive-needs-approval, actions: [file.delete], effect: deny }]
`);
    expect(rules.decide(question()).effect).toBe("deny");
    expect(rules.decide(question({ action: "db.drop" })).effect).toBe("allow");
    expect(rules.countersOf(question({ action: "llm.call" }))).toEqual([]);
    const [limit] = rules.limitsOf(question({ action: "llm.call", agent: { role: "junior" } }));
    expect(limit).toMatchObject({ id: "spend-junior", most: 5_000_000 });
  });

  it("keeps a removed counter from rules that still ask for it", () => {
    expect(refusal("version: 1\nprofile: standard\nremove: [repeats]")).toEqual({
      line: 2,
      problem: 'the condition of "loop-guard": there is no counter repeats',
    });
  });
});

describe("a long rule set", () => {
  /** In YAML as people write it, and as JSON. */
  const written = (
    count: number,
    change: (rule: Record<string, unknown>, n: number) => object = (r) => r,
  ) => {
    const rules = Array.from({ length: count }, (_, n) =>
      change(
        {
          ...{ id: `r${n}`, actions: [`area${n}.change`], resources: ["prod/**"], effect: "deny" },
          when: `agent.role != "role${n}" && context.cost > ${n}`,
        },
        n,
      ),
    );
    return {
      json: JSON.stringify({ version: 1, rules }, undefined, 1),
      yaml: stringify({ version: 1, rules }),
    };
  };

  it("is read in slices, between which the event loop turns", async () => {
    for (const text of Object.values(written(1_000))) {
      let turns = 0;
      let isOver = false;
      const reading = compileInSlices(text).finally(() => {
        isOver = true;
      });
      while (!isOver) {
        await new Promise(setImmediate);
        turns += 1;
      }
      // Nothing else is waited for meanwhile: read at once, it turns once.
      expect(turns).toBeGreaterThan(3);
      const rules = await reading;
      const asked = { resource: "prod/db", context: { cost: 999 } };
      const effects = [0, 19, 20, 998, 999].map(
        (n) => rules.decide(question({ ...asked, action: `area${n}.change` })).effect,
      );
      expect(effects).toEqual(["deny", "deny", "deny", "deny", "allow"]);
    }
  });

  it("is refused as a short one is, with the line of what is wrong", async () => {
    const wrong = written(45, (rule, n) => (n === 41 ? { ...rule, effect: "denied" } : rule));
    for (const text of Object.values(wrong)) {
      const line = text.split("\n").findIndex((one) => one.includes("denied")) + 1;
      expect(refusal(text)).toEqual({
        line,
        problem: "rules[41].effect: it is allow, require_approval or deny",
      });
      await expect(compileInSlices(text)).rejects.toThrow(`line ${line}: rules[41].effect`);
    }
    const { json, yaml } = written(45);
    const lineOf = (text: string, what: string): number =>
      text.split("\n").findIndex((one) => one.includes(what)) + 1;
    for (const n of [19, 20, 21, 44])
      expect(refusal(json.replace(`  "id": "r${n}",`, `  "id": "r${n}"`))).toMatchObject({
        line: lineOf(json, `"r${n}"`) + 1,
      });
    // Between the rules, where lists are taken apart.
    for (const n of [19, 20, 21]) {
      const at = json.indexOf(`"id": "r${n}"`);
      const comma = json.lastIndexOf("},", at);
      expect(refusal(`${json.slice(0, comma)}}${json.slice(comma + 2)}`).problem).toMatch(/not YAML/);
      expect(refusal(`${json.slice(0, comma)}},,${json.slice(comma + 2)}`).problem).toMatch(/not YAML/);
      expect(refusal(yaml.replace(`- id: r${n}\n`, `-id: r${n}\n`)).problem).toMatch(/not YAML|no field/);
    }
    expect(compileRules(json.replace(/\}\s*\]\s*\}$/, "},\n]\n}")).actions).toHaveLength(45);
  });
});
