import { describe, expect, it } from "vitest";
import type { Decision, Question } from "../../src/policy/index.js";
import { compileRules } from "../../src/policy/rule-compiler.js";
import { question } from "./question.js";

interface Written {
  readonly id?: string;
  readonly actions?: readonly string[];
  readonly [field: string]: unknown;
}

/** YAML takes JSON as it is. */
function ruleSet(rules: readonly Written[], rest: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    version: 1,
    ...rest,
    rules: rules.map((rule, n) => ({ id: `r${n}`, actions: ["file.delete"], ...rule })),
  });
}

function decide(rules: readonly Written[], given: Parameters<typeof question>[0] = {}, rest = {}): Decision {
  return compileRules(ruleSet(rules, rest)).decide(question(given));
}

/** What one condition says to a question: it holds, it does not, or it cannot be decided. */
function asked(when: string, given: Parameters<typeof question>[0] = {}, rest = {}): boolean | "failed" {
  const { rules } = decide([{ effect: "deny", when }], given, rest);
  return rules[0]?.failed ? "failed" : rules.length > 0;
}

describe("the most restrictive rule", () => {
  it("wins, whatever the priority of those that allow", () => {
    const decision = decide([
      { effect: "allow", priority: 100 },
      { effect: "require_approval", priority: 50 },
      { effect: "deny", priority: 1 },
      { effect: "deny", priority: 7 },
    ]);
    expect(decision.effect).toBe("deny");
    expect(decision.rules.map(({ id }) => id)).toEqual(["r3", "r2"]);
  });

  it("is led by the highest priority, and among equals by the one that stands first", () => {
    const decision = decide([
      { effect: "require_approval" },
      { effect: "require_approval", priority: 3 },
      { effect: "require_approval" },
    ]);
    expect(decision.rules.map(({ id }) => id)).toEqual(["r1", "r0", "r2"]);
  });

  it("tells its reason and guidance in the words of its author, or ours", () => {
    expect(decide([{ effect: "deny", reason: "no", guidance: "ask ann" }]).rules).toEqual([
      { id: "r0", effect: "deny", reason: "no", guidance: "ask ann" },
    ]);
    expect(decide([{ effect: "deny" }]).rules[0]!.reason).toBe("a rule forbids it");
  });

  it("leaves a question that no rule speaks of to `otherwise`", () => {
    for (const otherwise of ["allow", "deny", "require_approval"] as const)
      expect(decide([{ effect: "deny", when: "false" }], {}, { otherwise })).toMatchObject({
        effect: otherwise,
        rules: [],
        known: true,
      });
  });
});

describe("an obligation", () => {
  it("holds with every rule that holds, unless the answer is no: then with those that say no", () => {
    const both = [
      { effect: "allow", obligations: ["redact", "log"] },
      { effect: "require_approval", obligations: ["notify topic:security", "log"], priority: 1 },
    ];
    expect(decide(both).obligations).toEqual(["notify topic:security", "log", "redact"]);
    expect(decide([...both, { effect: "deny", obligations: ["notify ann"] }]).obligations).toEqual([
      "notify ann",
    ]);
  });
});

describe("the terms of an approval", () => {
  it("are an hour, one approver of the role, and otherwise no, where a rule does not say", () => {
    expect(decide([{ effect: "require_approval" }]).approval).toEqual({
      expiresMs: 3_600_000,
      otherwise: "deny",
      quorum: 1,
      approvers: ["role:approver"],
      byClient: false,
    });
    expect(decide([], {}, { otherwise: "require_approval" }).approval?.quorum).toBe(1);
  });

  it("leave the client's user out, unless the rule says otherwise", () => {
    const said = { quorum: 2, client: true, escalate: { after: "15m", to: ["role:admin"] } };
    expect(decide([{ effect: "require_approval", approval: said }]).approval).toMatchObject({
      byClient: true,
      escalate: { afterMs: 900_000, to: ["role:admin"] },
    });
  });

  it("of several rules are the strictest of each, whichever rule leads", () => {
    const terms = [
      { client: true, expires: "4h", otherwise: "allow", escalate: { after: "9m", to: ["ann"] } },
      { quorum: 2, expires: "2h", otherwise: "deny", escalate: { after: "1m", to: ["eve"] } },
      { quorum: 1, expires: "5m", otherwise: "allow" },
    ];
    const merged = { quorum: 2, expiresMs: 300_000, otherwise: "deny", byClient: false };
    const of = (first: number): Decision["approval"] =>
      decide(
        terms.map((approval, n) => ({ effect: "require_approval", approval, priority: n === first ? 1 : 0 })),
      ).approval;
    expect(of(0)).toMatchObject({ ...merged, escalate: { afterMs: 540_000, to: ["ann"] } });
    expect(of(1)).toMatchObject({ ...merged, escalate: { afterMs: 60_000, to: ["eve"] } });
    expect(of(2)).toMatchObject(merged);
    expect(of(2)).not.toHaveProperty("escalate");
    const open = { effect: "require_approval", approval: { otherwise: "allow", client: true } };
    expect(decide([open, open]).approval).toMatchObject({ otherwise: "allow", byClient: true, quorum: 1 });
    // One that does not hold, and one that is only tried out, have no say.
    const silent = { effect: "require_approval", approval: { quorum: 9 } };
    expect(decide([open, { ...silent, when: "false" }, { ...silent, shadow: true }]).approval!.quorum).toBe(
      1,
    );
  });

  it.each([
    [
      [
        ["ann", "bob", "role:admin"],
        ["role:admin", "bob"],
      ],
      ["bob", "role:admin"],
    ],
    [[["ann"], ["bob"]], ["ann"]],
    [[undefined, ["bob"]], ["bob"]],
    [[undefined, ["bob"], ["ann"]], ["bob"]],
    [[undefined, undefined], ["role:approver"]],
  ])("of rules that name the approvers %j leave %j", (named, expected) => {
    const rules = named.map((approvers) => ({ effect: "require_approval", approval: { approvers } }));
    expect(decide(rules).approval!.approvers).toEqual(expected);
  });

  it("are not told where no approval is needed", () => {
    expect(decide([{ effect: "deny" }, { effect: "require_approval" }])).not.toHaveProperty("approval");
  });
});

describe("a rule whose condition cannot be decided", () => {
  it("denies where it denies or wants approval, and says what was missing", () => {
    for (const effect of ["deny", "require_approval"]) {
      const decision = decide([{ effect, when: 'context.risk == "high"' }]);
      expect(decision.effect).toBe("deny");
      expect(decision.rules).toEqual([
        {
          id: "r0",
          effect: "deny",
          reason: "the rule could not be decided: the context does not say risk",
          guidance: "Say risk in the context and ask again.",
          failed: true,
        },
      ]);
    }
  });

  it("does not hold where it allows", () => {
    const decision = decide([{ effect: "allow", when: "context.cost < 3" }], {}, { otherwise: "deny" });
    expect(decision).toMatchObject({ effect: "deny", rules: [] });
  });

  it("holds all the same where another part of it decides", () => {
    expect(
      asked("context.risk == 1 || size(reads.unverified) > 0", {
        reads: { unverified: ["eve"], foreign: [] },
      }),
    ).toBe(true);
    expect(asked("context.risk == 1 && agent.name == 'ann'")).toBe(false);
  });

  it("never shows what the caller said", () => {
    const secret = "hunter2";
    const { rules } = decide([{ effect: "deny", when: "context.map[context.key] == 1 || context.key > 3" }], {
      context: { map: {}, key: secret },
    });
    expect(rules[0]!.failed).toBe(true);
    expect(JSON.stringify(rules)).not.toContain(secret);
  });
});

describe("a rule that is only tried out", () => {
  it("is told and does not decide, also where it fails", () => {
    const decision = decide([
      { effect: "allow", obligations: ["log"] },
      { effect: "deny", shadow: true, obligations: ["redact"], priority: 1 },
      { effect: "require_approval", shadow: true, when: "context.risk == 1", priority: 2 },
      { effect: "allow", shadow: true, when: "context.risk == 1" },
    ]);
    expect(decision).toMatchObject({ effect: "allow", obligations: ["log"] });
    expect(decision.shadow).toEqual([
      { id: "r2", effect: "deny" },
      { id: "r1", effect: "deny" },
    ]);
  });
});

describe("an action", () => {
  const rules: readonly Written[] = [
    { actions: ["db.drop.**"], effect: "deny" },
    { actions: ["git.*"], effect: "require_approval" },
    { actions: ["*"], except: ["mailbox.**"], effect: "allow" },
  ];
  const vocabulary = { "file.delete": ["rm", "wipe it out"], "file.write": [] };
  const of = (action: string): Decision =>
    decide(rules, { action }, { vocabulary, unknown: "require_approval" });

  it("is meant by its name, by a level or by any depth", () => {
    expect(of("db.drop").effect).toBe("deny");
    expect(of("db.drop.table.now").effect).toBe("deny");
    expect(of("git.push").effect).toBe("require_approval");
    expect(of("git.push.force").effect).toBe("require_approval");
    expect(of("git.push.force").known).toBe(false);
    expect(of("file.write")).toMatchObject({ effect: "allow", known: true });
  });

  it("is the same in capitals and with blanks around it", () => {
    expect(of(" DB.Drop ").effect).toBe("deny");
  });

  it("that no rule knows is answered as such, and never by a rule about everything that allows", () => {
    expect(of("paint.house")).toMatchObject({
      effect: "require_approval",
      known: false,
      nearest: [],
      rules: [],
    });
  });

  it("that is near to a known one is denied with the nearest, by other words, by the deed or by a slip", () => {
    for (const said of ["rm", "Wipe it out", "remove_file", "unlink", "deleteFile", "file.delte", "del"])
      expect([said, of(said)]).toEqual([
        said,
        expect.objectContaining({
          effect: "deny",
          known: false,
          nearest: expect.arrayContaining(["file.delete"]),
        }),
      ]);
  });

  it("of ours is known to every rule set", () => {
    expect(decide([], { action: "mailbox.send" }, { otherwise: "allow", unknown: "deny" })).toMatchObject({
      effect: "allow",
      known: true,
    });
  });

  it("is known by a rule that is only tried out, and by a limit", () => {
    const limits = [{ id: "l", of: "calls", actions: ["llm.call"], per: "agent", most: 1, window: "1d" }];
    expect(decide([{ actions: ["a.b"], effect: "deny", shadow: true }], { action: "a.b" }).known).toBe(true);
    expect(decide([], { action: "llm.call" }, { limits }).known).toBe(true);
  });

  it("with more characters than any has is refused", () => {
    expect(of("a".repeat(257))).toMatchObject({ effect: "deny", rules: [{ failed: true }] });
  });
});

describe("a resource", () => {
  const held = (pattern: string, resource: string): boolean =>
    decide([{ effect: "deny", resources: [pattern] }], { resource }).effect === "deny";

  it.each([
    ["prod/**", "prod/a/b", true],
    ["prod/**", "prod", true],
    ["prod/**", "product/a", false],
    ["prod/*", "prod/a/b", false],
    ["prod/db-*", "prod/db-main", true],
    ["**/*.key", "home/bob/id.key", true],
    ["**/*.key", "id.key", true],
    ["**/secret/**", "a/b/secret/c", true],
    ["/etc/**", "etc/passwd", false],
    ["topic:builds.**", "topic:builds.ci.linux", true],
    ["topic:builds.*", "topic:builds.ci.linux", false],
    ["queue:reviews", "queue:reviews", true],
    ["*", "", true],
    ["prod/**", "", false],
    ["teams/*/**", "teams\\blue\\x", true],
    ["teams\\blue\\**", "teams/blue/x", true],
    ["C:/site/**", "C:\\site\\a", true],
    ["/srv/**", "\\srv\\a", true],
    ["lock:a/**", "lock:a\\b", false],
    ["lock:a\\b", "lock:a\\b", true],
    ["state:a/**", "state:a\\b", false],
    ["etc/**", "/etc/passwd", false],
    ["**/etc/**", "/etc/passwd", true],
    ["**/etc/**", "etc/passwd", true],
  ])("%s means %s: %s", (pattern, resource, expected) => {
    expect(held(pattern, resource)).toBe(expected);
  });

  it("cannot be disguised by the way it is written", () => {
    for (const written of ["prod/../prod/a", "./prod/a", "prod//a", "prod/a/", "x/../prod/a", " prod/a"])
      expect([written, held("prod/a", written)]).toEqual([written, true]);
    for (const written of ["prod\\a", "prod\\\\a\\", ".\\prod/a", "x\\..\\prod\\a"])
      expect([written, held("prod/a", written)]).toEqual([written, true]);
  });

  it.each([
    ["lock:prod/**", "lock:*/x", true],
    ["lock:prod/**", "lock:pro*/secret", true],
    ["lock:prod/**", "lock:**", true],
    ["lock:prod/**", "lock:**/secret", true],
    ["lock:prod/**", "lock:*", true],
    ["lock:prod/**", "lock:test/**", false],
    ["lock:prod/**", "lock:*-test/x", false],
    ["lock:prod/secret", "lock:prod/*", true],
    ["lock:prod/secret", "lock:prod/*/secret", false],
    ["lock:**/*.key", "lock:home/id.*", true],
    ["lock:**/*.key", "lock:home/*.pem", false],
    ["lock:**", "lock:a/b", true],
    ["topic:**", "topic:a.b", true],
    ["prod/**", "*", true],
    ["prod/**", "**/x", true],
    ["prod/**", "a/**/../../prod/x", true],
    ["state:plan/**", "state:pl*n/x", true],
    ["/etc/**", "**/passwd", true],
  ])("restricted by %s is restricted in %s too: %s", (pattern, resource, expected) => {
    expect(held(pattern, resource)).toBe(expected);
    const approval = decide([{ effect: "require_approval", resources: [pattern] }], { resource });
    expect(approval.effect === "require_approval").toBe(expected);
  });

  it.each([
    ["work/**", "work/**", true],
    ["work/**", "work/*/a*", true],
    ["work/*", "work/a*b", true],
    ["work/*", "work/**", false],
    ["work/a", "work/*", false],
    ["work/**", "wor*/a", false],
    ["work/**", "**", false],
    ["lock:**", "lock:**/x", true],
    ["lock:work/**", "lock:**/x", false],
  ])("allowed by %s is allowed in %s only where all of it is: %s", (pattern, resource, expected) => {
    const { effect } = decide(
      [{ effect: "allow", resources: [pattern] }],
      { resource },
      { otherwise: "deny" },
    );
    expect(effect === "allow").toBe(expected);
  });

  it("of which a part is left to `otherwise` is decided no more freely than that part", () => {
    const rules = [{ effect: "require_approval", resources: ["prod/**"] }];
    const of = (resource: string): string => decide(rules, { resource }, { otherwise: "deny" }).effect;
    expect([of("prod/*"), of("**/secret"), of("test/a")]).toEqual(["require_approval", "deny", "deny"]);
  });

  it("is seen by conditions as it is compared", () => {
    expect(asked('resource.startsWith("prod/")', { resource: "test/../prod/a" })).toBe(true);
  });
});

describe("a condition", () => {
  const context = {
    cost: 150,
    half: 0.5,
    list: [1, 2, 3],
    text: "rm -rf /",
    files: [{ name: "a" }, { name: "b" }],
    deep: { er: { still: true } },
    nothing: null,
  };

  it.each([
    ["context.cost > 100", true],
    ["context.cost >= 150 && context.cost <= 150.5", true],
    ["context.cost == 150", true],
    ["context.cost + 1 == 151", true],
    ["1 + context.cost == 151", true],
    ["context.cost / 4 == 37.5", true],
    ["context.cost % 2 == 0", true],
    ["context.half * 2 == 1", true],
    ["context.cost in [1, 150]", true],
    ["context.list.exists(n, n > 2)", true],
    ["context.list.all(n, n > 2)", false],
    ["context.list.exists(n, context.list.exists(m, n + m == 6))", true],
    ["context.list.map(n, n * 2) == [2, 4, 6]", true],
    ["context.list.filter(n, n > 1).size() == 2", true],
    ["context.list[0] == 1", true],
    ["size(context.list) * 1.5 > 4", true],
    ["context.files.exists(f, f.name == 'b')", true],
    ["context.deep.er.still", true],
    ["has(context.deep.er.still) && !has(context.deep.un.still)", true],
    ["has(context.list.length)", false],
    ["context.nothing == null", true],
    ["'cost' in context", true],
    ["context.text.matches('rm\\\\s+-[a-z]*f')", true],
    ["matches(context.text, '^mv')", false],
    ["agent.labels.region == 'eu' && 'region' in agent.labels", true],
    ["agent.roles.exists(r, r == 'agent')", true],
    ["agent.verified && agent.team == 'pay' && agent.role == 'junior'", true],
    ["counts.calls > 2 && counts.others == 0", true],
    ["counts.calls + 1 == 4", true],
    ["'eve' in reads.unverified && size(reads.foreign) == 0", true],
    ["now > timestamp('2026-01-01T00:00:00Z') && now.getHours() == 12", true],
    ["now.getHours('Europe/Berlin') == 13 && now.getDayOfWeek('Asia/Tokyo') == 2", true],
    ["now - timestamp('2026-01-06T11:00:00Z') == duration('1h')", true],
    ["action == 'file.delete' && resource == ''", true],
    ["context.text == 5", false],
    ["context.cost > 'a'", "failed"],
    ["context.list.nope == 1", "failed"],
    ["context.text", "failed"],
    ["agent.labels.team == 'x'", "failed"],
  ] as const)("%s is %s", (when, expected) => {
    const counters = Object.fromEntries(
      ["calls", "others"].map((name) => [name, { actions: ["*"], per: "agent", window: "1h" }]),
    );
    const agent = { role: "junior", team: "pay", labels: { region: "eu" } };
    const given = { agent, context, counts: { calls: 3 }, reads: { unverified: ["eve"], foreign: [] } };
    expect(asked(when, given, { counters })).toBe(expected);
  });

  it("takes role and team from our records, whatever the context claims", () => {
    const claims = { agent: { role: "admin", team: "x" }, role: "admin", "agent.role": "admin" };
    expect(asked("agent.role == 'admin'", { context: claims })).toBe(false);
  });

  it("is asked in winter and in summer time", () => {
    const berlin = (nowMs: number): boolean | "failed" =>
      asked("now.getHours('Europe/Berlin') == 13", { nowMs });
    expect(berlin(Date.UTC(2026, 0, 6, 12))).toBe(true);
    expect(berlin(Date.UTC(2026, 6, 6, 11))).toBe(true);
  });
});

describe("counters and limits", () => {
  const text = `
version: 1
counters:
  calls: { actions: ["llm.**"], per: team, window: 1h }
  repeats: { actions: ["*"], except: ["mailbox.**"], per: agent, same: true, window: 10m }
  unasked: { actions: ["*"], per: namespace, window: 1d }
limits:
  - { id: spend, of: cost, actions: ["*"], except: ["mailbox.**"], per: namespace, most: 12.345678, window: 1d, unsettled: charge }
  - { id: rate, of: calls, actions: [llm.call], per: team, when: 'context.model == "large"', most: 5, window: 1h, effect: require_approval, shadow: true }
rules:
  - { id: busy, actions: [deploy.start], effect: deny, when: counts.calls > 10 }
  - { id: loop, actions: ["llm.call"], effect: deny, when: counts.repeats > 5 }
`;
  const rules = compileRules(text);
  const of = (given: Parameters<typeof question>[0]): Question =>
    question({ agent: { team: "pay" }, ...given });

  it("are those that count an action, and those that its rules ask for, each once and with its subject", () => {
    expect(
      rules.countersOf(of({ action: "deploy.start" })).map(({ name, counts }) => [name, counts]),
    ).toEqual([
      ["calls", false],
      ["repeats", true],
    ]);
    const [calls, repeats] = rules.countersOf(of({ action: "llm.call" }));
    expect(calls).toEqual({ name: "calls", subject: "team:pay", windowMs: 3_600_000, counts: true });
    expect(repeats).toMatchObject({ name: "repeats", counts: true, windowMs: 600_000 });
    expect(repeats!.subject).toMatch(/^agent:bob:.+/);
  });

  it("leave out what no rule asks for, and every action that is excepted", () => {
    expect(rules.countersOf(of({ action: "mailbox.send" }))).toEqual([]);
    expect(rules.limitsOf(of({ action: "mailbox.send" }))).toEqual([]);
    expect(rules.concerns("mailbox.send")).toBe(false);
    expect(rules.concerns("llm.call")).toBe(true);
  });

  it("tell the same question by action, resource and arguments, in whatever order and with whatever else", () => {
    const subject = (given: Parameters<typeof question>[0]): string =>
      rules.countersOf(of({ action: "llm.call", ...given })).find(({ name }) => name === "repeats")!.subject;
    const one = subject({ resource: "x", context: { arguments: { a: 1, b: 2 }, cost: 1 } });
    expect(subject({ resource: "x", context: { arguments: { b: 2, a: 1 }, cost: 9 } })).toBe(one);
    for (const other of [{ resource: "y" }, { context: { arguments: { a: 2 } } }, { action: "file.write" }])
      expect(subject({ resource: "x", context: { arguments: { a: 1, b: 2 } }, ...other })).not.toBe(one);
  });

  it("hold where their condition does, and where it cannot be decided; costs are whole millionths", () => {
    const limits = (context: Question["context"]): readonly string[] =>
      rules.limitsOf(of({ action: "llm.call", context })).map(({ id }) => id);
    expect(limits({ model: "large" })).toEqual(["spend", "rate"]);
    expect(limits({ model: "small" })).toEqual(["spend"]);
    expect(limits({})).toEqual(["spend", "rate"]);
    expect(rules.limitsOf(of({ action: "llm.call", context: { model: "large" } }))).toEqual([
      {
        id: "spend",
        of: "cost",
        subject: "namespace",
        most: 12_345_678,
        windowMs: 86_400_000,
        effect: "deny",
        reason: "a limit on what may be spent",
        unsettled: "charge",
        shadow: false,
      },
      {
        id: "rate",
        of: "calls",
        subject: "team:pay",
        most: 5,
        windowMs: 3_600_000,
        effect: "require_approval",
        reason: "a limit on the number of calls",
        unsettled: "release",
        shadow: true,
      },
    ]);
  });

  it("may not be asked for by the condition of a limit", () => {
    expect(() =>
      compileRules(`
version: 1
counters: { calls: { actions: ["*"], per: agent, window: 1h } }
limits: [{ id: l, of: calls, actions: ["*"], per: agent, when: counts.calls > 1, most: 1, window: 1d }]
`),
    ).toThrow(/line 4: the condition of "l": there is no counts here/);
  });

  it("concern an action also by what holds where no rule does", () => {
    const concerned = (rest: Record<string, unknown>): boolean =>
      compileRules(ruleSet([], rest)).concerns("mailbox.send");
    expect(concerned({ otherwise: "allow", unknown: "deny" })).toBe(false);
    expect(concerned({ otherwise: "deny" })).toBe(true);
  });
});
