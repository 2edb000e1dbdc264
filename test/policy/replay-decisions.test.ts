import { describe, expect, it } from "vitest";
import {
  type CompiledRules,
  type DecisionRecord,
  parseDecisionRecord,
  type Replayed,
  replayDecisions,
} from "../../src/policy/index.js";
import { compileRules } from "../../src/policy/rule-compiler.js";

const noon = Date.UTC(2026, 0, 14, 12);

const record = (more: Partial<DecisionRecord>): DecisionRecord => ({
  at: noon,
  version: 1,
  agent: { name: "bob", role: "junior", roles: ["agent"], team: "", labels: {}, verified: true },
  action: "llm.call",
  resource: "",
  context: {},
  counts: {},
  reads: { unverified: [], foreign: [] },
  effect: "allow",
  rules: [],
  limits: [],
  via: "check",
  ...more,
});

/** So many at once, one a second. */
const several = (count: number, more: Partial<DecisionRecord>): DecisionRecord[] =>
  Array.from({ length: count }, (_, n) => record({ at: noon + n * 1_000, ...more }));

const spend = (most: number, effect = "deny", window = "1d"): string => `version: 1
limits:
  - { id: spend, of: cost, actions: ["llm.*"], per: agent, most: ${most}, window: ${window}, effect: ${effect} }
`;
const loop = (most: number, window = "10m"): string => `version: 1
counters:
  calls: { actions: ["llm.*"], per: agent, window: ${window} }
rules:
  - { id: loop, actions: ["llm.*"], when: counts.calls >= ${most}, effect: deny }
`;

const replay = (records: readonly DecisionRecord[], rules: string, then?: string): Replayed[] => {
  const past: CompiledRules | undefined = then === undefined ? undefined : compileRules(then);
  return [...replayDecisions(records, compileRules(rules), () => past)];
};
const effects = (replayed: readonly Replayed[]): string[] => replayed.map(({ after }) => after);

describe("a replay of past decisions", () => {
  it("decides each question by what was known of it at the time", () => {
    const night = `version: 1
rules:
  - id: juniors-at-night
    actions: ["llm.*"]
    when: agent.role == "junior" && now > timestamp("2026-01-14T20:00:00Z") && size(reads.unverified) > 0
    effect: require_approval
`;
    const late = { at: noon + 9 * 3_600_000, reads: { unverified: ["mallory"], foreign: [] } };
    const replayed = replay(
      [
        record({}),
        record(late),
        record({ ...late, agent: { ...record({}).agent, role: "senior" } }),
        record({ ...late, reads: { unverified: [], foreign: [] } }),
      ],
      night,
    );
    expect(effects(replayed)).toEqual(["allow", "require_approval", "allow", "allow"]);
    expect(replayed[1]).toMatchObject({ before: "allow", rules: ["juniors-at-night"], limits: [] });
  });

  it("adds up what a new limit would have let pass, in its windows, of what was allowed", () => {
    const calls = several(5, { context: { cost: 3 } });
    expect(effects(replay(calls, spend(10)))).toEqual(["allow", "allow", "allow", "deny", "deny"]);
    expect(replay(calls, spend(10))[3]).toMatchObject({ limits: ["spend"], before: "allow" });
    // What was denied leaves room for what is smaller.
    const small = record({ at: noon + 9_000, context: { cost: 1 } });
    expect(effects(replay([...calls, small], spend(10))).at(-1)).toBe("allow");
    // The next day is another window, and another agent has its own.
    const next = record({ at: noon + 86_400_000, context: { cost: 3 } });
    const other = record({
      at: noon + 9_000,
      context: { cost: 3 },
      agent: { ...record({}).agent, name: "carol" },
    });
    expect(effects(replay([...calls, other, next], spend(10))).slice(-2)).toEqual(["allow", "allow"]);
  });

  it("leaves what costs nothing out of a budget, and a limit that is only tried out out of all", () => {
    expect(effects(replay(several(2, {}), spend(0)))).toEqual(["allow", "allow"]);
    const tried = spend(0).replace("effect: deny", "effect: deny, shadow: true");
    expect(effects(replay(several(2, { context: { cost: 3 } }), tried))).toEqual(["allow", "allow"]);
  });

  it("believes the record of a limit that is as it was, or that says it all the more", () => {
    const exceeded = record({ context: { cost: 3 }, effect: "deny", limits: ["spend"] });
    expect(effects(replay([exceeded], spend(100), spend(100)))).toEqual(["deny"]);
    expect(effects(replay([exceeded], spend(50), spend(100)))).toEqual(["deny"]);
    const within = record({ context: { cost: 3 } });
    expect(effects(replay([within], spend(2), spend(1)))).toEqual(["allow"]);
    // Another window, more room or an unknown past: added up anew.
    expect(effects(replay([exceeded], spend(100, "deny", "1h"), spend(100)))).toEqual(["allow"]);
    expect(effects(replay([exceeded], spend(200), spend(100)))).toEqual(["allow"]);
    expect(effects(replay([exceeded], spend(100)))).toEqual(["allow"]);
    expect(effects(replay([within], spend(2), spend(3)))).toEqual(["deny"]);
  });

  it("counts anew what was not counted, and believes the record of a counter that is as it was", () => {
    expect(effects(replay(several(4, {}), loop(2)))).toEqual(["allow", "allow", "deny", "deny"]);
    const counted = several(2, { counts: { calls: 7 } });
    expect(effects(replay(counted, loop(5), loop(9)))).toEqual(["deny", "deny"]);
    expect(effects(replay(counted, loop(5, "1h"), loop(9)))).toEqual(["allow", "allow"]);
  });

  it("counts a call by its caller's key once in a window, and does not hold its own earlier attempt against it", () => {
    const hour = 3_600_000;
    const calls = (most: number, window: string): string =>
      `version: 1\nlimits: [{ id: few, of: calls, actions: ["llm.*"], per: agent, most: ${most}, window: ${window} }]\n`;
    const [one, other] = [{ once: "t|bob|one" }, { once: "t|bob|other" }];
    const again = [record(one), record({ at: noon + 1_000, ...one }), record({ at: noon + 2_000, ...other })];
    for (const rules of [calls(1, "1d"), loop(1)])
      expect(effects(replay(again, rules))).toEqual(["allow", "allow", "deny"]);
    // In a later window it is there again, and after a day in the same one too.
    const later = [record(one), record({ at: noon + 2 * hour, ...one }), record({ at: noon + 2 * hour })];
    expect(effects(replay(later, calls(1, "1h")))).toEqual(["allow", "allow", "deny"]);
    const nextDay = [record(one), record({ at: noon + 25 * hour, ...one })];
    expect(effects(replay(nextDay, calls(1, "30d")))).toEqual(["allow", "deny"]);
    // What was denied is counted by each attempt, as it is in the store.
    const denied = `${loop(9)}  - { id: never, actions: ["llm.*"], when: now < timestamp("2026-01-14T12:00:02Z"), effect: deny }\n`;
    const attempts = [
      record(one),
      record({ at: noon + 1_000, ...one }),
      record({ at: noon + 2_000, ...one }),
    ];
    expect(effects(replay(attempts, denied.replace(">= 9", ">= 2")))).toEqual(["deny", "deny", "deny"]);
  });

  it("does not hold what a call asks about behind a wish against it, when it is made again", () => {
    const mails = `version: 1
counters: { mails: { actions: ["llm.*"], per: agent, window: 1d } }
rules: [{ id: first, actions: ["llm.*"], resources: [bob], when: counts.mails >= 1, effect: deny }]
`;
    const wish = (name: string, behind: number, call = "one") => ({
      ...{ resource: name, once: `t|bob|${call}-${name}`, wish: { call, behind } },
    });
    const attempt = (at: number, ...wishes: readonly ReturnType<typeof wish>[]): DecisionRecord[] =>
      wishes.map((one, n) => record({ at: noon + at + n, ...one }));
    const call = [wish("bob", 1), wish("carol", 0)];
    const twice = [...attempt(0, ...call), ...attempt(1_000, ...call)];
    expect(effects(replay(twice, mails))).toEqual(["allow", "allow", "allow", "allow"]);
    // What was asked about before it is there, and so is another call.
    const turned = [wish("carol", 1), wish("bob", 0)];
    expect(effects(replay(attempt(0, ...turned), mails))).toEqual(["allow", "deny"]);
    const others = [...attempt(0, wish("carol", 0, "other")), ...attempt(1_000, ...call)];
    expect(effects(replay(others, mails))).toEqual(["allow", "deny", "allow"]);
    // After a day it is no longer known to be the same.
    const later = [...attempt(0, ...call), ...attempt(25 * 3_600_000, ...call)];
    expect(effects(replay(later, mails.replace("1d", "30d")))).toEqual(["allow", "allow", "deny", "allow"]);
  });

  it("tells a step that a person agreed to as one that needed them", () => {
    const asks = `version: 1\nrules:\n  - { id: ask, actions: ["llm.*"], effect: require_approval }\n`;
    const agreed = record({ rules: ["ask"] });
    expect(replay([agreed], asks, asks)).toMatchObject([
      { before: "require_approval", after: "require_approval" },
    ]);
    const agreedAboveLimit = record({ context: { cost: 3 }, limits: ["spend"] });
    const limit = spend(1, "require_approval");
    expect(replay([agreedAboveLimit], limit, limit)).toMatchObject([
      { before: "require_approval", after: "require_approval" },
    ]);
    expect(replay([record({})], asks, spend(1))).toMatchObject([
      { before: "allow", after: "require_approval" },
    ]);
  });
});

describe("a record of a decision", () => {
  it("is read as it was written", () => {
    const one = record({ context: { deep: { list: [1, "two", null] } }, limits: ["spend"] });
    expect(parseDecisionRecord(JSON.stringify(one))).toEqual(one);
  });

  it("is none when something is missing or of another kind", () => {
    const one = record({});
    for (const [field, value] of [
      ["at", "now"],
      ["version", -1],
      ["agent", {}],
      ["effect", "perhaps"],
      ["rules", "ask"],
      ["via", "mail"],
      ["counts", { calls: "many" }],
    ] as const)
      expect([field, parseDecisionRecord(JSON.stringify({ ...one, [field]: value }))]).toEqual([
        field,
        undefined,
      ]);
    for (const text of ["", "null", "[]", "{", "{}"]) expect(parseDecisionRecord(text)).toBeUndefined();
  });
});
