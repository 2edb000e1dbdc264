import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nearest } from "../../src/addresses/index.js";

describe("the nearest name", () => {
  const known = ["alice", "bob", "carol", "reviewers", "builds.ci"];

  it.each([
    ["alcie", "alice"],
    ["alic", "alice"],
    ["aliec", "alice"],
    ["allice", "alice"],
    ["bo", "bob"],
    ["bobb", "bob"],
    ["reviwers", "reviewers"],
    ["reviewer", "reviewers"],
    ["rewievers", "reviewers"],
    ["builds-ci", "builds.ci"],
  ])("to %s is %s", (given, meant) => {
    expect(nearest(given, known)).toBe(meant);
  });

  it.each(["dave", "alicia-the-second", "b", "al", "reviewing", "", "x".repeat(10_000)])(
    "to %s is none: it is a name of its own",
    (given) => {
      expect(nearest(given, known)).toBeUndefined();
    },
  );

  it("is never the name itself", () => {
    expect(nearest("bob", ["bob"])).toBeUndefined();
    expect(nearest("bob", ["bob", "rob"])).toBe("rob");
  });

  it("is the nearer of two, and the first of equals", () => {
    expect(nearest("reviewer1", ["reviewers-x", "reviewer2"])).toBe("reviewer2");
    expect(nearest("bop", ["bob", "bot"])).toBe("bob");
  });

  it("is found from both sides of one slip", () => {
    const name = fc.stringMatching(/^[a-z]{2,12}$/);
    fc.assert(
      fc.property(name, fc.nat(), fc.constantFrom("q", "7"), (text, at, letter) => {
        const place = at % text.length;
        const typed = text.slice(0, place) + letter + text.slice(place + 1);
        fc.pre(typed !== text);
        expect(nearest(typed, [text])).toBe(text);
        expect(nearest(text, [typed])).toBe(typed);
      }),
    );
  });
});
