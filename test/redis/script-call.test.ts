import { Command } from "ioredis";
import { describe, expect, it } from "vitest";
import { keptKeys } from "../../src/redis/encode-words.js";
import { ScriptCall } from "../../src/redis/script-call.js";

const keys = ["{a:mb:b}:meta", "{a:mb:b}:messages"];
const sha = "0123456789abcdef0123456789abcdef01234567";
const args = [1_764_000_000_123, "", "plain", "grün, 猫, 🐈", "\r\n$3\r\n", '{"half":"\ud83d"}', -1, 0.5];

describe("the call of a script", () => {
  it.each([
    ["evalsha", sha],
    ["eval", "#!lua flags=\nreturn { 'é' }"],
  ] as const)("is sent as the driver would send it, by %s", (name, script) => {
    const own = new ScriptCall(name, script, keys, args);
    const theirs = new Command(name, [script, keys.length, ...keys, ...args]);
    expect(own.toWritable()).toBe(theirs.toWritable({}));
    expect(own.getKeys()).toEqual(theirs.getKeys());
    expect(own.getSlot()).toBe(theirs.getSlot());
  });

  it("is the same on keys whose encoding was kept, which can then not be changed", () => {
    const kept = keptKeys([...keys]);
    expect(new ScriptCall("evalsha", sha, kept, args).toWritable()).toBe(
      new ScriptCall("evalsha", sha, keys, args).toWritable(),
    );
    expect(() => (kept as string[]).push("another")).toThrow(TypeError);
  });

  it("may have no keys and no arguments", () => {
    const own = new ScriptCall("evalsha", sha, [], []);
    expect(own.toWritable()).toBe(new Command("evalsha", [sha, "0"]).toWritable({}));
    expect(own.getSlot()).toBeNull();
  });
});
