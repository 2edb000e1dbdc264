import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { overlaps, parseResource, parseResources, type Resource } from "../../src/addresses/index.js";
import { isRefusal } from "../../src/errors/index.js";
import { hostileTexts } from "./hostile.js";

const refused = (given: string | readonly string[]): string => {
  try {
    parseResources(typeof given === "string" ? [given] : given);
    return "accepted";
  } catch (error) {
    if (!isRefusal(error, "lock.resource_invalid")) throw error;
    return error.message;
  }
};

describe("a resource", () => {
  it.each([
    ["customer:123", "customer:123"],
    ["f", "f"],
    ["f/../f", "f"],
    ["/f", "f"],
    ["./f", "f"],
    ["f/", "f"],
    [" f ", "f"],
    ["a//b/./c/../d", "a/b/d"],
    ["/src/auth/**", "src/auth/**"],
    ["src/**/**/x", "src/**/x"],
    ["**", "**"],
    ["src/*.ts", "src/*.ts"],
    ["Src/A", "Src/A"],
    ["back\\slash", "back\\slash"],
    ["e\u0301", "\u00e9"],
    ["a b, c|d\u{1f600}", "a b, c|d\u{1f600}"],
  ])("%j is kept as %j", (given, kept) => {
    expect(parseResource(given)).toBe(kept);
  });

  it("is one of several, each once, in an order that does not depend on how they were told", () => {
    expect(parseResources(["b", "a", "./b"])).toEqual(["a", "b"]);
  });

  it.each([
    ["", "it names nothing"],
    ["/", "it names nothing"],
    ["a/..", "it names nothing"],
    ["..", "it leads above the root"],
    ["a/../../b", "it leads above the root"],
    ["a*/../b", "what .. leaves must not have a wildcard"],
    ["**/../b", "what .. leaves must not have a wildcard"],
    ["a**b", "** stands for whole segments"],
    ["a***", "** stands for whole segments"],
    ["a*b*c", "a segment has at most one *"],
  ])("%j is refused: %s", (given, problem) => {
    expect(refused(given)).toContain(problem);
  });

  it("says of too many how to ask for them, and of one how to name it", () => {
    expect(refused(Array.from({ length: 17 }, (_, n) => `r${n}`))).toBe(
      "lock.resource_invalid: resource 17 cannot be locked: one call names at most 16. Use several calls, or a pattern such as src/auth/** in place of what lies in it.",
    );
    expect(refused([".."])).toMatch(/ Use a name such as customer:123, .*src\/auth\/\*\*\.$/);
  });

  it("says which of several is wrong", () => {
    expect(refused(["fine", "fine/too", ".."])).toContain("resource 3 cannot be locked");
  });

  it.each([
    ["512 characters", "x".repeat(512), "x".repeat(513)],
    ["32 segments", "s/".repeat(32), "s/".repeat(33)],
    ["three **", "a/**/b/**/c/**", "a/**/b/**/c/**/d/**"],
  ])("has at most %s", (_, most, tooMany) => {
    expect(refused(most)).toBe("accepted");
    expect(refused(tooMany)).toMatch(/^lock\.resource_invalid: resource 1 /);
  });

  it("is one of at most 16 in a call", () => {
    const names = Array.from({ length: 17 }, (_, n) => `r${n}`);
    expect(refused(names.slice(0, 16))).toBe("accepted");
    expect(refused(names)).toContain("at most 16");
  });

  it.each(hostileTexts)("that a reader would not see as it is, %j, is refused", (text) => {
    expect(refused(`a${text}b`)).toContain("it has characters that cannot be seen");
  });

  it("normalised once stays as it is", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("a", "b", ".", "..", "", "*", "**", "a*", "*b", "é", "e\u0301")),
        (parts) => {
          const given = parts.join("/");
          if (refused(given) !== "accepted") return;
          const once = parseResource(given);
          expect(parseResource(once)).toBe(once);
          expect(parseResource(`/${once}/`)).toBe(once);
        },
      ),
    );
  });
});

describe("two resources overlap", () => {
  const pairs: readonly (readonly [string, string, boolean])[] = [
    ["a", "a", true],
    ["a", "b", false],
    ["a", "A", false],
    ["src/a.ts", "src/**", true],
    ["src", "src/**", true],
    ["srcs/a", "src/**", false],
    ["src/a/b", "src/*", false],
    ["src/a", "src/*", true],
    ["src/*.ts", "src/a.*", true],
    ["src/*.ts", "src/*.js", false],
    ["src/a*", "src/*a", true],
    ["src/ab*", "src/a", false],
    ["**", "anything:1", true],
    ["**/b", "a/**", true],
    ["a/**/z", "a/b/**/y", false],
    ["customer:*", "customer:123", true],
    ["a:b", "a", false],
    ["x*x", "x", false],
    ["x*x", "xx", true],
  ];

  it.each(pairs)("%s and %s: %s, whichever comes first", (a, b, answer) => {
    expect(overlaps(a as Resource, b as Resource)).toBe(answer);
    expect(overlaps(b as Resource, a as Resource)).toBe(answer);
  });

  it("exactly when there is a path that both mean", () => {
    const segments = ["a", "b", "ab"];
    let paths: string[][] = [[]];
    const universe: string[][] = [];
    for (let length = 1; length <= 6; length++) {
      paths = paths.flatMap((path) => segments.map((segment) => [...path, segment]));
      universe.push(...paths);
    }
    const pattern = fc
      .array(fc.constantFrom("a", "b", "ab", "*", "a*", "*b", "**"), { minLength: 1, maxLength: 3 })
      .map((parts) => parseResource(parts.join("/")));
    fc.assert(
      fc.property(pattern, pattern, (a, b) => {
        const means = (one: Resource) => {
          const form = new RegExp(`^${one.split("/").map(asExpression).join("")}$`);
          return (path: string[]): boolean => form.test(`${path.join("/")}/`);
        };
        const [inA, inB] = [means(a), means(b)];
        expect(overlaps(a, b)).toBe(universe.some((path) => inA(path) && inB(path)));
      }),
      { numRuns: 300 },
    );
  });
});

function asExpression(segment: string): string {
  if (segment === "**") return "(?:[^/]+/)*";
  if (segment === "*") return "[^/]+/";
  return `${segment.replace("*", "[^/]*")}/`;
}
