import { describe, expect, it } from "vitest";
import { renamedBy } from "../../src/approvals/renamed-by.js";

type Values = Record<string, unknown>;
const renamed = (resource: string, before: Values, after: Values, naming?: string): string | undefined =>
  renamedBy({ action: "x", resource, arguments: before, context: {} }, after, naming);

describe("an edit", () => {
  it("leaves alone the argument from which the resource was taken, and may change and add all others", () => {
    expect(renamed("a", { command: "rm a", why: "a" }, { command: "rm b", why: "a" }, "command")).toBe(
      "command",
    );
    expect(renamed("a", { command: "rm a" }, {}, "command")).toBe("command");
    expect(
      renamed("bob", { to: ["bob"], body: "for bob" }, { to: ["bob"], body: "x", more: 1 }, "to"),
    ).toBeUndefined();
    expect(renamed("", { command: "git push" }, { command: "git push -f" }, "command")).toBe("command");
    // Whoever asks may have taken it from another one than the tool of that name does.
    expect(renamed("bob", { recipient: "bob", n: 1 }, { recipient: "eve", n: 1 }, "to")).toBe("recipient");
    expect(renamed("bob", { recipient: "bob" }, { recipient: "bob", to: "eve" }, "to")).toBe("to");
  });

  it("leaves alone, whole, each argument in which the resource stands anywhere, and may change the rest", () => {
    for (const [resource, before, after] of [
      ["prod/a", "/srv/prod/a", "/srv/prod/b"],
      ["prod/a", "/srv/prod/a", "/srv/prod/a/../b"],
      ["prod/a", "C:\\prod\\a", "C:\\prod\\b"],
      ["prod/a", " PROD/A ", "prod/b"],
      ["prod/a", { in: { list: ["prod/a"] } }, { in: { list: ["prod/b"] } }],
      ["prod/a", ["prod/a"], ["prod/a", "prod/b"]],
      ["prod/a", { path: "prod/a" }, { path: "prod/a", also: "prod/b" }],
      ["prod/a", { "prod/a": "x" }, { "prod/b": "x" }],
      ["42", 42, 43],
      ["42", [{ id: 42 }], [{ id: 43 }]],
      ["prod/a", "rm prod/a", "rm -rf / # prod/a"],
      ["example.com", "https://example.com/x", "https://evil.com/?example.com"],
      ["users", "DELETE FROM users", "DELETE FROM users WHERE id = 1"],
    ] as const) {
      expect([before, renamed(resource, { it: before, n: 1 }, { it: after, n: 1 })]).toEqual([before, "it"]);
      expect(renamed(resource, { it: before, n: 1 }, { n: 1 })).toBe("it");
      expect(renamed(resource, { it: before, n: 1 }, { it: before, n: 2 })).toBeUndefined();
      expect(renamed(resource, { it: before, n: 1 }, { it: before })).toBeUndefined();
      expect(renamed(resource, { it: before }, { it: before, also: after })).toBe("also");
    }
    expect(renamed("prod/a", { "prod/a": 1, n: 1 }, { "prod/a": 2, n: 1 })).toBe("prod/a");
  });

  it("leaves alone each in which a part of it stands, where it stands nowhere whole", () => {
    const before = { dir: "src", name: "a.ts", mode: "more" };
    expect(renamed("src/a.ts", before, { ...before, name: "b.ts" })).toBe("name");
    expect(renamed("src/a.ts", before, { ...before, dir: "lib" })).toBe("dir");
    expect(renamed("src/a.ts", before, { ...before, mode: "less" })).toBeUndefined();
    expect(renamed("src/a.ts", { path: "./src//a.ts" }, { path: "b.ts" })).toBe("path");
  });

  it("may change all where nothing names the resource, and add as well where there is none", () => {
    const before = { path: "/prod/a", n: 1, none: null };
    expect(renamed("vault", before, { path: "/prod/b" })).toBeUndefined();
    expect(renamed("vault", before, { ...before, also: "vault-2" })).toBe("also");
    expect(renamed("", { path: "" }, { path: "/prod/b", more: 1 })).toBeUndefined();
  });
});
