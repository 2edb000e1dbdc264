import { describe, expect, it } from "vitest";
import { ReadInbox, SendMessage } from "../../src/mailbox/contract.js";
import { readArguments } from "../../src/mcp/read-arguments.js";
import { PutState } from "../../src/state/index.js";

const send = (given: Record<string, unknown>) => readArguments(SendMessage, given);
const read = (given: Record<string, unknown>) => readArguments(ReadInbox, given);

describe("arguments are forgiven where only one reading is possible", () => {
  it("a bare string where a list is asked for", () => {
    expect(send({ to: "bob", body: "x" })).toMatchObject({ to: ["bob"] });
  });
  it("a list written as a string", () => {
    expect(send({ to: '["bob", "queue:work"]', body: "x" })).toMatchObject({ to: ["bob", "queue:work"] });
  });
  it("null for what was left out", () => {
    expect(send({ to: ["bob"], body: "x", subject: null })).toEqual({ to: ["bob"], body: "x" });
  });
  it("numbers and booleans written as strings", () => {
    expect(read({ wait_seconds: "20", peek: "true" })).toEqual({ wait_seconds: 20, peek: true });
  });
  it("also one of 16 digits, unless it would lose one", () => {
    const put = (version: string): unknown =>
      readArguments(PutState, { key: "k", expected_version: version }).expected_version;
    expect(put("1764094000123456")).toBe(1764094000123456);
    expect(() => put("9007199254740993")).toThrow(/^input\.invalid: expected_version must be a number/);
  });
  it("an object written as JSON", () => {
    expect(send({ to: "bob", body: "x", data: '{"a":1}' })).toMatchObject({ data: { a: 1 } });
  });
});

describe("arguments are refused by name and with the remedy", () => {
  it.each([
    [{ to: "bob" }, "input.invalid: body is missing; it must be a string. Correct it and call again."],
    [{ to: 3, body: "x" }, "input.invalid: to must be a list of strings."],
    [{ to: ["a", 3], body: "x" }, "input.invalid: to[1] must be a string."],
    [{ to: [], body: "x" }, "input.invalid: to must have at least 1 entry."],
    [{ to: "bob", body: "x", data: "[1]" }, "input.invalid: data must be a JSON object."],
    [
      { to: "bob", body: "x", priority: "asap" },
      "input.invalid: priority must be one of low, normal, high, urgent.",
    ],
    [{ to: "bob", body: "x", ttl_seconds: 1.5 }, "input.invalid: ttl_seconds must be a whole number."],
    [
      { to: "bob", body: "x", subject: "s".repeat(201) },
      "input.invalid: subject must have at most 200 characters.",
    ],
    [{ recipient: "bob", body: "x" }, 'input.invalid: there is no argument "recipient" (known: to, body, '],
    [{ to: "bob", bodi: "x" }, 'input.invalid: there is no argument "bodi"; did you mean body? Correct it'],
    [{ to: "bob", body: "x", reply_to: "m1" }, 'there is no argument "reply_to"; did you mean in_reply_to?'],
    [{ to: "bob", body: "x", __proto__x: 1 }, 'there is no argument "__proto__x"'],
    [{ to: "bob", body: "x", "\u202eevil": 1 }, 'there is no argument "\\\\u{202e}evil"'],
  ])("%o", (given, text) => {
    expect(() => send(given)).toThrow(text);
  });

  it.each([
    [{ wait_seconds: 51 }, "input.invalid: wait_seconds must be at most 50."],
    [{ wait_seconds: -1 }, "input.invalid: wait_seconds must be at least 0."],
    [{ wait_secs: 5 }, 'input.invalid: there is no argument "wait_secs"; did you mean wait_seconds?'],
    [{ wait_seconds: "soon" }, "input.invalid: wait_seconds must be a number."],
    [{ limit: 21 }, "input.invalid: limit must be at most 20."],
  ])("%o", (given, text) => {
    expect(() => read(given)).toThrow(text);
  });

  it("what says why it cannot be taken says so by name", () => {
    expect(() => readArguments(PutState, { key: "k", value: { n: 2 ** 60 } })).toThrow(
      "input.invalid: value has a number too large to be exact; write the value as JSON text, in a string.",
    );
  });

  it("the limits themselves are accepted", () => {
    expect(read({ wait_seconds: 50, limit: 20 })).toEqual({ wait_seconds: 50, limit: 20 });
    expect(read({ wait_seconds: 0, limit: 1 })).toEqual({ wait_seconds: 0, limit: 1 });
  });

  it("an own property named __proto__ is no way in", () => {
    const given = JSON.parse('{"to":"bob","body":"x","__proto__":{"priority":"urgent"}}') as Record<
      string,
      unknown
    >;
    expect(() => send(given)).toThrow('there is no argument "__proto__"');
  });
});
