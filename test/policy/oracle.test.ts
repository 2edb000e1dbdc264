import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nearest } from "../../src/addresses/index.js";
import type { Question } from "../../src/policy/index.js";
import { compileRules } from "../../src/policy/rule-compiler.js";
import { expected, expectedCounters, expectedLimits, type OracleSet, print, type Tree } from "./oracle.js";
import { question } from "./question.js";

const effect = fc.constantFrom("allow", "require_approval", "deny");
// Few names, so that they meet; none of them a deed, so that an unknown action is near to another by a slip alone.
const level = fc.constantFrom("alpha", "beta", "gamma");
const action = fc.array(level, { minLength: 1, maxLength: 2, size: "max" }).map((levels) => levels.join("."));
const actionPattern = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom("*", "**") },
  { weight: 3, arbitrary: action },
  {
    weight: 3,
    arbitrary: fc
      .array(fc.oneof(level, fc.constantFrom("*", "**")), { minLength: 2, maxLength: 4 })
      .map((levels) => levels.join(".")),
  },
);
const actionPatterns = fc.array(actionPattern, { minLength: 1, maxLength: 3, size: "max" });
const name = fc.constantFrom("prod", "prods", "db-1", "db-22", "x");
const resource = fc.array(name, { maxLength: 4, size: "max" }).map((names) => names.join("/"));
const resourcePattern = fc
  .array(fc.oneof(name, fc.constantFrom("*", "**", "db-*", "*s", "*o*")), { minLength: 1, maxLength: 4 })
  .map((names) => names.join("/"));
const field = fc.constantFrom("a", "b", "c");
const small = fc.integer({ min: -1, max: 3 });

const leaf = (counts: boolean): fc.Arbitrary<Tree> =>
  fc.oneof(
    fc.record({ is: fc.constant("literal" as const), value: fc.boolean() }),
    fc.record({
      is: fc.constantFrom("role" as const, "team" as const),
      value: fc.constantFrom("", "junior", "pay"),
    }),
    fc.record({ is: fc.constant("action" as const), value: action }),
    fc.record({ is: fc.constant("label" as const), name: field, value: fc.constantFrom("u", "v") }),
    fc.record({
      is: fc.constant("context" as const),
      name: field,
      compare: fc.constantFrom("<" as const, ">" as const, "==" as const),
      value: small,
    }),
    fc.record({ is: fc.constant("has" as const), name: field }),
    fc.record({
      is: fc.constant("list" as const),
      name: field,
      quantifier: fc.constantFrom("exists" as const, "all" as const),
      above: small,
    }),
    fc.record({ is: fc.constant("unverified" as const), above: small }),
    ...(counts
      ? [fc.record({ is: fc.constant("count" as const), name: fc.constantFrom("one", "two"), above: small })]
      : []),
  );

const tree = (counts: boolean): fc.Arbitrary<Tree> =>
  fc.letrec<{ tree: Tree }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      leaf(counts),
      fc.record({
        is: fc.constantFrom("and" as const, "or" as const),
        of: fc.tuple(tie("tree"), tie("tree")),
      }),
      fc.record({ is: fc.constant("not" as const), of: tie("tree") }),
    ),
  })).tree;

const ruleSet: fc.Arbitrary<OracleSet> = fc.record({
  otherwise: effect,
  unknown: effect,
  vocabulary: fc.uniqueArray(action, { maxLength: 2 }),
  counters: fc.tuple(actionPatterns, actionPatterns).map(([one, two]) => [
    { name: "one", actions: one },
    { name: "two", actions: two },
  ]),
  limits: fc
    .array(fc.record({ actions: actionPatterns, when: fc.option(tree(false), { nil: undefined }) }), {
      maxLength: 2,
    })
    .map((limits) => limits.map((limit, n) => ({ id: `l${n}`, ...limit }))),
  rules: fc
    .array(
      fc.record({
        actions: actionPatterns,
        except: fc.oneof(fc.constant([]), fc.array(actionPattern, { maxLength: 1 })),
        resources: fc.option(fc.array(resourcePattern, { minLength: 1, maxLength: 3, size: "max" }), {
          nil: undefined,
          freq: 2,
        }),
        when: fc.option(tree(true), { nil: undefined }),
        effect,
        priority: fc.integer({ min: -1, max: 1 }),
        shadow: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
        obligations: fc.uniqueArray(fc.constantFrom("redact", "log", "notify ann"), { maxLength: 2 }),
      }),
      { maxLength: 12, size: "max" },
    )
    .map((rules) => rules.map((rule, n) => ({ id: `r${n}`, ...rule }))),
});

const value = fc.oneof(
  small,
  fc.constantFrom(0.5, 2.5),
  fc.constantFrom("t", null, true),
  fc.array(fc.oneof(small, fc.constant("t")), { maxLength: 3 }),
);
const asked: fc.Arbitrary<Question> = fc
  .record({
    agent: fc.record({
      role: fc.constantFrom("", "junior"),
      team: fc.constantFrom("", "pay"),
      labels: fc.dictionary(field, fc.constantFrom("u", "v"), { maxKeys: 2, noNullPrototype: true }),
    }),
    // With a slip of typing now and then, which is near to what some rules name.
    action: fc.oneof(
      { weight: 5, arbitrary: action },
      { weight: 1, arbitrary: action.map((name) => `${name}x`) },
    ),
    resource: fc.oneof({ weight: 3, arbitrary: resource }, { weight: 1, arbitrary: resourcePattern }),
    context: fc.dictionary(field, value, { maxKeys: 3, noNullPrototype: true }),
    counts: fc.dictionary(fc.constantFrom("one", "two"), fc.nat(3), { maxKeys: 2, noNullPrototype: true }),
    reads: fc.record({
      unverified: fc.uniqueArray(fc.constantFrom("eve", "mallory"), { maxLength: 2 }),
      foreign: fc.constant([]),
    }),
  })
  .map(question);

const piece = fc.constantFrom("", "s", "o", "prod", "q");

/** A resource with wildcards, and one of the names that it stands for. */
const narrowed = fc
  .array(
    fc.oneof(
      fc.tuple(fc.constantFrom("*", "db-*", "*s", "*o*", "pr*d"), piece).map(([level, text]) => ({
        wide: level,
        narrow: [level === "*" ? text || "x" : level.replaceAll("*", text)],
      })),
      fc.array(name, { maxLength: 2 }).map((names) => ({ wide: "**", narrow: names })),
      name.map((one) => ({ wide: one, narrow: [one] })),
    ),
    { minLength: 1, maxLength: 4 },
  )
  .map((levels) => [
    levels.map(({ wide }) => wide).join("/"),
    levels.flatMap(({ narrow }) => narrow).join("/"),
  ])
  .filter(([wide]) => wide!.includes("*")) as fc.Arbitrary<[string, string]>;

/** The same rule set in the words of its format. */
function written(set: OracleSet): string {
  const scope = { per: "agent", window: "1h" };
  return JSON.stringify({
    version: 1,
    otherwise: set.otherwise,
    unknown: set.unknown,
    vocabulary: Object.fromEntries(set.vocabulary.map((one) => [one, []])),
    counters: Object.fromEntries(set.counters.map(({ name: its, actions }) => [its, { actions, ...scope }])),
    limits: set.limits.map(({ when, ...limit }) => ({
      ...limit,
      ...scope,
      of: "calls",
      most: 1,
      ...(when && { when: print(when) }),
    })),
    rules: set.rules.map(({ when, ...rule }) => ({ ...rule, ...(when && { when: print(when) }) })),
  });
}

describe("a decision", () => {
  it("is the one that trying every rule by hand comes to, in 10,000 random rule sets and questions", () => {
    const seen = {
      effects: new Set<string>(),
      failed: 0,
      shadow: 0,
      unknown: 0,
      near: 0,
      obligations: 0,
      several: 0,
      patterns: 0,
    };
    fc.assert(
      fc.property(ruleSet, asked, (set, one) => {
        const rules = compileRules(written(set));
        const decision = rules.decide(one);
        const { effect: its, rules: deciding, shadow, obligations, known } = decision;
        const answer = {
          effect: its,
          rules: deciding.map(({ id, effect: said, failed }) => ({
            id,
            effect: said,
            ...(failed && { failed }),
          })),
          shadow,
          obligations,
          known,
        };
        // None of the names is a deed, so that only a slip of typing makes one near to another.
        const isNear = !known && nearest(one.action, rules.actions) !== undefined;
        expect(answer).toEqual(expected(set, one, isNear));
        expect(decision.nearest.length > 0).toBe(isNear);
        for (const near of decision.nearest) expect(rules.actions).toContain(near);
        expect(decision.approval !== undefined).toBe(its === "require_approval");
        expect(rules.countersOf(one).map(({ name: counter, counts }) => [counter, counts])).toEqual(
          expectedCounters(set, one.action),
        );
        expect(rules.limitsOf(one).map(({ id }) => id)).toEqual(expectedLimits(set, one));
        if (!rules.concerns(one.action)) expect([its, deciding, shadow]).toEqual(["allow", [], []]);

        seen.effects.add(its);
        if (deciding.some(({ failed }) => failed)) seen.failed++;
        if (shadow.length > 0) seen.shadow++;
        if (!known) seen.unknown++;
        if (decision.nearest.length > 0) seen.near++;
        if (obligations.length > 0) seen.obligations++;
        if (deciding.length > 1) seen.several++;
        if (
          one.resource.includes("*") &&
          deciding.some(({ id }) => set.rules.find((rule) => rule.id === id)?.resources)
        )
          seen.patterns++;
      }),
      { numRuns: 10_000, seed: 20_260_106, endOnFailure: false },
    );
    // A generator that never comes to a case says nothing of it.
    expect([...seen.effects].sort()).toEqual(["allow", "deny", "require_approval"]);
    for (const count of [seen.failed, seen.shadow, seen.unknown, seen.obligations, seen.several])
      expect(count).toBeGreaterThan(500);
    for (const count of [seen.near, seen.patterns]) expect(count).toBeGreaterThan(200);
  }, 300_000);

  it("about a resource with wildcards gives nothing that is not given for each name it stands for", () => {
    const strictness = ["allow", "require_approval", "deny"];
    let stricter = 0;
    fc.assert(
      fc.property(ruleSet, asked, narrowed, (set, one, [wide, narrow]) => {
        const rules = compileRules(written(set));
        const [ofAll, ofOne] = [wide, narrow].map((its) =>
          strictness.indexOf(rules.decide({ ...one, resource: its }).effect),
        );
        expect(ofAll).toBeGreaterThanOrEqual(ofOne!);
        if (ofAll! > ofOne!) stricter++;
      }),
      { numRuns: 3_000 },
    );
    expect(stricter).toBeGreaterThan(30);
  }, 120_000);
});
