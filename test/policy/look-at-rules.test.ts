import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileRules, effects } from "../../src/policy/index.js";
import { question } from "./question.js";

const condition = fc.constantFrom(
  undefined,
  "context.a > 1",
  "context.a < 2 || context.b",
  'agent.role == "junior"',
  "context.list.exists(one, one > 2)",
);
const rule = fc.record({
  actions: fc.constantFrom(["file.delete"], ["file.*"], ["**"], ["db.drop"]),
  resources: fc.constantFrom(undefined, ["prod/**"], ["dev/*"]),
  when: condition,
  effect: fc.constantFrom(...effects),
  shadow: fc.boolean(),
  priority: fc.integer({ min: 0, max: 2 }),
});
const context = fc.record(
  {
    a: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constant("text")),
    b: fc.boolean(),
    list: fc.array(fc.nat(4)),
  },
  { requiredKeys: [] },
);

describe("a look at the rules of an action", () => {
  it("agrees with the decision about every one of them", () => {
    let held = 0;
    fc.assert(
      fc.property(
        fc.array(rule, { maxLength: 8 }),
        context,
        fc.constantFrom("prod/a", "dev/a", ""),
        fc.constantFrom("junior", ""),
        (given, said, resource, role) => {
          // JSON is YAML, and leaves out what is undefined.
          const rules = given.map((one, n) => ({ id: `r${n}`, ...one }));
          const compiled = compileRules(JSON.stringify({ version: 1, rules }));
          const asked = question({ resource, context: said, agent: { role } });
          const decision = compiled.decide(asked);
          const looks = compiled.look(asked).rules;
          const holding = looks.filter(({ holds, shadow }) => holds && !shadow);
          held += holding.length;
          const strictest = Math.max(-1, ...holding.map(({ effect }) => effects.indexOf(effect)));
          if (decision.known && strictest >= 0) expect(decision.effect).toBe(effects[strictest]);
          if (decision.rules.length > 0)
            expect(decision.rules.map(({ id }) => id)).toEqual(
              holding.filter(({ effect }) => effect === decision.effect).map(({ id }) => id),
            );
          expect(decision.shadow).toEqual(
            looks.filter(({ holds, shadow }) => holds && shadow).map(({ id, effect }) => ({ id, effect })),
          );
          expect(looks).toHaveLength(rules.filter(({ actions }) => actions[0] !== "db.drop").length);
          for (const { because } of looks)
            expect(because).toMatch(/^it (has no condition|speaks of other|could not be)|^its condition is /);
        },
      ),
      { numRuns: 1_000 },
    );
    expect(held).toBeGreaterThan(500);
  });

  it("says of each why it holds or why not", () => {
    const { look } = compileRules(`version: 1
rules:
  - { id: elsewhere, actions: [file.delete], resources: ["dev/**"], when: 'context.x', effect: deny, priority: 5 }
  - { id: untrue, actions: [file.delete], when: 'context.risk == "low"', effect: deny, priority: 4 }
  - { id: "true", actions: [file.delete], when: 'context.risk == "high"', effect: require_approval, priority: 3 }
  - { id: undecided, actions: [file.delete], when: context.missing > 1, effect: require_approval, priority: 2 }
  - { id: hopeful, actions: [file.delete], when: context.missing > 1, effect: allow, priority: 1 }
  - { id: plain, actions: [file.delete], effect: allow, shadow: true }
limits:
  - { id: juniors, of: calls, actions: [file.*], per: agent, when: 'agent.role == "junior"', most: 1, window: 1h }
  - { id: all, of: cost, actions: [file.*], per: team, most: 1, window: 1h, effect: require_approval }
`);
    const { rules, limits } = look(question({ resource: "prod/a", context: { risk: "high" } }));
    expect(rules.map(({ id, effect, holds, because }) => [id, effect, holds, because])).toEqual([
      ["elsewhere", "deny", false, "it speaks of other resources"],
      ["untrue", "deny", false, 'its condition is false: context.risk == "low"'],
      ["true", "require_approval", true, 'its condition is true: context.risk == "high"'],
      ["undecided", "deny", true, expect.stringMatching(/^it could not be decided: /)],
      ["hopeful", "allow", false, expect.stringMatching(/^it could not be decided: /)],
      ["plain", "allow", true, "it has no condition"],
    ]);
    expect(limits).toEqual([
      {
        id: "juniors",
        effect: "deny",
        shadow: false,
        holds: false,
        because: 'its condition is false: agent.role == "junior"',
      },
      { id: "all", effect: "require_approval", shadow: false, holds: true, because: "it has no condition" },
    ]);
  });
});
