import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { compileRules } from "../../src/policy/index.js";

const guide = readFileSync(new URL("../../docs/guides/policies.md", import.meta.url), "utf8");
const examples = [...guide.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => text!);

describe("the guide to policies", () => {
  it("has examples that load, and whose own tests pass", () => {
    expect(examples.length).toBeGreaterThan(3);
    let tried = 0;
    for (const text of examples) {
      const rules = compileRules(text);
      for (const { question, expect: effect, rules: ids } of rules.tests) {
        const decision = rules.decide(question);
        expect([question.action, decision.effect]).toEqual([question.action, effect]);
        if (ids) expect(decision.rules.map(({ id }) => id)).toEqual(ids);
        tried++;
      }
    }
    expect(tried).toBeGreaterThan(3);
  });
});
