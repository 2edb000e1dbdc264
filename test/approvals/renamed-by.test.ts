import { describe, expect, it } from "vitest";
import { renamedBy } from "../../src/approvals/renamed-by.js";

type Values = Record<string, unknown>;
const renamed = (resource: string, before: Values, after: Values, naming?: string): string | undefined =>
  renamedBy({ action: "x", resource, arguments: before, context: {} }, after, naming);

describe("an edit", () => {
  it("leaves alone the argument from which the resource was taken, and may change all others", () => {
    expect(renamed("a", { command: "rm a", why: "a" }, { command: "rm b", why: "a" }, "command")).toBe(
      "command",
    );
    expect(renamed("a", { command: "rm a" }, {}, "command")).toBe("command");
    expect(
      renamed("bob", { to: ["bob"], body: "for bob" }, { to: ["bob"], body: "x" }, "to"),
    ).toBeUndefined();
    expect(renamed("", { command: "git push" }, { command: "git push -f" }, "command")).toBe("command");
  });

  it("leaves alone what is the resource or ends in it, wherever it stands", () => {
    for (const value of ["prod/a", "/srv/prod/a", " prod/a ", "C:\\prod\\a", "s3://prod/a"]) {
      expect([value, renamed("prod/a", { in: { list: [value] } }, { in: { list: ["prod/b"] } })]).toEqual([
        value,
        "in",
      ]);
      expect(renamed("prod/a", { path: value }, { path: `${value}/../b` })).toBe("path");
      expect(renamed("prod/a", { path: value }, { paths: [value] })).toBe("path");
      expect(
        renamed("prod/a", { path: value, mode: 1 }, { path: value, mode: 2, more: true }),
      ).toBeUndefined();
    }
  });

  it("goes on speaking of the resource where it was spoken of, by its whole name", () => {
    const sql = (text: string): Values => ({ sql: text });
    expect(renamed("users", sql("DELETE FROM users"), sql("DELETE FROM orders"))).toBe("sql");
    expect(renamed("users", sql("DELETE FROM users"), sql("DELETE FROM users WHERE id = 1"))).toBeUndefined();
    expect(renamed("users", sql("DELETE FROM users"), sql("DELETE FROM users_old"))).toBe("sql");
    expect(renamed("users", sql("DELETE FROM all_users"), sql("DELETE FROM orders"))).toBeUndefined();
  });

  it("is free where nothing names the resource, or there is none", () => {
    expect(renamed("vault", { path: "/prod/a", n: 1, none: null }, { path: "/prod/b" })).toBeUndefined();
    expect(renamed("", { path: "" }, { path: "/prod/b" })).toBeUndefined();
  });
});
