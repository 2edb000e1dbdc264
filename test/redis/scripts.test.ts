import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { loadScript } from "../../src/redis/index.js";
import { withoutComments } from "../architecture/house.js";
import { callDepartures, scriptCalls } from "./script-calls.js";
import { contractOf, departures, isFragment } from "./script-contract.js";

const src = fileURLToPath(new URL("../../src/", import.meta.url));
const files = readdirSync(src, { recursive: true, encoding: "utf8" }).map((path) =>
  path.replaceAll("\\", "/"),
);
const scripts = files.filter((path) => path.endsWith(".lua")).sort();
const operations = scripts.filter((path) => !isFragment(path));
const fragments = scripts.filter(isFragment);
const read = (path: string): string | undefined =>
  files.includes(path) ? readFileSync(join(src, path), "utf8") : undefined;

/** `path of the script` for each place in TypeScript that loads one. */
const loads = files
  .filter((path) => path.endsWith(".ts"))
  .flatMap((path) =>
    [...withoutComments(read(path)!).matchAll(/loadScript\(import\.meta\.url, "([^"]+)"\)/g)].map(
      ([, file]) => posix.join(posix.dirname(path), file!),
    ),
  );

describe("the scripts", () => {
  it("are there, operations and the fragments they share", () => {
    expect(operations.length).toBeGreaterThan(10);
    expect(fragments.length).toBeGreaterThan(3);
  });

  it.each(scripts)("%s does what its header says, and says what it does", (path) => {
    expect(departures(path, read)).toEqual([]);
  });

  it.each(operations)("%s is loaded by code that stands beside it, and loads", (path) => {
    expect(loads).toContain(path);
    const script = loadScript(new URL(`file://${join(src, path)}`).href, posix.basename(path));
    expect(script.source).not.toContain("--@include");
    expect(script.sha).toMatch(/^[0-9a-f]{40}$/);
    expect(script.source.split("\n").length).toBe(script.plainSource.split("\n").length);
  });

  it("that code loads are all there", () => {
    expect(loads.length).toBeGreaterThan(10);
    for (const path of loads) expect(operations).toContain(path);
  });

  it("get as many keys and arguments from each caller as their headers name", () => {
    const found: string[] = [];
    let written = 0;
    for (const path of files.filter((one) => one.endsWith(".ts")))
      for (const call of scriptCalls(withoutComments(read(path)!))) {
        const script = posix.join(posix.dirname(path), call.script);
        if (call.args) written++;
        for (const departure of callDepartures(call, contractOf(read(script) ?? "")))
          found.push(`${path}: ${script} ${departure}`);
      }
    expect(found).toEqual([]);
    expect(written).toBeGreaterThan(operations.length / 2);
  });

  it("share fragments that somebody includes", () => {
    const included = operations.flatMap((path) =>
      [...read(path)!.matchAll(/^--@include (\S+)$/gm)].map(([, file]) =>
        posix.join(posix.dirname(path), file!),
      ),
    );
    for (const path of fragments) expect(included).toContain(path);
  });
});

const sound = `#!lua flags=
--[[
  Put a thing into a box once.

  KEYS      a box, see lua/box.lua; then
  KEYS[3]   operations (hash)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   thing
  ARGV[3…]  names

  Returns {"PUT", {name, word, …}} with NEW · OLD for each name · {"FULL"} · {"LATE"}
]]
--@include lua/clock.lua
--@include lua/box.lua
if late() then return { 'LATE' } end
local operations, thing = KEYS[3], ARGV[2]
local function act(name)
  if redis.call('HSETNX', operations, name, thing) == 1 then return 'NEW' end
  return 'OLD'
end
local words = {}
for n = 3, #ARGV do words[#words + 1] = act(ARGV[n]) end
if #words == 0 then return { 'FULL' } end
redis.call('ZADD', box.all, 1, thing)
return { 'PUT', words }
`;
const shelf: Readonly<Record<string, string>> = {
  "lua/clock.lua": "-- The clock.\nlocal function late() return tonumber(ARGV[1]) > 0 end\n",
  "lua/box.lua": "-- A box.\nlocal box = { meta = KEYS[1], all = KEYS[2] }\n",
  "lua/far.lua": "-- Another box.\nlocal far = { meta = KEYS[4] }\n",
};

describe("a script that departs from its header is caught", () => {
  const inspect = (text: string): string[] =>
    departures("put-thing.lua", (path) => (path === "put-thing.lua" ? text : shelf[path]));
  const changed = (from: string, to: string): string => {
    expect(sound).toContain(from);
    return sound.replace(from, to);
  };

  it("while a sound one is not", () => {
    expect(inspect(sound)).toEqual([]);
  });

  it.each([
    ["#!lua flags=", "#!lua", "does not begin with #!lua flags=… and its header"],
    ["flags=", "flags=allow-everything", "has the unknown flag allow-everything"],
    ["flags=", "flags=no-writes", "promises no writes and calls HSETNX"],
    ["  Put a thing into a box once.", "  put a thing", "has no sentence that says what it is for"],
    ["  KEYS      a box, see lua/box.lua; then\n", "", "uses KEYS[1] and does not document it"],
    ["--@include lua/box.lua\n", "", "takes its keys from lua/box.lua and does not include it"],
    [
      "--@include lua/box.lua\n",
      "--@include lua/box.lua\n--@include lua/far.lua\n",
      "includes lua/far.lua and does not say that it takes those keys",
    ],
    ["--@include lua/box.lua", "--@include lua/chest.lua", "includes lua/chest.lua, which is not there"],
    ["  KEYS[3]   operations (hash)\n", "", "uses KEYS[3] and does not document it"],
    [
      "operations (hash)",
      "operations (hash)   KEYS[4]   more (hash)",
      "documents KEYS[4] and does not use it",
    ],
    [
      "  KEYS[3]   operations (hash)\n",
      "  KEYS[3]   one   KEYS[3]   two\n",
      "documents a slot of KEYS twice",
    ],
    ["ARGV[2]   thing", "", "uses ARGV[2] and does not document it"],
    ["ARGV[3…]", "ARGV[4…]", "does not number ARGV from 1 without a gap"],
    ["  ARGV[3…]  names\n", "", "walks along ARGV and documents no ARGV[n…]"],
    ["for n = 3,", "for n = 5,", "documents ARGV[3…] and does not begin there"],
    [' · {"FULL"}', "", "returns FULL and does not say so"],
    ['{"FULL"}', '{"FULL"} · {"GONE"}', "says GONE and never returns it"],
    ["NEW · OLD", "NEW", "answers OLD and does not say so"],
    ["NEW · OLD", "NEW · OLD · ELDEST", "says ELDEST and never answers it"],
    ["redis.call('ZADD'", "redis.call('zadd'", "writes the command zadd otherwise than 'UPPER CASE'"],
    ["redis.call('ZADD'", "redis.pcall('ZADD'", "calls ZADD by pcall: an error must end the script"],
    ["redis.call('ZADD'", "redis.call(thing", "calls a command that is not named by a literal"],
    ["'ZADD', box.all", "'ZADD', box.all .. ':x'", "builds a key for ZADD inside the script"],
    ["for n = 3, #ARGV do", "while true do local n = 3", "has a loop without a bound: while true"],
    ["local words = {}", "local words = {} repeat until false", "has a loop without a bound: until false"],
    ["if late() then return { 'LATE' } end\n", "", "does not stop at its deadline"],
    [
      "if late() then",
      "redis.call('GET', KEYS[3])\nif late() then",
      "touches the store before it looks at its deadline",
    ],
  ])("%j made into %j: %s", (from, to, departure) => {
    expect(inspect(changed(from, to))).toContain(departure);
  });

  it("and so is a fragment that is none", () => {
    const fragment = (text: string): string[] => departures("lua/x.lua", () => text);
    expect(fragment("-- Fine.\nlocal x = redis.call('GET', KEYS[1])\n")).toEqual([]);
    expect(fragment("local x = 1\n")).toEqual(["does not begin with a comment that says what it is"]);
    expect(fragment("-- Fine.\n--@include y.lua\n")).toEqual([
      "includes another fragment, which is not resolved",
    ]);
    expect(fragment("-- Fine.\nwhile true do end\n")).toEqual(["has a loop without a bound: while true"]);
  });
});

describe("a call that departs from the header is caught", () => {
  const contract = contractOf(sound);
  const inspect = (call: string): string[] =>
    scriptCalls(`const put = loadScript(import.meta.url, "put-thing.lua");\n${call}`).flatMap((one) =>
      callDepartures(one, contract),
    );

  it.each([
    ['context.run(ns, root, put, [keys.operations], ["thing, or [two]", ...names]);', []],
    ['context.run(ns, root, put, [keys.operations], [f(a, b), "name", `a, b`]);', []],
    ["context.run(ns, root, put, [], [thing]);", ["takes 1 KEYS and is given 0"]],
    ["context.run(ns, root, put, [a, b], [thing]);", ["takes 1 KEYS and is given 2"]],
    ["context.run(ns, root, put, [a], [...names]);", ["takes 1 or more ARGV and is given 0 and more"]],
    ["store.run(put, [a], [thing]);", ["is called with keys of another kind"]],
  ])("%s", (call, told) => {
    expect(inspect(call)).toEqual(told);
  });
});
