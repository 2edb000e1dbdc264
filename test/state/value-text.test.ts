import { describe, expect, it } from "vitest";
import { isRefusal } from "../../src/errors/index.js";
import { defaultStateLimits, PutState } from "../../src/state/index.js";
import { valueText } from "../../src/state/value-text.js";

const limits = { ...defaultStateLimits, valueBytes: 20 };

function refusal(doing: () => unknown): string {
  try {
    doing();
    return "nothing refused";
  } catch (error) {
    if (!isRefusal(error, "state.value_invalid")) throw error;
    return error.message;
  }
}

describe("what is stored for a value", () => {
  it.each([
    ['{"a":[1,2]}', '{"a":[1,2]}'],
    ["  [1, 2]\n", "[1, 2]"],
    ["12345678901234567890", "12345678901234567890"],
    ["1.0", "1.0"],
    ["null", "null"],
    ['"5"', '"5"'],
    ["5", "5"],
    ["hello", '"hello"'],
    ["", '""'],
    ["{not json", '"{not json"'],
    ["NaN", '"NaN"'],
    ["01", '"01"'],
    ['say "x"', '"say \\"x\\""'],
  ])("%j: %s", (given, text) => {
    expect(valueText(given, limits)).toBe(text);
  });

  it("is always JSON that says the same, also where the text has half a character", () => {
    for (const given of ["\ud800", '"a\udc00b"', '{"\ud83d":"🦊"}']) {
      const text = valueText(given, defaultStateLimits);
      expect(Buffer.from(text).toString()).toBe(text);
      const meant = given.startsWith('"') || given.startsWith("{") ? JSON.parse(given) : given;
      expect(JSON.parse(text)).toEqual(meant);
    }
  });

  it("has at most so many bytes as JSON, and not one more", () => {
    expect(valueText("x".repeat(18), limits)).toHaveLength(20);
    expect(refusal(() => valueText("x".repeat(19), limits))).toContain(
      "has 21 bytes as JSON, and 20 are allowed",
    );
    expect(valueText(`"${"ä".repeat(9)}"`, limits)).toHaveLength(11);
    expect(refusal(() => valueText(`"${"ä".repeat(10)}"`, limits))).toContain("has 22 bytes");
    const whole = defaultStateLimits.valueBytes;
    expect(Buffer.byteLength(valueText("x".repeat(whole - 2), defaultStateLimits))).toBe(65_536);
    expect(refusal(() => valueText("x".repeat(whole - 1), defaultStateLimits))).toContain(
      "65536 are allowed",
    );
    expect(refusal(() => valueText("x".repeat(10_000_000), defaultStateLimits))).toContain("10000000 bytes");
  });

  it("is nested at most 100 levels deep, brackets within texts not counted", () => {
    const nested = (levels: number): string => `${"[".repeat(levels)}${"]".repeat(levels)}`;
    expect(valueText(nested(100), defaultStateLimits)).toHaveLength(200);
    expect(refusal(() => valueText(nested(101), defaultStateLimits))).toContain("more than 100 levels");
    expect(refusal(() => valueText(nested(30_000), defaultStateLimits))).toContain("more than 100 levels");
    const objects = `${'{"a":'.repeat(101)}1${"}".repeat(101)}`;
    expect(refusal(() => valueText(objects, defaultStateLimits))).toContain("more than 100 levels");
    const quoted = JSON.stringify({ text: '[{"\\'.repeat(200) });
    expect(valueText(quoted, defaultStateLimits)).toBe(quoted);
    // Beyond what is JSON it is a text like any other.
    expect(valueText("[".repeat(200), defaultStateLimits)).toBe(JSON.stringify("[".repeat(200)));
  });

  it("may come as JSON instead of its text, and as nothing that cannot be written down", () => {
    const value = (given: unknown): unknown => PutState.parse({ key: "k", value: given }).value;
    expect(value({ a: [1, null] })).toBe('{"a":[1,null]}');
    expect(value(5)).toBe("5");
    expect(value(false)).toBe("false");
    expect(value("5")).toBe("5");
    for (const inexact of [2 ** 53, -1e300, [{ a: Number("12345678901234567890") }], Number("1e400")])
      expect(PutState.safeParse({ key: "k", value: inexact }).error?.issues[0]?.message).toBe(
        "has a number too large to be exact; write the value as JSON text, in a string",
      );
    expect(value({ a: 2 ** 53 - 1, b: -0.5 })).toBe('{"a":9007199254740991,"b":-0.5}');
    let deep: unknown = 1;
    for (let n = 0; n < 200_000; n++) deep = [deep];
    expect(PutState.safeParse({ key: "k", value: deep }).success).toBe(false);
  });
});
