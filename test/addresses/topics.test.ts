import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  matchesTopic,
  parentsOf,
  parsePattern,
  parseTopic,
  patternRoot,
  rootOf,
  type TopicPattern,
} from "../../src/addresses/index.js";
import { isRefusal } from "../../src/errors/index.js";
import { hostileNames } from "./hostile.js";

describe("a topic name", () => {
  it.each([
    ["builds", "builds"],
    ["topic:builds.ci", "builds.ci"],
    ["#builds.ci", "builds.ci"],
    ["TOPIC:Builds.CI", "builds.ci"],
    [" builds.ci\n", "builds.ci"],
    ["a.b.c.d.e.f.g.h.i.j", "a.b.c.d.e.f.g.h.i.j"],
    [`${"a".repeat(63)}.${"b".repeat(63)}`, `${"a".repeat(63)}.${"b".repeat(63)}`],
  ])("%j is %j", (given, meant) => {
    expect(parseTopic(given)).toBe(meant);
  });

  it("has at most 256 characters and 10 levels", () => {
    const long = [...Array.from({ length: 4 }, () => "a".repeat(63)), ""].join(".");
    expect(parseTopic(long.slice(0, -1)).length).toBe(255);
    const levels = (n: number): string => Array.from({ length: n }, () => "a").join(".");
    expect(parseTopic(levels(10))).toBe(levels(10));
    expect(() => parseTopic(levels(11))).toThrow(expect.objectContaining({ code: "topic.too_many_levels" }));
    const edge = [60, 60, 60, 60, 12].map((n) => "b".repeat(n)).join(".");
    expect(edge.length).toBe(256);
    expect(parseTopic(edge)).toBe(edge);
    expect(() => parseTopic(`${edge}b`)).toThrow(expect.objectContaining({ code: "address.invalid" }));
  });

  it.each(["", ".", "a.", ".a", "a..b", "a.*", "**", "a b", "a:b", "a.B}", "a.-b", "a._b", "a/b"])(
    "is not %j",
    (given) => {
      expect(() => parseTopic(given)).toThrow(expect.objectContaining({ code: "address.invalid" }));
    },
  );

  it.each(hostileNames)("is no level of one: %s", (_, name) => {
    expect(() => parseTopic(`builds.${name}.x`)).toThrow(/^(address\.invalid|topic\.too_many_levels): /);
    expect(() => parsePattern(`builds.${name === "*" ? "*x" : name}.x`)).toThrow(
      /^address\.pattern_invalid: /,
    );
  });

  it("has a root and parents, nearest first", () => {
    expect(rootOf("builds")).toBe("builds");
    expect(rootOf("builds.ci.linux")).toBe("builds");
    expect(parentsOf("builds.ci.linux")).toEqual(["builds.ci", "builds"]);
    expect(parentsOf("builds")).toEqual([]);
  });
});

describe("a pattern", () => {
  it.each([
    ["ai.*", "ai.x", true],
    ["ai.*", "ai.x.y", false],
    ["ai.*", "ai", false],
    ["ai.**", "ai", true],
    ["ai.**", "ai.x", true],
    ["ai.**", "ai.x.y.z", true],
    ["ai.**", "aix", false],
    ["ai.**", "air.x", false],
    ["**", "ai", true],
    ["**", "ai.x.y", true],
    ["*", "ai", true],
    ["*", "ai.x", false],
    ["**.ci", "ci", true],
    ["**.ci", "builds.ci", true],
    ["**.ci", "builds.ci.linux", false],
    ["*.**.ci", "ci", false],
    ["a.**.b.**.c", "a.b.c", true],
    ["a.**.b.**.c", "a.x.b.y.z.c", true],
    ["a.**.b.**.c", "a.x.c.b", false],
    ["builds.ci", "builds.ci", true],
    ["builds.ci", "builds", false],
  ])("%s with %s: %s", (pattern, topic, meant) => {
    expect(matchesTopic(parsePattern(pattern), topic)).toBe(meant);
  });

  it.each([
    ["topic:builds.*", "builds.*"],
    ["#builds.**", "builds.**"],
    ["Builds.*", "builds.*"],
    ["a.**.**.b", "a.**.b"],
    ["**.**.**", "**"],
  ])("%s is kept as %s", (given, kept) => {
    expect(parsePattern(given)).toBe(kept);
  });

  it.each(["", "a.", "a*", "*a", "a.***", "a.?", "a.[b]", "(a+)+$", "a.{b}", "!a"])("is not %j", (given) => {
    expect(() => parsePattern(given)).toThrow(expect.objectContaining({ code: "address.pattern_invalid" }));
  });

  it("names its root, unless its first level is a wildcard", () => {
    expect(patternRoot(parsePattern("builds.**"))).toBe("builds");
    expect(patternRoot(parsePattern("*.ci"))).toBeUndefined();
    expect(patternRoot(parsePattern("**"))).toBeUndefined();
  });

  const level = fc.constantFrom("a", "b", "c", "ab");
  const topics = fc.array(level, { minLength: 1, maxLength: 7 }).map((levels) => levels.join("."));
  const patterns = fc
    .array(fc.oneof(level, fc.constant("*"), fc.constant("**")), { minLength: 1, maxLength: 7 })
    .map((levels) => levels.join("."));

  it("means what the simplest reading of it says", () => {
    let matched = 0;
    fc.assert(
      fc.property(patterns, topics, (pattern, topic) => {
        const meant = simplest(pattern.split("."), topic.split("."));
        if (meant) matched++;
        expect(matchesTopic(parsePattern(pattern), topic)).toBe(meant);
      }),
      { numRuns: 5_000 },
    );
    expect(matched).toBeGreaterThan(100);
  });

  it("without a wildcard means itself alone", () => {
    fc.assert(
      fc.property(topics, topics, (a, b) => {
        expect(matchesTopic(parsePattern(a), b)).toBe(a === b);
      }),
    );
  });

  it("takes as long as its length says, however it was made to take longer", () => {
    const worst = Array.from({ length: 128 }, (_, n) => (n % 2 ? "a" : "**")).join(".") as TopicPattern;
    const topic = `${Array.from({ length: 127 }, () => "a").join(".")}.b`;
    const began = performance.now();
    for (let n = 0; n < 100; n++) expect(matchesTopic(worst, topic)).toBe(false);
    // About 16,000 steps each; a matcher that tries again takes longer than anybody waits.
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});

/** The oracle: the meaning of a pattern as it is told, without any thought for time. */
function simplest(pattern: readonly string[], topic: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return topic.length === 0;
  if (first === "**") return simplest(rest, topic) || (topic.length > 0 && simplest(pattern, topic.slice(1)));
  return topic.length > 0 && (first === "*" || first === topic[0]) && simplest(rest, topic.slice(1));
}

it("refuses nothing but by its codes, whatever is given", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), (given) => {
      for (const parse of [parseTopic, parsePattern])
        try {
          expect(parse(given)).toMatch(/^[a-z0-9_*.-]+$/);
        } catch (error) {
          expect(isRefusal(error)).toBe(true);
          expect((error as Error).message).toMatch(/^[\x20-\x7e]*$/);
        }
    }),
    { numRuns: 2_000 },
  );
});
