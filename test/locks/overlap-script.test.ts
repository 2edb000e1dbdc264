import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, it } from "vitest";
import { covers, overlaps, parseResource, type Resource } from "../../src/addresses/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { oddNames } from "./hostile.js";
import { rawStore } from "./open-locks.js";

const fragment = readFileSync(new URL("../../src/redis/lua/overlap.lua", import.meta.url), "utf8");
const source = `${fragment}
local answers = {}
for n = 1, #ARGV, 2 do
  answers[#answers + 1] = (overlaps(ARGV[n], ARGV[n + 1]) and 1 or 0) + (covers(ARGV[n], ARGV[n + 1]) and 2 or 0)
end
return answers`;

describeOnEachStore("the scripts' rules of overlapping and covering", (store) => {
  it("are those of overlaps.ts and covers.ts, for every two resources", { timeout: 60_000 }, async () => {
    const redis = rawStore(store().url);
    const segment = fc.oneof(
      fc.constantFrom(
        "a",
        "b",
        "ab",
        "aba",
        "*",
        "**",
        "a*",
        "*a",
        "a*b",
        "ab*",
        "*ab",
        "é*",
        "*é",
        "é",
        "日本*",
        "日本語",
      ),
      fc.constantFrom("%", "%2*", "*.ts", "x.ts", "[a]", "(.*", "a-b", "a-*"),
    );
    const resource = fc
      .array(segment, { minLength: 1, maxLength: 3 })
      .filter((parts) => parts.filter((part) => part === "**").length <= 3)
      .map((parts) => parseResource(parts.join("/")));
    const pairs = fc.sample(fc.tuple(resource, resource), { numRuns: 3_000, seed: 7 });
    for (const a of oddNames.map((name) => parseResource(name)))
      for (const b of [a, parseResource("**"), parseResource("a*"), parseResource("x/y")]) pairs.push([a, b]);
    let overlapping = 0;
    let covering = 0;
    for (let from = 0; from < pairs.length; from += 500) {
      const some = pairs.slice(from, from + 500);
      const answers = (await redis.eval(source, 0, ...some.flat())) as number[];
      for (const [n, [a, b]] of some.entries()) {
        const expected = overlaps(a as Resource, b as Resource);
        const isCovered = covers(a as Resource, b as Resource);
        if (expected) overlapping++;
        if (isCovered) covering++;
        expect([a, b, answers[n]]).toEqual([a, b, (expected ? 1 : 0) + (isCovered ? 2 : 0)]);
      }
    }
    redis.disconnect();
    expect(covering).toBeGreaterThan(100);
    expect(overlapping - covering).toBeGreaterThan(100);
    expect(pairs.length - overlapping).toBeGreaterThan(300);
  });
});
