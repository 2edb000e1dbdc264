import { describe, expect, it } from "vitest";
import { canonicalResource } from "../../src/policy/canonical-resource.js";
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
    ["https:/example.org/prod/db", true],
    ["https://example.org/../../prod/db", true],
    ["ht\ntps://exam\tple.org/prod/db", true],
    ["https://ex\u00e4mple.org/prod/db", false],
    ["https://example.org/prod%2Fdb", false],
    ["https://example.org/%2570rod/db", false],
    ["https://example.org:8443/prod/db", false],
    ["https://example.org.evil.com/prod/db", false],
    ["https://evil.com/?https://example.org/prod/db", false],
  ])("%s is held against rules in one form: %s", (resource, expected) => {
    expect(stops("https://example.org/prod/db", "page.open", resource)).toBe(expected);
  });

  it("has one form, which conditions see too", () => {
    for (const [resource, seen] of [
      ["HTTPS://u:p@Example.ORG:443/%61/../b//c/#x", "https://example.org/b/c"],
      ["https://example.org", "https://example.org/"],
      ["https://b\u00fccher.example/%C3%A4?q=a/b%41#f", "https://xn--bcher-kva.example/\u00e4?q=a%2FbA"],
      ["https://0x7f.1/x", "https://127.0.0.1/x"],
      ["https://[::0:1]/x", "https://[::1]/x"],
      ["postgres://Main/X/../y", "postgres://main/y"],
      ["https://not a host/x/../y", "https://not a host/y"],
    ] as const) {
      expect([resource, canonicalResource(resource)]).toEqual([resource, seen]);
      expect(stops("**", "page.open", resource, `resource == "${seen}"`)).toBe(true);
      expect(stops(resource, "page.open", seen)).toBe(true);
    }
    const admin = 'resource.startsWith("https://example.org/admin")';
    expect(stops("**", "http.get", "https://EXAMPLE.org/x/../admin/y", admin)).toBe(true);
    expect(stops("**", "http.get", "https://example.org/public", admin)).toBe(false);
    expect(stops("*://example.org/**", "http.get", "https://example.org/a")).toBe(true);
    expect(stops("https://example.org/a/**", "http.get", "https://example.org/**/../a/x")).toBe(true);
  });

  it("that is fetched is a page, named by host and path, whichever way rules and questions write it", () => {
    for (const resource of [
      "https://Example.org/admin/x",
      "example.org/admin/x",
      "http://example.org/admin/x?y=1#z",
    ]) {
      for (const pattern of [
        "example.org/admin/**",
        "https://example.org/admin/**",
        "*://EXAMPLE.org/admin/**",
      ])
        expect([resource, pattern, stops(pattern, "web.fetch", resource)]).toEqual([resource, pattern, true]);
      for (const [when, expected] of [
        ['resource.startsWith("https://example.org/admin")', true],
        ['resource.startsWith("https://example.org/")', true],
        ['resource.startsWith("example.org/admin")', true],
        ['resource == "https://example.org/admin/x"', true],
        ['resource in ["https://example.org/admin/x"]', true],
        ['["https://example.org/"].exists(one, resource.startsWith(one))', true],
        ['!(resource + "/").startsWith("example.org/")', false],
        ['resource.startsWith("https://example.org/public")', false],
        ['resource.matches("^example[.]org/admin/")', true],
        ["size(resource) > 100", false],
      ] as const)
        expect([resource, when, stops("**", "web.fetch", resource, when)]).toEqual([
          resource,
          when,
          expected,
        ]);
    }
    expect(
      stops("**", "web.fetch", "https://example.org", 'resource.startsWith("https://example.org/")'),
    ).toBe(true);
    expect(
      stops("**", "web.fetch", "example.org.evil.com/a", 'resource.startsWith("https://example.org/")'),
    ).toBe(false);
    expect(canonicalResource("What is C#?", true)).toBe("What is C#?");
    const only = { effect: "allow", resources: ["https://docs.example/**"] };
    const allowed = (resource: string): string =>
      effect([only], { action: "web.fetch", resource }, { otherwise: "deny" });
    expect(["docs.example/a", "https://docs.example/a?q", "docs.evil/a"].map(allowed)).toEqual([
      "allow",
      "allow",
      "deny",
    ]);
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

describe("what is ours", () => {
  it("keeps its kind, and is read behind it as its room reads it", () => {
    for (const [given, read] of [
      ["lock:x/../prod/y", "lock:prod/y"],
      ["lock:./prod/y", "lock:prod/y"],
      ["lock:../../prod/y", "lock:prod/y"],
      ["lock:/prod//y/", "lock:prod/y"],
      ["LOCK:Prod", "lock:Prod"],
      ["lock:a\\b", "lock:a\\b"],
      ["STATE:Plan/Owner/", "state:plan/owner"],
      ["Topic:Ops.A", "topic:ops.a"],
    ] as const)
      expect([given, canonicalResource(given)]).toEqual([given, read]);
    expect(canonicalResource("c:\\..\\Windows")).toBe("C:/Windows");
    expect(stops("lock:prod/**", "lock.acquire", "lock:x/../../prod/y")).toBe(true);
    expect(stops("lock:prod/**", "lock.acquire", "lock:x/**/../y")).toBe(true);
    expect(stops("prod/**", "lock.acquire", "lock:x/../prod/y")).toBe(false);
  });
});

describe("a rule that says what it does of a part", () => {
  it("says that where it means some of the names and not all, and the whole of it where it means all", () => {
    const when = 'resource != "prod/open"';
    const rule = { effect: "deny", resources: ["prod/**"], partly: "require_approval", when };
    const of = (resource: string, action = "file.read"): string => effect([rule], { action, resource });
    expect([of("prod/a"), of("prod/a/*"), of("prod/a/")]).toEqual(["deny", "deny", "deny"]);
    expect([of("*/a"), of("prod/*"), of(".", "directory.delete")]).toEqual(Array(3).fill("require_approval"));
    expect([of("prod/open"), of("test/*")]).toEqual(["allow", "allow"]);
    expect(() => effect([{ ...rule, effect: "allow" }], {})).toThrow(/partly is said of what denies/);
  });

  it("says in the answer why, and who may be asked", () => {
    const set = {
      version: 1,
      rules: [{ id: "r", actions: ["*"], resources: ["a/*"], effect: "deny", partly: "require_approval" }],
    };
    const asked = question({ action: "lock.acquire", resource: "**/x" });
    const rules = compileRules(JSON.stringify(set));
    expect(rules.decide(asked)).toMatchObject({
      effect: "require_approval",
      approval: { approvers: ["role:approver"] },
      rules: [
        { id: "r", reason: expect.stringContaining("some may be meant"), guidance: expect.any(String) },
      ],
    });
    expect(rules.look(asked).rules).toMatchObject([{ effect: "require_approval", holds: true }]);
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

  it("of a restriction is asked of all that a name may be called", () => {
    for (const [when, resource, expected] of [
      ['resource.startsWith("/root/")', "~/x", "deny"],
      ['resource.startsWith("/home/ann/")', "~ann/x", "deny"],
      ['resource.startsWith("/home/ann/")', "~bob/x", "allow"],
      ['resource.startsWith("/srv/")', "~/x", "allow"],
      ['resource.matches("^/home/ann/")', "~ann/x", "deny"],
      ['resource == "https://example.org/a"', "https://example.org/a?x=1", "deny"],
      ['resource.contains("x=1")', "https://example.org/a?x=1", "deny"],
      ['resource.matches("/b$")', "https://example.org/a?x=1", "allow"],
      ['resource != "https://example.org/a"', "https://example.org/a?x=1", "deny"],
    ] as const)
      expect([when, resource, of(when, resource)]).toEqual([when, resource, expected]);
    const allowed = effect(
      [{ effect: "allow", when: 'resource.startsWith("/root/")' }],
      { action: "x.y", resource: "~/x" },
      { otherwise: "deny" },
    );
    expect(allowed).toBe("deny");
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
