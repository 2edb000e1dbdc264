import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import {
  catalogue,
  type ErrorCode,
  type ErrorKind,
  httpStatus,
  isRefusal,
  isRetryable,
  MailboxError,
  refuse,
} from "../../src/errors/index.js";

const codes = Object.keys(catalogue) as ErrorCode[];
const src = fileURLToPath(new URL("../../src/", import.meta.url));

/** Code of every room but this one, which declares the codes. */
const elsewhere = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts") && !path.startsWith("errors"))
  .map((path) => readFileSync(join(src, path), "utf8"))
  .join("\n");

/** What a refusal tells its reader to do; a text without one of these leaves them alone with it. */
const remedies =
  /(?:^|[.;:,] )(?:or )?(?:then )?(?:Use|Call|Send|Ask|Wait|Try|Read|Pass|Repeat|Correct|Stop|Publish|Drop|Start|Configure|Allowed|Ids come from|Trying again|Remove|Upload|Choose|Attach|use|call|send|ask|wait|try|read|pass|repeat|nothing to do|publishing creates)\b/;

describe("the catalogue", () => {
  it("has codes of the form room.reason, and one for what is our own mistake", () => {
    expect(codes.length).toBeGreaterThan(20);
    for (const code of codes) if (code !== "internal") expect(code).toMatch(/^[a-z]+\.[a-z]+(_[a-z]+)*$/);
    expect(codes).toContain("internal");
  });

  it.each(codes)("%s is used by some room", (code) => {
    // `internal` is a code in quotes too; a comment has it in backticks.
    expect(elsewhere).toContain(`"${code}"`);
  });

  it.each(codes)("%s tells its reader what to do", (code) => {
    expect(catalogue[code].text).toMatch(remedies);
    expect(catalogue[code].text).toMatch(/[.]$/);
  });

  it.each(codes)("%s has a kind with a status that says refused", (code) => {
    const status = httpStatus(catalogue[code].kind);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(600);
  });

  it("repeats nothing by itself that may have been done and cannot be told apart", () => {
    const retryable = (kind: ErrorKind): boolean => isRetryable(kind);
    expect(retryable("UNAVAILABLE")).toBe(true);
    expect(retryable("RESOURCE_EXHAUSTED")).toBe(true);
    expect(retryable("INVALID_ARGUMENT")).toBe(false);
    expect(retryable("PERMISSION_DENIED")).toBe(false);
    expect(retryable("INTERNAL")).toBe(false);
  });
});

describe("a refusal", () => {
  it("begins with its code and has its facts in its text", () => {
    const error = new MailboxError("mailbox.full", { address: "bob", count: 10_000, bytes: 7 });
    expect(error.message).toBe(
      "mailbox.full: bob is full (10000 unsettled messages, 7 bytes). Nothing was stored; try again when its owner has read, or write to another recipient.",
    );
    expect(error).toMatchObject({ code: "mailbox.full", kind: "RESOURCE_EXHAUSTED", name: "MailboxError" });
    expect(error.facts).toEqual({ address: "bob", count: 10_000, bytes: 7 });
  });

  it.each(codes)("%s leaves no placeholder in its text", (code) => {
    const names = [...catalogue[code].text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
    const facts = Object.fromEntries(names.map((name) => [name, `<${name}>`]));
    const Loose = MailboxError as unknown as new (code: string, facts: object) => MailboxError;
    const { message } = new Loose(code, facts);
    expect(message.startsWith(`${code}: `)).toBe(true);
    expect(message).not.toMatch(/[{}]/);
    for (const name of names) expect(message).toContain(`<${name}>`);
  });

  it("never lets a fact be read as a placeholder of another", () => {
    const error = new MailboxError("input.invalid", { problem: "{setting} {constructor} $& $1" });
    expect(error.message).toBe("input.invalid: {setting} {constructor} $& $1. Correct it and call again.");
  });

  it("joins a list, and keeps its cause", () => {
    const cause = new Error("why");
    const error = new MailboxError("input.invalid", { problem: ["a", "b"] }, { cause });
    expect(error.message).toContain("a, b");
    expect(error.cause).toBe(cause);
  });

  it("without a fact that its text needs is our mistake, and is told as one", () => {
    // @ts-expect-error the text of mailbox.full speaks of count and bytes too
    expect(() => new MailboxError("mailbox.full", { address: "bob" })).toThrow('lacks its fact "count"');
    // @ts-expect-error a text with facts cannot go without
    expect(() => refuse("mailbox.full")).toThrow('lacks its fact "address"');
    // @ts-expect-error a fact that no text speaks of
    expect(() => refuse("store.full", { bytes: 1 })).toThrow(MailboxError);
    // @ts-expect-error a code that is not in the catalogue
    expect(() => refuse("mailbox.whatever")).toThrow(TypeError);
  });

  it("is known by its code, and a bug is not one", () => {
    const error = new MailboxError("store.unavailable");
    expect(isRefusal(error)).toBe(true);
    expect(isRefusal(error, "store.unavailable")).toBe(true);
    expect(isRefusal(error, "store.full")).toBe(false);
    expect(isRefusal(new Error("store.unavailable"))).toBe(false);
    expect(isRefusal(undefined)).toBe(false);
    expect(() => refuse("store.full")).toThrow(
      expect.objectContaining({ code: "store.full", kind: "RESOURCE_EXHAUSTED" }),
    );
  });
});
