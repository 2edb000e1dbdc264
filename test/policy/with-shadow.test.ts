import { describe, expect, it } from "vitest";
import { type DecisionRecord, saidWithout, saidWithShadow } from "../../src/policy/index.js";

const record = (more: Partial<DecisionRecord>): DecisionRecord => ({
  ...{ at: 0, version: 1, action: "a.b", resource: "", context: {}, counts: {}, via: "check" },
  agent: { name: "bob", role: "", roles: ["agent"], team: "", labels: {}, verified: true },
  reads: { unverified: [], foreign: [] },
  ...{ effect: "allow", rules: ["r"], limits: [] },
  ...more,
});
const shadow = (effect: DecisionRecord["effect"]) => [{ id: "s", effect }];

describe("a decision with the rules that are only tried out", () => {
  it.each<readonly [string, Partial<DecisionRecord>, string]>([
    ["is the same where none said anything", {}, "allow"],
    ["is the most restrictive of all", { shadow: shadow("deny") }, "deny"],
    ["is lifted by none that allows", { effect: "deny", shadow: shadow("allow") }, "deny"],
    ["is made by limits too", { shadowLimits: shadow("require_approval") }, "require_approval"],
    ["is theirs where no rule held", { effect: "deny", rules: [], shadow: shadow("allow") }, "allow"],
    [
      "is not theirs where a limit stopped it",
      { effect: "deny", rules: [], limits: ["l"], shadow: shadow("allow") },
      "deny",
    ],
    [
      "is not theirs where nobody knew the action",
      { effect: "deny", rules: [], known: false, shadow: shadow("allow") },
      "deny",
    ],
    ["is not theirs where they are limits", { rules: [], shadowLimits: shadow("deny") }, "deny"],
  ])("%s", (_, more, expected) => {
    expect(saidWithShadow(record(more))).toBe(expected);
  });

  it("is no other where a person agreed to what they too would have asked one for", () => {
    const agreed = record({ approval: "ap-1", shadow: shadow("require_approval") });
    expect([saidWithout(agreed), saidWithShadow(agreed)]).toEqual(["require_approval", "require_approval"]);
    expect(saidWithShadow({ ...agreed, shadow: shadow("deny") })).toBe("deny");
  });
});
