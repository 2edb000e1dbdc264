import { describe, expect, it } from "vitest";
import {
  maxStateKeyLength,
  maxStateKeyNames,
  parseStateKey,
  parseStatePrefix,
  stateGroupOf,
} from "../../src/addresses/state-key.js";
import { isRefusal } from "../../src/errors/index.js";
import { hostileNames } from "./hostile.js";

/** Odd as names of agents, and good keys: a slash divides names, and a colon stands in them. */
const harmless = new Set([
  "a slash",
  "a key of ours",
  "a kind without a name",
  "an unknown kind",
  "another site",
  "64 characters",
]);

function refused(doing: () => unknown): boolean {
  try {
    doing();
    return false;
  } catch (error) {
    if (!isRefusal(error, "state.key_invalid")) throw error;
    return true;
  }
}

describe("a key of shared state", () => {
  it.each([
    ["plan", "plan"],
    ["Plan/Owner", "plan/owner"],
    ["/plan/owner/", "plan/owner"],
    ["  plan ", "plan"],
    ["customer:123/e-mail@home+1", "customer:123/e-mail@home+1"],
    ["0/1.2_3", "0/1.2_3"],
  ])("%j is %s", (given, key) => {
    expect(parseStateKey(given)).toBe(key);
    expect(parseStateKey(key)).toBe(key);
  });

  it.each([
    "",
    "/",
    "//",
    "a//b",
    "//a",
    "a/../b",
    "../a",
    "./a",
    ".",
    "_a",
    "-a",
    "a b",
    "a/*",
    "a}b",
    "{a}",
    "a|b",
    "a,b",
    "a~",
    "a\u0000",
    "a\nb",
    "\u212aelvin",
    "ä",
    "__proto__",
    ...hostileNames.filter(([what]) => !harmless.has(what)).map(([, name]) => name),
  ])("%j is none", (given) => {
    expect(refused(() => parseStateKey(given))).toBe(true);
  });

  it(`has at most ${maxStateKeyLength} characters, ${maxStateKeyNames} names, and 100 characters a name`, () => {
    const long = (length: number): string =>
      `${"a".repeat(100)}/${"b".repeat(100)}/${"c".repeat(length - 202)}`;
    expect(parseStateKey(long(maxStateKeyLength))).toHaveLength(256);
    expect(refused(() => parseStateKey(long(maxStateKeyLength + 1)))).toBe(true);
    const names = (count: number): string => Array.from({ length: count }, () => "n").join("/");
    expect(parseStateKey(names(maxStateKeyNames))).toBe(names(10));
    expect(refused(() => parseStateKey(names(maxStateKeyNames + 1)))).toBe(true);
    expect(parseStateKey("x".repeat(100))).toHaveLength(100);
    expect(refused(() => parseStateKey("x".repeat(101)))).toBe(true);
  });

  it("is kept with those that have the same first name", () => {
    expect(["plan", "plan/a", "plan/a/b", "plan-b/a"].map(stateGroupOf)).toEqual([
      "plan",
      "plan",
      "plan",
      "plan-b",
    ]);
  });
});

describe("the beginning of keys", () => {
  it.each([
    ["", ""],
    ["/", ""],
    ["Plan", "plan"],
    ["plan/", "plan/"],
    ["plan/ow", "plan/ow"],
  ])("%j is %j", (given, prefix) => {
    expect(parseStatePrefix(given)).toBe(prefix);
  });

  it.each(["a//", "//", "a/../", "a*", "a/~", "a\u0000", ".", "_", "a b"])("%j is none", (given) => {
    expect(refused(() => parseStatePrefix(given))).toBe(true);
  });
});
