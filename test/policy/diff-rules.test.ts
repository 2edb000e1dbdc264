import { describe, expect, it } from "vitest";
import { diffRules, profiles, ruleParts } from "../../src/policy/index.js";

const diff = (before: string, after: string): string[] =>
  diffRules(ruleParts(`version: 1\n${before}`), ruleParts(`version: 1\n${after}`)).map(
    ({ kind, name, change, fields }) =>
      `${change} ${kind} ${name}: ${fields.map(({ field }) => field).join(" ")}`,
  );
const rule = (id: string, more = ""): string =>
  `  - { id: ${id}, actions: [file.delete], effect: deny${more} }\n`;

describe("the difference of two rule sets", () => {
  it("is none where they are written otherwise and decide alike", () => {
    const first = rule("a", ", priority: 1");
    expect(diff(`rules:\n${first}${rule("b")}`, `# words\nrules:\n${rule("b")}${first}`)).toEqual([]);
    expect(diff(`rules:\n${rule("a")}`, `rules:\n${rule("a", ", priority: 0, shadow: false")}`)).toEqual([]);
    expect(diff("", "otherwise: allow\nunknown: require_approval")).toEqual([]);
    expect(diff("", "tests:\n  - { action: file.delete, expect: allow }")).toEqual([]);
  });

  it("names what was added, removed and changed, field by field, also deep within", () => {
    const approval = (expires: string): string =>
      `, approval: { expires: ${expires}, escalate: { after: 5m, to: ["role:admin"] } }`;
    expect(
      diff(
        `rules:\n${rule("a", approval("1h"))}${rule("b")}vocabulary: { file.delete: [rm] }`,
        `rules:\n${rule("a", approval("2h"))}${rule("c")}vocabulary: { file.delete: [rm, del] }\nunknown: deny`,
      ),
    ).toEqual([
      "changed setting unknown: value",
      "changed word file.delete: words",
      "changed rule a: approval",
      "removed rule b: actions effect priority shadow obligations",
      "added rule c: actions effect priority shadow obligations",
    ]);
    const [change] = diffRules(
      ruleParts(`version: 1\nrules:\n${rule("a", approval("1h"))}`),
      ruleParts(`version: 1\nrules:\n${rule("a", approval("60m"))}`),
    );
    expect(change).toBeUndefined();
  });

  it("tells that another rule of the same priority has come to lead", () => {
    const [a, b, c, d] = ["a", "b", "c", "d"].map((id) => rule(id));
    const [change, ...others] = diffRules(
      ruleParts(`version: 1\nrules:\n${a}${b}${c}${d}`),
      ruleParts(`version: 1\nrules:\n${a}${c}${b}${d}`),
    );
    expect(others).toEqual([]);
    expect(change).toEqual({
      kind: "order",
      name: "of priority 0",
      change: "changed",
      fields: [{ field: "rules", before: ["b", "c"], after: ["c", "b"] }],
    });
  });

  it("looks into the profile that a rule set builds on", () => {
    expect(diffRules(ruleParts(profiles.standard), ruleParts("version: 1\nprofile: standard\n"))).toEqual([]);
    const replaced = diff(
      "profile: standard",
      `profile: standard\nremove: [${[...ruleParts(profiles.standard).rules.keys()][0]}]`,
    );
    expect(replaced).toHaveLength(1);
    expect(replaced[0]).toMatch(/^removed rule /);
    expect(diff("profile: open", "profile: strict").length).toBeGreaterThan(3);
  });
});
