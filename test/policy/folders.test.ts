import { describe, expect, it } from "vitest";
import { compileRules } from "../../src/policy/rule-compiler.js";
import { Randomness } from "../agents/random-rules.js";
import { question } from "./question.js";

/** What a rule set of these rules decides, where nothing else is said. */
function effect(rules: readonly object[], asked: Parameters<typeof question>[0], more: object = {}): string {
  const actions = [asked?.action ?? "*"];
  const set = {
    version: 1,
    unknown: "otherwise" in more ? more.otherwise : "allow",
    rules: rules.map((rule, n) => ({ id: `r${n}`, actions, ...rule })),
  };
  return compileRules(JSON.stringify({ ...set, ...more })).decide(question(asked)).effect;
}

/** Whether a prohibition of the pattern holds for what is done to the resource. */
function stops(pattern: string, action: string, resource: string, when?: string): boolean {
  const rule = { effect: "deny", resources: [pattern], ...(when === undefined ? {} : { when }) };
  return effect([rule], { action, resource }) === "deny";
}

describe("a folder in which something protected lies", () => {
  it.each([
    ["prod/db/**", "directory.delete", "prod"],
    ["prod/db/**", "directory.delete", "prod/db/.."],
    ["prod/db/**", "directory.delete", "x/../prod/"],
    ["prod/db/**", "directory.delete", "prod/.."],
    ["prod/db/**", "directory.delete", "."],
    ["prod/db/**", "directory.delete", "./"],
    ["prod/db/**", "directory.delete", ".."],
    ["prod/db/**", "directory.delete", "prod/../../work"],
    ["prod/db/**", "directory.delete", "prod\\db\\.."],
    ["prod/db/**", "file.delete", "prod"],
    ["prod/db/**", "file.move", "prod"],
    ["prod/db/**", "access.grant", "prod"],
    ["prod/db/users", "file.delete", "prod/db"],
    ["prod/db/**", "file.read", "prod/"],
    ["teams/*/secret/**", "directory.delete", "teams/blue"],
    ["**/.git/**", "directory.delete", "src"],
    ["/srv/app/**", "directory.delete", "/"],
    ["/srv/app/**", "directory.delete", "/srv"],
    ["C:/site/db/**", "directory.delete", "c:\\site"],
    ["C:/site/db/**", "directory.delete", "\\\\?\\C:\\site\\"],
    ["/home/**/.ssh/**", "directory.delete", "~"],
    ["/root/**", "file.delete", "~/x"],
    ["/Users/bob/keys/*", "directory.delete", "~bob"],
    ["state:prod/db", "state.read", "state:prod/"],
    ["prod/caf\u00e9/**", "file.delete", "prod/cafe\u0301"],
  ])("meets the prohibition of %s when %s asks about %s", (pattern, action, resource) => {
    expect(stops(pattern, action, resource)).toBe(true);
  });

  it.each([
    ["prod/db/**", "directory.delete", "test"],
    ["prod/db/**", "directory.delete", "prod/web"],
    ["prod/db/**", "directory.delete", "product"],
    ["prod/db/**", "directory.create", "prod/"],
    ["prod/db/**", "file.write", "prod"],
    ["prod/db/**", "file.read", "prod"],
    ["**/.env", "file.delete", "src/a.ts"],
    ["teams/*/secret/**", "file.delete", "teams/readme"],
    ["example.org/admin/**", "web.fetch", "example.org"],
    ["example.org/admin/**", "web.fetch", "example.org/"],
    ["https://example.org/admin/**", "http.delete", "https://example.org/"],
    ["lock:prod/db/**", "lock.acquire", "lock:prod"],
    ["state:prod/db", "state.delete", "state:prod"],
    ["/etc/**", "file.delete", "~/x"],
    ["/srv/app/**", "directory.delete", "src"],
  ])("does not make %s forbidden where %s asks about %s", (pattern, action, resource) => {
    expect(stops(pattern, action, resource)).toBe(false);
  });

  it("is allowed by a rule that allows it by name, which says nothing of a folder above", () => {
    const of = (resource: string, action = "directory.delete"): string =>
      effect([{ effect: "allow", resources: ["work/**"] }], { action, resource }, { otherwise: "deny" });
    expect(["work/a/", "work", "work/a/../b"].map((resource) => of(resource))).toEqual([
      "allow",
      "allow",
      "allow",
    ]);
    for (const resource of ["work/..", ".", "..", "../work/a", "work/../../work/a"])
      expect([resource, of(resource)]).toEqual([resource, "deny"]);
  });
});

describe("a URL", () => {
  it.each([
    ["https://Example.ORG./%70rod/db", true],
    ["HTTPS://example.org:443/prod/db", true],
    ["https://user@example.org/prod/db#x", true],
    ["https://example.org/x/%2e%2e/prod/db", true],
    ["https://example.org\\prod\\db", true],
    ["https://example.org/prod/db?next=/../../..", true],
    ["https://example.org//prod/./db/", true],
    ["https://example.org/prod%2Fdb", false],
    ["https://example.org/%2570rod/db", false],
    ["https://example.org:8443/prod/db", false],
    ["https://example.org.evil.com/prod/db", false],
    ["https://evil.com/?https://example.org/prod/db", false],
  ])("%s is held against rules in one form: %s", (resource, expected) => {
    expect(stops("https://example.org/prod/db", "page.open", resource)).toBe(expected);
  });

  it("is allowed with what its query says only where a rule means that too", () => {
    const allow = (pattern: string, resource: string): string =>
      effect(
        [{ effect: "allow", resources: [pattern] }],
        { action: "page.open", resource },
        { otherwise: "deny" },
      );
    expect(allow("https://example.org/a", "https://example.org/a")).toBe("allow");
    expect(allow("https://example.org/a", "https://example.org/a?delete=1")).toBe("deny");
    expect(allow("https://example.org/*", "https://example.org/a?delete=1")).toBe("allow");
  });
});

describe("a condition on the resource", () => {
  const of = (when: string, resource: string, rule = "deny", action = "x.y"): string =>
    effect([{ effect: rule, when }], { action, resource });

  it("of a restriction holds of a pattern where it holds of every name, or where that cannot be told", () => {
    for (const [when, resource, expected] of [
      ['resource == "lock:prod/db"', "lock:prod/*", "deny"],
      ['resource == "lock:prod/db"', "lock:**", "deny"],
      ['resource == "lock:prod/db"', "lock:test/*", "allow"],
      ['resource != "lock:prod/db"', "lock:test/*", "deny"],
      ['resource.startsWith("prod/")', "prod/**", "deny"],
      ['(resource + "/").startsWith("prod/")', "prod/**", "deny"],
      ['!(resource + "/").startsWith("prod/")', "prod/**", "allow"],
      ['!(resource + "/").startsWith("prod/")', "pro*/x", "deny"],
      ['resource.endsWith("/key")', "**/key", "deny"],
      ['resource.endsWith(".pem")', "a/*.key", "allow"],
      ['resource.contains("secret")', "a/secret/*", "deny"],
      ['resource.contains("secret")', "a/*", "deny"],
      ['resource in ["a/b", "c"]', "a/*", "deny"],
      ['resource in ["b", "c"]', "a/*", "allow"],
      ['("x/" + resource) == "x/a/b"', "b/*", "allow"],
      ['resource.matches("^prod")', "test/*", "deny"],
      ["size(resource) > 100", "test/*", "deny"],
      ['[resource].exists(r, r == "prod/a")', "test/*", "deny"],
      ['["prod", "live"].exists(p, resource.startsWith(p + "/"))', "test/*", "allow"],
      ['["prod", "live"].exists(p, resource.startsWith(p + "/"))', "live/*", "deny"],
      ['agent.name == "eve" && resource == "a/b"', "a/*", "allow"],
      ['agent.name == "bob" || resource == "a/b"', "a/*", "deny"],
      ['resource == "a/b" ? true : false', "a/*", "deny"],
    ] as const)
      expect([when, resource, of(when, resource)]).toEqual([when, resource, expected]);
  });

  it("of an allowance holds of a pattern only where it holds of every name", () => {
    const allowed = (when: string, resource: string): string =>
      effect([{ effect: "allow", when }], { action: "x.y", resource }, { otherwise: "deny" });
    expect(allowed('(resource + "/").startsWith("work/")', "work/**")).toBe("allow");
    expect(allowed('resource.startsWith("work/")', "wor*/x")).toBe("deny");
    expect(allowed('resource != "work/secret"', "work/*")).toBe("deny");
  });

  it("is asked of all that lies in a folder, by restrictions alone", () => {
    expect(of('resource.startsWith("prod/db/")', "prod", "deny", "directory.delete")).toBe("deny");
    expect(of('resource.startsWith("prod/db/")', "test", "deny", "directory.delete")).toBe("allow");
    expect(of('resource == "prod"', "prod", "deny", "file.read")).toBe("deny");
    const within = { effect: "deny", resources: ["prod/db/**"], when: 'resource.startsWith("prod/db/")' };
    expect(effect([within], { action: "file.delete", resource: "prod" })).toBe("deny");
    expect(effect([within], { action: "file.write", resource: "prod" })).toBe("allow");
  });

  it("says why it could not be decided", () => {
    const rules = compileRules(
      JSON.stringify({
        version: 1,
        rules: [{ id: "r", actions: ["*"], effect: "require_approval", when: 'resource.matches("x")' }],
      }),
    );
    expect(rules.decide(question({ action: "lock.acquire", resource: "lock:a/*" }))).toMatchObject({
      effect: "deny",
      rules: [
        { failed: true, reason: expect.stringContaining("several names"), guidance: expect.any(String) },
      ],
    });
  });

  it("keeps a limit in force that it cannot be decided for", () => {
    const rules = compileRules(
      JSON.stringify({
        version: 1,
        limits: [
          {
            ...{ id: "l", of: "calls", actions: ["*"], per: "agent", most: 1, window: "1d" },
            when: 'resource == "lock:a"',
          },
        ],
      }),
    );
    const limits = (resource: string): number =>
      rules.limitsOf(question({ action: "lock.acquire", resource })).length;
    expect([limits("lock:a"), limits("lock:b"), limits("lock:*"), limits("lock:b/*")]).toEqual([1, 0, 1, 0]);
  });

  it("gives nothing to a pattern that it does not give to each name it stands for, in 3,000 random cases", () => {
    const random = new Randomness(5);
    const word = (): string => random.of(["a", "b", "ab", "prod"]);
    const level = (): string => random.of([word(), word(), "*", `${word()}*`, `*${word()}`, "**"]);
    const path = (one: () => string): string => Array.from({ length: 1 + random.below(3) }, one).join("/");
    let wide = 0;
    for (let n = 0; n < 3_000; n++) {
      const asked = path(level);
      const text = random.of([path(word), `${path(word)}/`, `/${word()}`, word()]);
      const compare = random.of([
        `resource == "${text}"`,
        `resource != "${text}"`,
        `resource.startsWith("${text}")`,
        `(resource + "/").startsWith("${text}")`,
        `resource.endsWith("${text}")`,
        `resource.contains("${text}")`,
        `resource in ["${text}", "${path(word)}"]`,
      ]);
      const when = random.of([compare, `!(${compare})`]);
      for (const [rule, otherwise] of [
        ["deny", "allow"],
        ["allow", "deny"],
      ] as const) {
        const set = compileRules(
          JSON.stringify({
            ...{ version: 1, otherwise, unknown: otherwise },
            rules: [{ id: "r", actions: ["x.y"], effect: rule, when }],
          }),
        );
        const decided = (resource: string): string =>
          set.decide(question({ action: "x.y", resource })).effect;
        if (decided(asked) !== "allow") continue;
        wide += 1;
        for (let k = 0; k < 4; k++) {
          const name = asked
            .split("/")
            .flatMap((one) =>
              one === "**"
                ? Array.from({ length: random.below(3) }, word)
                : [one === "*" ? word() : one.replace("*", () => random.of(["", "x", word()]))],
            )
            .filter((one) => one !== "")
            .join("/");
          if (name !== "")
            expect([when, rule, asked, name, decided(name)]).toEqual([when, rule, asked, name, "allow"]);
        }
      }
    }
    expect(wide).toBeGreaterThan(500);
  });
});
