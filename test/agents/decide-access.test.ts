import { describe, expect, it } from "vitest";
import {
  type Asking,
  decideAccess,
  explainAccess,
  GrantBook,
  mayAnywhere,
  parseGrant,
} from "../../src/agents/index.js";
import { type Action, actions, type Role, roles } from "../../src/identity/index.js";
import { grantOf, type Rule } from "./change-grants.js";

const bob = (...held: Role[]): Asking => ({
  agent: "bob",
  roles: held.length > 0 ? held : ["agent"],
  isOperator: false,
});
const book = (...rules: readonly Rule[]): GrantBook => new GrantBook(rules.map((rule) => grantOf(rule)));
const decided = (asking: Asking, action: Action, resource: string, ...rules: readonly Rule[]): boolean =>
  decideAccess(asking, action, resource, book(...rules), 1_000).allowed;

describe("what a role may without a grant", () => {
  const cases: readonly (readonly [Action, string, ...Role[]])[] = [
    ["mailbox.send", "alice", "admin", "agent", "approver"],
    ["mailbox.send", "queue:q", "admin", "agent"],
    ["mailbox.send", "everyone", "admin"],
    ["mailbox.read", "bob", "admin", "agent", "observer", "approver"],
    ["mailbox.read", "alice", "admin"],
    ["mailbox.read", "queue:q", "admin", "agent"],
    ["topic.publish", "topic:a.b", "admin", "agent"],
    ["topic.read", "topic:a.b", "admin", "agent", "observer", "approver"],
    ["topic.read", "topic:a.**", "admin", "agent", "observer", "approver"],
    ["agents.find", "*", "admin", "agent", "observer", "approver"],
    ["agents.describe", "bob", "admin", "agent", "observer", "approver"],
    ["agents.describe", "alice", "admin"],
    ["lock.acquire", "lock:src/a", "admin", "agent"],
    ["lock.acquire", "*", "admin", "agent"],
    ["lock.read", "lock:src/**", "admin", "agent", "observer", "approver"],
    ["lock.read", "*", "admin", "agent", "observer", "approver"],
    ["state.read", "state:plan/owner", "admin", "agent", "observer", "approver"],
    ["state.write", "state:plan/owner", "admin", "agent"],
    ["policy.check", "*", "admin", "agent", "approver"],
    ["budget.settle", "*", "admin", "agent"],
    ["approval.read", "*", "admin", "approver"],
    ["approval.decide", "*", "admin", "approver"],
    ["admin.policy", "*", "admin"],
    ["admin.agents", "bob", "admin"],
    ["admin.locks", "*", "admin"],
    ["admin.dead-letters", "*", "admin"],
    ["admin.dead-letters", "bob", "admin"],
    ["admin.grants", "*", "admin"],
    ["admin.audit", "*", "admin"],
    ["admin.tokens", "bob", "admin"],
    ["admin.mailboxes", "bob", "admin"],
    ["admin.topics", "topic:a.b", "admin"],
  ];

  it("is said here of every action there is", () => {
    expect(new Set(cases.map(([action]) => action))).toEqual(new Set(actions));
  });

  it.each(cases.map(([action, resource, ...may]) => ({ action, resource, may })))(
    "$action $resource: $may",
    ({ action, resource, may }) => {
      expect(roles.filter((role) => decided(bob(role), action, resource))).toEqual(
        roles.filter((role) => may.includes(role)),
      );
    },
  );

  it("is what any of its roles may", () => {
    expect(decided(bob("observer", "agent"), "topic.publish", "topic:a")).toBe(true);
    expect(decided(bob("observer", "approver"), "topic.publish", "topic:a")).toBe(false);
  });
});

describe("a grant", () => {
  it("allows what the role may not, and a deny outweighs every allow", () => {
    expect(decided(bob("observer"), "mailbox.send", "alice", ["allow", "bob", "send", "alice"])).toBe(true);
    expect(
      decided(
        bob("observer"),
        "mailbox.send",
        "alice",
        ["allow", "bob", "send", "alice"],
        ["deny", "*", "mailbox.*", "agent:*"],
      ),
    ).toBe(false);
    expect(decided(bob("admin"), "admin.grants", "*", ["deny", "role:admin", "*", "*"])).toBe(false);
  });

  it("of a topic holds for the topics below it, and for none above or beside it", () => {
    const rule: Rule = ["deny", "bob", "follow", "topic:builds.ci"];
    for (const topic of ["builds.ci", "builds.ci.linux", "builds.ci.linux.arm"])
      expect([topic, decided(bob(), "topic.read", `topic:${topic}`, rule)]).toEqual([topic, false]);
    for (const topic of ["builds", "builds.cix", "builds.release", "ci", "other.builds.ci"])
      expect([topic, decided(bob(), "topic.read", `topic:${topic}`, rule)]).toEqual([topic, true]);
  });

  it("with * means one level, with ** any number, also none", () => {
    const one: Rule = ["deny", "bob", "follow", "topic:*.secret"];
    const any: Rule = ["deny", "bob", "follow", "topic:**.secret"];
    const denied = (topic: string, rule: Rule): boolean =>
      !decided(bob(), "topic.read", `topic:${topic}`, rule);
    expect(["secret", "a.secret", "a.b.secret", "a.secret.b"].map((topic) => denied(topic, one))).toEqual([
      false,
      true,
      false,
      true,
    ]);
    expect(
      ["secret", "a.secret", "a.b.secret", "a.secret.b", "a.b"].map((topic) => denied(topic, any)),
    ).toEqual([true, true, true, true, false]);
  });

  it("stands in the way of following a pattern only where it means all of it", () => {
    const follows = (pattern: string, denied: string): boolean =>
      decided(bob(), "topic.read", `topic:${pattern}`, ["deny", "bob", "follow", `topic:${denied}`]);
    expect(follows("secret.**", "secret")).toBe(false);
    expect(follows("secret.*.x", "secret.**")).toBe(false);
    expect(follows("a.*", "*.*")).toBe(false);
    expect(follows("**", "secret.**")).toBe(true);
    expect(follows("a.**", "a.*")).toBe(true);
    expect(follows("*.plans", "secret.plans")).toBe(true);
  });

  it("speaks of agents, queues and everyone apart", () => {
    const sends = (resource: string, rule: Rule): boolean =>
      decided(bob("observer"), "mailbox.send", resource, rule);
    const all = ["alice", "queue:q", "queue:r", "everyone"];
    const allowed = (resource: string): string[] =>
      all.filter((one) => sends(one, ["allow", "bob", "send", resource]));
    expect(allowed("agent:*")).toEqual(["alice"]);
    expect(allowed("queue:*")).toEqual(["queue:q", "queue:r"]);
    expect(allowed("queue:q")).toEqual(["queue:q"]);
    expect(allowed("everyone")).toEqual(["everyone"]);
    expect(allowed("*")).toEqual(all);
  });

  it("of locks that denies speaks of what may mean some of it, one that allows of what it means whole", () => {
    const asked = [
      "src/auth/a.ts",
      "src/auth",
      "src/auth/**",
      "src/**",
      "**/a.ts",
      "src/*/b",
      "*",
      "src/auth.ts",
      "Src/auth",
    ];
    const denied = (resource: string): readonly string[] =>
      asked.filter(
        (one) => !decided(bob(), "lock.acquire", `lock:${one}`, ["deny", "bob", "lock.acquire", resource]),
      );
    const allowed = (resource: string): readonly string[] =>
      asked.filter((one) =>
        decided(bob("observer"), "lock.acquire", `lock:${one}`, ["allow", "bob", "lock.*", resource]),
      );
    expect(denied("lock:/src/auth/**")).toEqual(asked.slice(0, 6));
    expect(allowed("lock:/src/auth/**")).toEqual(asked.slice(0, 3));
    expect(denied("lock:src/auth.ts")).toEqual(["src/**", "src/auth.ts"]);
    expect(allowed("lock:src/auth.ts")).toEqual(["src/auth.ts"]);
    expect(denied("lock:src/*.ts")).toEqual(["src/**", "**/a.ts", "src/auth.ts"]);
    for (const all of ["*", "lock:**"]) expect([denied(all), allowed(all)]).toEqual([asked, asked]);
    // As whoever asks for `*` gets it: names of one segment.
    expect(denied("lock:*")).toEqual(["src/**", "**/a.ts", "*"]);
    expect(allowed("lock:*")).toEqual(["*"]);
  });

  it("of locks lets whoever asks about no lock in particular pass where there may be one", () => {
    const may = (who: Asking, ...rules: readonly Rule[]): boolean =>
      decided(who, "lock.acquire", "*", ...rules);
    const [agent, observer] = [bob(), bob("observer")];
    expect([may(agent), may(observer)]).toEqual([true, false]);
    expect(may(agent, ["deny", "bob", "lock.acquire", "lock:src/**"])).toBe(true);
    for (const all of ["*", "lock:**", "lock:**/*", "lock:*/**", "lock:**/*/**"])
      expect([all, may(agent, ["deny", "bob", "lock.*", all])]).toEqual([all, false]);
    // Each lock has one segment, and not each has two, or one that ends so.
    for (const part of ["lock:*", "lock:*/*", "lock:*/**/*", "lock:**/*.ts", "lock:**/a/**"])
      expect([part, may(agent, ["deny", "bob", "lock.*", part])]).toEqual([part, true]);
    expect(may(agent, ["deny", "bob", "lock.read", "*"])).toBe(true);
    const allow: Rule = ["allow", "bob", "lock.acquire", "lock:src/**"];
    expect(may(observer, allow)).toBe(true);
    for (const part of ["lock:src", "lock:src/*", "lock:src/*/**", "lock:*/x"])
      expect([part, may(observer, allow, ["deny", "bob", "*", part])]).toEqual([part, true]);
    for (const whole of ["lock:src/**", "lock:*/**"])
      expect([whole, may(observer, allow, ["deny", "bob", "*", whole])]).toEqual([whole, false]);
    // Of many that are denied each by itself not all are looked at, and whoever asks about one is refused all the same.
    const many = (count: number): readonly Rule[] =>
      Array.from({ length: count }, (_, n): Rule[] => [
        ["allow", "bob", "lock.acquire", `lock:x${n}/**`],
        ["deny", "bob", "lock.acquire", `lock:x${n}*/**`],
      ]).flat();
    expect([may(observer, ...many(20)), may(observer, ...many(21))]).toEqual([false, true]);
    expect(decided(observer, "lock.acquire", "lock:x20/a", ...many(21))).toBe(false);
    // Of another action `*` is what it was.
    expect(decided(agent, "agents.find", "*", ["deny", "bob", "*", "lock:**"])).toBe(true);
  });

  it("holds until the instant it expires, and no longer", () => {
    const expiring = new GrantBook([grantOf(["deny", "bob", "send", "alice"], { expiresAt: 1_000 })]);
    expect(decideAccess(bob(), "mailbox.send", "alice", expiring, 999).allowed).toBe(false);
    expect(decideAccess(bob(), "mailbox.send", "alice", expiring, 1_000).allowed).toBe(true);
  });

  it("binds the operator in nothing", () => {
    const operator: Asking = { agent: "operator", roles: ["admin"], isOperator: true };
    for (const action of actions) expect(decided(operator, action, "*", ["deny", "*", "*", "*"])).toBe(true);
  });

  it("is named as the reason, or else the role, or that there is none", () => {
    const allow = grantOf(["allow", "bob", "send", "everyone"]);
    const grants = new GrantBook([allow]);
    expect(decideAccess(bob(), "mailbox.send", "everyone", grants, 0).because).toBe(`grant ${allow.id}`);
    expect(decideAccess(bob(), "mailbox.send", "alice", grants, 0).because).toBe("role agent");
    expect(decideAccess(bob("observer"), "mailbox.send", "alice", grants, 0).because).toBe("no grant");
  });
});

describe("what somebody may with anything at all", () => {
  const may = (asking: Asking, action: Action, ...rules: readonly Rule[]): boolean =>
    mayAnywhere(asking, action, book(...rules), 0);

  it("is what the role may, unless that is denied everywhere", () => {
    expect(may(bob(), "mailbox.send")).toBe(true);
    expect(may(bob("observer"), "mailbox.send")).toBe(false);
    expect(may(bob("observer"), "mailbox.read")).toBe(true);
    expect(may(bob(), "mailbox.send", ["deny", "bob", "send", "alice"])).toBe(true);
    expect(may(bob(), "mailbox.send", ["deny", "bob", "send", "*"])).toBe(false);
    expect(may(bob("observer"), "mailbox.read", ["deny", "*", "read", "bob"])).toBe(false);
    expect(may(bob(), "topic.publish", ["deny", "role:agent", "publish", "topic:**"])).toBe(false);
  });

  it("is also what was granted for one thing, unless that is denied", () => {
    expect(may(bob(), "admin.dead-letters")).toBe(false);
    for (const resource of ["queue:builds", "queue:*", "alice", "agent:*", "*"])
      expect(may(bob(), "admin.dead-letters", ["allow", "bob", "admin.dead-letters", resource])).toBe(true);
    expect(may(bob("observer"), "topic.publish", ["allow", "bob", "publish", "builds.**.ci"])).toBe(true);
    expect(may(bob("observer"), "lock.acquire")).toBe(false);
    expect(may(bob("observer"), "lock.acquire", ["allow", "bob", "lock.acquire", "lock:customer:123"])).toBe(
      true,
    );
    expect(may(bob(), "lock.acquire", ["deny", "bob", "lock.acquire", "lock:**"])).toBe(false);
    expect(may(bob(), "lock.read", ["deny", "bob", "lock.read", "lock:secret/**"])).toBe(true);
    expect(
      may(
        bob("observer"),
        "topic.publish",
        ["allow", "bob", "publish", "builds.**"],
        ["deny", "*", "topic.*", "topic:**"],
      ),
    ).toBe(false);
  });
});

describe("an explanation", () => {
  it("names every live grant that had a say, and what the role alone may", () => {
    const grants = [
      grantOf(["allow", "bob", "publish", "builds.ci"]),
      grantOf(["deny", "role:agent", "publish", "builds.**"]),
      grantOf(["deny", "carol", "publish", "builds.**"]),
      grantOf(["deny", "bob", "publish", "builds.**"], { expiresAt: 5 }),
    ];
    const explained = explainAccess(bob(), "topic.publish", "topic:builds.ci", new GrantBook(grants), 10);
    expect(explained).toMatchObject({ allowed: false, because: `grant ${grants[1]!.id}` });
    expect(explained.denies.map(({ id }) => id)).toEqual([grants[1]!.id]);
    expect(explained.allows.map(({ id }) => id)).toEqual([grants[0]!.id]);
    expect(explained.byRole).toEqual({ allowed: true, because: "role agent" });
  });

  it("names what allows some lock to whoever asks about any, and the denies of a part to who asks about all", () => {
    const grants = [
      grantOf(["allow", "bob", "lock.acquire", "lock:src/**"]),
      grantOf(["deny", "bob", "lock.acquire", "lock:src/auth/**"]),
    ];
    const explain = (resource: string) =>
      explainAccess(bob("observer"), "lock.acquire", resource, new GrantBook(grants), 10);
    const ids = (resource: string): readonly (readonly string[])[] => {
      const { allows, denies } = explain(resource);
      return [allows, denies].map((some) => some.map(({ id }) => id));
    };
    const [allow, deny] = grants.map(({ id }) => id);
    expect(ids("*")).toEqual([[allow], []]);
    expect(ids("lock:src/a")).toEqual([[allow], []]);
    expect(ids("lock:src/**")).toEqual([[allow], [deny]]);
    expect(ids("lock:**")).toEqual([[], [deny]]);
    expect(["*", "lock:src/a", "lock:src/**"].map((one) => explain(one).because)).toEqual([
      `grant ${allow}`,
      `grant ${allow}`,
      `grant ${deny}`,
    ]);
  });
});

describe("what a person types for a grant", () => {
  const parsed = (who: string, action: string, resource: string): string => {
    const grant = parseGrant({ who, action, resource });
    return `${grant.who} ${grant.action} ${grant.resource}`;
  };

  it.each([
    ["Bob", "publish", "builds.ci", "bob topic.publish topic:builds.ci"],
    ["@bob", "follow", "#Builds.*", "bob topic.read topic:builds.*"],
    ["role:observer", "read", "topic:a", "role:observer topic.read topic:a"],
    ["bob", "read", "alice", "bob mailbox.read alice"],
    ["bob", "read", "queue:*", "bob mailbox.read queue:*"],
    ["bob", "send", "@Alice", "bob mailbox.send alice"],
    ["*", "*", "*", "* * *"],
    ["bob", "mailbox.*", "agent:alice", "bob mailbox.* alice"],
    ["bob", "admin.grants", "*", "bob admin.grants *"],
    ["bob", "agents.find", "queue:q", "bob agents.find queue:q"],
    ["bob", "lock.acquire", "lock:/src/./Auth/**", "bob lock.acquire lock:src/Auth/**"],
    ["bob", "lock.acquire", "LOCK:customer:123", "bob lock.acquire lock:customer:123"],
    ["bob", "lock.*", " lock: a b/e\u0301 ", "bob lock.* lock:a b/\u00e9"],
    ["bob", "lock.read", "lock:*", "bob lock.read lock:*"],
    ["bob", "lock.read", "*", "bob lock.read *"],
    ["bob", "*", "lock:**/**", "bob * lock:**"],
  ])("%s %s %s is %s", (who, action, resource, expected) => {
    expect(parsed(who, action, resource)).toBe(expected);
  });

  it.each([
    ["role:king", "send", "alice"],
    ["everyone", "send", "alice"],
    ["bob", "shout", "alice"],
    ["bob", "send.*", "alice"],
    ["bob", "read", "*"],
    ["bob", "send", "topic:builds"],
    ["bob", "publish", "queue:q"],
    ["bob", "mailbox.read", "everyone"],
    ["bob", "admin.dead-letters", "topic:a"],
    ["bob", "admin.grants", "alice"],
    ["bob", "publish", "a..b"],
    ["bob", "policy.check", "payment"],
    ["bob", "policy.*", "bob"],
    ["bob", "approval.decide", "bob"],
    ["bob", "approval.read", "carol"],
    ["bob", "approval.*", "topic:a"],
    ["bob", "budget.settle", "bob"],
    ["bob", "lock.acquire", "bob"],
    ["bob", "admin.locks", "x"],
    ["bob", "admin.policy", "x"],
    ["bob", "admin.audit", "x"],
    ["bob", "admin.tokens", "queue:x"],
    ["bob", "admin.tokens", "everyone"],
    ["bob", "admin.agents", "topic:x"],
    ["bob", "admin.mailboxes", "everyone"],
    ["bob", "admin.topics", "queue:x"],
    ["bob", "agents.describe", "queue:x"],
    ["bob", "agents.find", "everyone"],
    ["bob", "agents.find", "state:x"],
    ["bob", "mailbox.*", "state:x"],
    ["bob", "mailbox.send", "lock:x"],
    ["bob", "admin.locks", "lock:x"],
    ["bob", "policy.check", "lock:x"],
  ])("%s %s %s is refused: it would never do anything", (who, action, resource) => {
    expect(() => parsed(who, action, resource)).toThrow(/^(input|address)\./);
  });

  it.each([
    ["bob", "admin.topics", "builds.**", "bob admin.topics topic:builds.**"],
    ["bob", "agents.*", "topic:a", "bob agents.* topic:a"],
    ["bob", "admin.*", "queue:q", "bob admin.* queue:q"],
    ["bob", "*", "state:plan", "bob * state:plan"],
  ])("%s %s %s is kept, for it can hold: %s", (who, action, resource, expected) => {
    expect(parsed(who, action, resource)).toBe(expected);
  });

  it.each(["/repo/src/**", "src/a.ts", "alice", "topic:x", "queue:q"])(
    "says of %s, which is not said to be a lock, how locks are named",
    (resource) => {
      for (const action of ["lock.acquire", "lock.read", "lock.*"])
        expect(() => parsed("bob", action, resource)).toThrow(
          `input.invalid: ${action} is never done with ${resource}: name lock: with what can be locked, a name, a path or a pattern, as lock:src/auth/** (lock:** is every lock), or * for all`,
        );
    },
  );

  it.each([
    ["lock:", "it names nothing"],
    ["lock:../x", "it leads above the root"],
    ["lock:a**", "** stands for whole segments"],
    ["lock:a\u200bb", "it has characters that cannot be seen"],
    [`lock:${"x".repeat(513)}`, "it has more than 512 characters"],
  ])("refuses %j as a call that locks it is refused: %s", (resource, problem) => {
    for (const action of ["lock.acquire", "*"])
      expect(() => parsed("bob", action, resource)).toThrow(
        `lock.resource_invalid: resource 1 cannot be locked: ${problem}`,
      );
  });

  it("says of a check, and of whatever has another kind of resource, what to name instead", () => {
    expect(() => parsed("bob", "policy.check", "payment")).toThrow(/its resource is \*, .*rule of policy/);
    expect(() => parsed("bob", "admin.tokens", "queue:x")).toThrow(
      /name an agent or agent:\*, or \* for all/,
    );
    expect(() => parsed("bob", "mailbox.read", "topic:x")).toThrow(/topic\.publish and topic\.read/);
  });
});
