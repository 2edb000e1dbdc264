import fc from "fast-check";
import { expect, it } from "vitest";
import { overlaps, parseResource, type Resource } from "../../src/addresses/index.js";
import { unnamedFile } from "../../src/locks/unnamed-file.js";

it.each([
  ["src/new\nline.ts", "src/*"],
  ["src/a\u200b/b.ts", "src/*/b.ts"],
  ["a**b/c", "*/c"],
  [`${"d/".repeat(32)}f`, `${"d/".repeat(31)}**`],
  [`${"d/".repeat(31)}x\n`, `${"d/".repeat(31)}*`],
  [`a/${"l".repeat(600)}/b`, "a/*/b"],
  ["l".repeat(600), "*"],
  [" lead.ts", "*"],
  ["src/trail ", "src/*"],
  [`${"a".repeat(509)}/${"b".repeat(20)}`, `${"a".repeat(509)}/**`],
  [`${"a".repeat(510)}/${"b".repeat(20)}`, "**"],
])("what may mean %j overlaps %s", (path, around) => {
  expect(unnamedFile(path).around).toBe(around);
  expect(parseResource(around)).toBe(around);
});

const segment = fc
  .stringMatching(/^[ab *]{1,3}$/)
  .filter((text) => text === "**" || text.split("*").length <= 2);
const locks = fc
  .array(segment, { minLength: 1, maxLength: 5 })
  .map((segments) => segments.join("/"))
  .filter((text) => text.split("**").length <= 3 && /[^ /]/.test(text));
const paths = fc
  .array(fc.stringMatching(/^[ab \n\u200b*]{1,3}$/), { minLength: 1, maxLength: 40 })
  .map((all) => all.join("/"));

it("overlaps whatever lock means the file, and can itself be locked", () => {
  let met = 0;
  fc.assert(
    fc.property(locks, paths, (given, path) => {
      const lock = parseResource(given);
      const { around, name } = unnamedFile(path);
      expect(parseResource(around)).toBe(around);
      if (!overlaps(lock, name)) return;
      met++;
      expect(overlaps(lock, around)).toBe(true);
    }),
    { numRuns: 5_000 },
  );
  expect(met).toBeGreaterThan(100);
});

it("compares a file with a pattern by its letters, and takes a * in its name for anything", () => {
  const means = (lock: string, path: string): boolean => overlaps(lock as Resource, unnamedFile(path).name);
  expect(means("src/*.md", "src/new\nline.ts")).toBe(false);
  expect(means("src/*.ts", "src/new\nline.ts")).toBe(true);
  expect(means("src/**", `src/${"d/".repeat(40)}f`)).toBe(true);
  expect(means("other/**", `src/${"d/".repeat(40)}f`)).toBe(false);
  expect(means("src/x*y", "src/a**b")).toBe(true);
});
