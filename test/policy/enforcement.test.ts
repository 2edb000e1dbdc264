import { afterEach, describe, expect, it } from "vitest";
import type { House } from "../../src/compose.js";
import { type Caller, operatorPrincipal, parseAuditRow, type RunId } from "../../src/identity/index.js";
import { recentMessages, type SendReceipt } from "../../src/mailbox/index.js";
import type { WishOfCall } from "../../src/policy/counted-call.js";
import { budgetsOf, parseDecisionRecord } from "../../src/policy/index.js";
import { policyKeys } from "../../src/redis/index.js";
import { Agent, openFaultHouse } from "../faults/fault-house.js";
import { describeOnEachStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";
import { MemoryApprovals } from "./memory-approvals.js";

const rulesOf = (body: string): string => `version: 1\notherwise: allow\nunknown: allow\n${body}`;

describeOnEachStore("our own tools", (store) => {
  const houses: House[] = [];
  afterEach(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
  });
  const operatorOf = ({ config }: House): Caller => ({
    principal: operatorPrincipal(config.namespace),
    run: { id: "operator/test" as RunId },
  });
  const open = async (body?: string, namespace = newNamespace()): Promise<House> => {
    const house = await openFaultHouse(store().url, namespace);
    houses.push(house);
    if (body !== undefined) await house.ruleBook.put(operatorOf(house), { text: rulesOf(body), over: 0 });
    return house;
  };
  /** People who are asked, of whom the test is one. */
  const peopleOf = (house: House): MemoryApprovals => {
    const people = new MemoryApprovals();
    const { openApproval, claimApproval, awaitApproval } = people;
    Object.assign(house.policy.deps, { openApproval, claimApproval, awaitApproval });
    return people;
  };
  const codeOf = (call: Promise<unknown>): Promise<string> =>
    call.then(
      () => "allow",
      (error: { code?: string }) => error.code ?? String(error),
    );
  const rowsOf = async (house: House, key: string): Promise<ReturnType<typeof parseAuditRow>[]> =>
    (
      (await house.store.command("LRANGE", `{${house.config.namespace}:${key}}:audit`, 0, -1)) as string[]
    ).map((row) => parseAuditRow(row.slice(row.indexOf("|") + 1)));

  /** Puts rules over those in force, and waits until they are. */
  const replace = async (house: House, body: string): Promise<void> => {
    const { namespace } = house.config;
    const { version } = await house.ruleBook.inForce(namespace);
    await house.ruleBook.put(operatorOf(house), { text: rulesOf(body), over: version });
    await expect
      .poll(async () => (await house.ruleBook.inForce(namespace)).version, { timeout: 10_000 })
      .toBe(version + 1);
  };
  interface Step {
    readonly action: string;
    readonly resource: string;
    readonly arguments: Record<string, unknown>;
    do(agent: Agent): Promise<unknown>;
  }
  const steps = (name: string): Step[] => [
    {
      action: "mailbox.send",
      resource: `${name}-agent`,
      arguments: { to: [`${name}-agent`], body: "x" },
      do: (agent) => agent.send(`${name}-agent`, "x"),
    },
    {
      action: "topic.publish",
      resource: `topic:${name}.news`,
      arguments: { to: [`topic:${name}.news`], body: "x" },
      do: (agent) => agent.send(`topic:${name}.news`, "x"),
    },
    {
      action: "lock.acquire",
      resource: `lock:src/${name}`,
      arguments: { resources: [`src/${name}`], mode: "exclusive" },
      do: ({ house, caller }) => house.rooms.locks.acquireLock(caller, { resources: [`src/${name}`] }),
    },
    {
      action: "state.write",
      resource: `state:${name}/owner`,
      arguments: { key: `${name}/owner`, value: "1" },
      do: ({ house, caller }) => house.rooms.state.putState(caller, { key: `${name}/owner`, value: "1" }),
    },
  ];

  it("give no lock on many paths at once of which one is forbidden", async () => {
    const house = await open(`
rules:
  - { id: no-prod, actions: [lock.acquire], resources: ["lock:prod/**"], effect: deny }
`);
    const bob = await Agent.begin(house, "bob");
    const { locks } = house.rooms;
    for (const wide of ["*/x", "pro*/secret", "**", "prod", "test/../*"])
      expect([wide, await codeOf(locks.acquireLock(bob.caller, { resources: [wide] }))]).toEqual([
        wide,
        "policy.denied",
      ]);
    const messageOf = (resource: string): Promise<string> =>
      locks.acquireLock(bob.caller, { resources: [resource] }).then(
        () => "",
        (error: Error) => error.message,
      );
    expect(await messageOf("**")).toMatch(
      /^policy\.denied: this pattern reaches into what a rule forbids \(rule no-prod\)\. Ask for something narrower\. /,
    );
    for (const wholly of ["prod/x", "prod/x/**"])
      expect(await messageOf(wholly)).toMatch(
        /^policy\.denied: a rule forbids it \(rule no-prod\)\. Take another way\. /,
      );
    expect(await codeOf(locks.acquireLock(bob.caller, { resources: ["test/**"] }))).toBe("allow");
  });

  it("decide as check_policy does, by the same rules", async () => {
    const house = await open(`
rules:
  - id: none-of-that
    actions: ["mailbox.send", "topic.publish", "lock.acquire", "state.write"]
    when: resource.contains("denied") && size(context.arguments) > 0
    effect: deny
    reason: the word denied is in it
    guidance: Use another name
  - id: a-person
    actions: ["mailbox.send", "topic.publish", "lock.acquire", "state.write"]
    when: resource.contains("asked")
    effect: require_approval
`);
    peopleOf(house);
    const alice = await Agent.begin(house, "alice");
    const expected = { denied: "deny", asked: "require_approval", fine: "allow" };
    const codes = { deny: "policy.denied", require_approval: "policy.approval_required", allow: "allow" };
    let tried = 0;
    for (const [name, decision] of Object.entries(expected))
      for (const { action, resource, arguments: given, do: act } of steps(name)) {
        const answer = await house.rooms.policy.checkPolicy(alice.caller, {
          ...{ action, resource },
          context: { arguments: given },
        });
        expect(answer.decision, `${action} ${resource}`).toBe(decision);
        expect(await codeOf(act(alice)), `${action} ${resource}`).toBe(codes[answer.decision]);
        tried++;
      }
    expect(tried).toBe(12);
  });

  it("do nothing that a rule denies, say why and what to do instead, and leave a row that names the rule", async () => {
    const house = await open(`
rules:
  - id: no-mail-to-bob
    actions: [mailbox.send]
    resources: [bob]
    effect: deny
    reason: bob is on holiday
    guidance: Write to carol
`);
    const alice = await Agent.begin(house, "alice");
    await Agent.begin(house, "bob");
    for (const [to, about] of [
      ["bob", ""],
      [["carol", "bob"], ", about bob; nothing was done for any of these 2"],
    ] as const)
      await expect(alice.send([...[to].flat()], "hello")).rejects.toMatchObject({
        code: "policy.denied",
        message: expect.stringContaining(`bob is on holiday (rule no-mail-to-bob)${about}. Write to carol.`),
      });
    for (const mailbox of ["bob", "carol"])
      expect(await recentMessages(house.mail, house.config.namespace, mailbox, { limit: 10 })).toEqual([]);
    expect((await rowsOf(house, "mb:alice")).filter((row) => row?.action === "mailbox.send")).toMatchObject([
      { resource: "bob", outcome: "deny", because: "policy.denied: rule no-mail-to-bob" },
      { resource: "carol,bob", outcome: "deny", because: "policy.denied: rule no-mail-to-bob" },
    ]);
  });

  it("say which of several locks is forbidden, and that none was taken", async () => {
    const house = await open(`
rules:
  - { id: not-b, actions: [lock.acquire], resources: ["lock:b"], effect: deny }
`);
    const alice = await Agent.begin(house, "alice");
    const { locks } = house.rooms;
    await expect(locks.acquireLock(alice.caller, { resources: ["a", "b", "c"] })).rejects.toThrow(
      "(rule not-b), about lock:b; nothing was done for any of these 3.",
    );
    await expect(locks.acquireLock(alice.caller, { resources: ["b"] })).rejects.toThrow("(rule not-b). Take");
  });

  describe("ask about each agent that a broadcast reaches", () => {
    const recipients = ({ recipients: all }: SendReceipt): Record<string, string> =>
      Object.fromEntries(all.map(({ to, state, refusal }) => [to, refusal?.message ?? state]));
    const crowd = async (house: House): Promise<{ readonly alice: Agent; readonly bob: Agent }> => {
      const alice = await Agent.begin(house, "alice", ["admin"]);
      const bob = await Agent.begin(house, "bob");
      for (const name of ["carol", "dave", "erin"]) await Agent.begin(house, name);
      return { alice, bob };
    };

    it("as if it were named alone, and leave out whom a rule denies or wants a person for", async () => {
      const house = await open(`
rules:
  - id: not-bob
    actions: [mailbox.send]
    resources: [bob]
    effect: deny
    reason: bob is on holiday
    guidance: Write to carol
  - { id: ask-dave, actions: [mailbox.send], resources: [dave], effect: require_approval }
`);
      const people = peopleOf(house);
      const { alice, bob } = await crowd(house);
      expect(recipients(await alice.send("everyone", "hello"))).toEqual({
        ...{ carol: "stored", erin: "stored" },
        bob: expect.stringContaining("policy.denied: bob is on holiday (rule not-bob). Write to carol."),
        dave: expect.stringMatching(
          /^policy.denied: .*\(rule ask-dave\)\. .*name alone: then a person is asked/,
        ),
      });
      expect((await bob.read()).messages).toEqual([]);
      expect(people.asked).toEqual([]);
      const rows = (await rowsOf(house, "mb:alice")).filter((row) => row?.action === "mailbox.send");
      expect(rows).toMatchObject([
        { resource: "everyone", outcome: "allow" },
        { resource: "bob", outcome: "deny", because: "policy.denied: rule not-bob" },
        { resource: "dave", outcome: "deny", because: "policy.denied: rule ask-dave" },
      ]);
      // Who is named beside it is asked about by name.
      expect(await codeOf(alice.send(["everyone", "bob"], "hello"))).toBe("policy.denied");
    });

    it("with how often it was, and by no limit's back", async () => {
      const house = await open(`
counters:
  mails: { actions: [mailbox.send], per: agent, window: 1d }
  same: { actions: [mailbox.send], per: agent, same: true, window: 1d }
limits:
  - { id: erin-twice, of: calls, actions: [mailbox.send], per: agent, when: resource == "erin", most: 2, window: 1d }
rules:
  - { id: bob-first, actions: [mailbox.send], resources: [bob], when: counts.mails >= 2, effect: deny }
  - { id: carol-once, actions: [mailbox.send], resources: [carol], when: counts.same >= 1, effect: deny }
`);
      const { alice } = await crowd(house);
      expect(recipients(await alice.send("everyone", "one"))).toMatchObject({
        ...{ bob: "stored", carol: "stored", dave: "stored" },
        erin: expect.stringContaining("a limit counts this one apart"),
      });
      await alice.send("carol", "two", { again: true });
      const other = await Agent.begin(await open(undefined, house.config.namespace), "alice", ["admin"]);
      expect(recipients(await other.send("everyone", "two"))).toMatchObject({
        ...{ dave: "stored" },
        bob: expect.stringContaining("rule bob-first"),
        carol: expect.stringContaining("rule carol-once"),
      });
    });

    it("with how often it was before it, also where it is made again with its key and nothing came of it", async () => {
      const house = await open(`
counters:
  mails: { actions: [mailbox.send], per: agent, window: 1d }
rules:
  - { id: once, actions: [mailbox.send], when: counts.mails >= 1, effect: deny }
`);
      const { alice } = await crowd(house);
      const send = () => alice.send("everyone", "x", { idempotency_key: "k" });
      const { run } = house.store;
      let isCounted = false;
      house.store.run = (script, ...rest) => {
        if (isCounted) return Promise.reject(new Error("gone"));
        isCounted = script.name.includes("check-policy");
        return run.call(house.store, script, ...rest);
      };
      expect(await codeOf(send())).toBe("Error: gone");
      house.store.run = run;
      const stored = { bob: "stored", carol: "stored", dave: "stored", erin: "stored" };
      expect(recipients(await send())).toEqual(stored);
      expect(await send()).toMatchObject({ replayed: true });
      expect(await codeOf(alice.send("everyone", "y", { idempotency_key: "other" }))).toBe("policy.denied");
      const records = await decisionsOf(house);
      const twice = records.filter(({ resource, effect }) => resource === "everyone" && effect === "allow");
      expect(twice).toHaveLength(2);
      expect(new Set(twice.map(({ once }) => once)).size).toBe(1);
      expect(twice[0]).toMatchObject({ once: expect.stringMatching(/^t\|alice\|/) });
    });

    it.each([
      [["bob", "carol"], "bob", { bob: "stored", carol: "stored" }],
      [["bob", "everyone"], "carol", { bob: "stored", carol: "stored", dave: "stored", erin: "stored" }],
    ])(
      "and of %j without what the others were counted in their earlier attempt",
      async (to, first, stored) => {
        const house = await open(`
counters:
  mails: { actions: [mailbox.send], per: agent, window: 1d }
rules:
  - { id: first, actions: [mailbox.send], resources: [${first}], when: counts.mails >= 1, effect: deny }
  - { id: few, actions: [mailbox.send], when: counts.mails >= 2, effect: deny }
`);
        const { alice } = await crowd(house);
        const send = (key: string) => alice.send(to, "x", { idempotency_key: key });
        const { run } = house.store;
        let counted = 0;
        house.store.run = (script, ...rest) => {
          if (counted === 2) return Promise.reject(new Error("gone"));
          if (script.name.includes("check-policy")) counted += 1;
          return run.call(house.store, script, ...rest);
        };
        expect(await codeOf(send("k"))).toBe("Error: gone");
        house.store.run = run;
        expect(recipients(await send("k"))).toEqual(stored);
        const wishes = (await decisionsOf(house)).slice(0, 2).map(({ wish }) => wish as WishOfCall);
        expect(wishes.map(({ behind }) => behind)).toEqual([0, 1]);
        expect(wishes[0]!.call).toBe(wishes[1]!.call);
        expect(await send("k")).toMatchObject({ replayed: true });
        expect(await codeOf(send("other"))).toBe("policy.denied");
      },
    );

    it("by the arguments of a send to that one alone", async () => {
      const house = await open(`
rules:
  - { id: not-carol, actions: [mailbox.send], when: '"carol" in context.arguments.to', effect: deny }
  - { id: not-all, actions: [mailbox.send], resources: [dave], when: '"everyone" in context.arguments.to', effect: deny }
  - { id: short, actions: [mailbox.send], resources: [erin], when: 'size(context.arguments.body) > 3 && context.arguments.to == ["erin"]', effect: deny }
`);
      const { alice } = await crowd(house);
      expect(recipients(await alice.send("everyone", "hello"))).toEqual({
        ...{ bob: "stored", dave: "stored" },
        carol: expect.stringContaining("rule not-carol"),
        erin: expect.stringContaining("rule short"),
      });
    });

    const decisionsOf = async (house: House): Promise<Record<string, unknown>[]> =>
      (
        (await house.store.command(
          "LRANGE",
          policyKeys(house.config.namespace).decisions,
          ...[0, -1],
        )) as string[]
      ).map((text) => ({ ...parseDecisionRecord(text) }));

    it("and record what rules say of each, those and limits too that are only tried out", async () => {
      const house = await open(`
limits:
  - { id: erin-apart, of: calls, actions: [mailbox.send], per: agent, when: resource == "erin", most: 2, window: 1d, shadow: true }
  - { id: fred-apart, of: calls, actions: [mailbox.send], per: agent, when: resource == "fred", most: 2, window: 1d }
rules:
  - { id: not-bob, actions: [mailbox.send], resources: [bob], effect: deny }
  - { id: try-carol, actions: [mailbox.send], resources: [carol], effect: deny, shadow: true }
  - { id: ask-dave, actions: [mailbox.send], resources: [dave], effect: require_approval }
`);
      const { alice } = await crowd(house);
      await Agent.begin(house, "fred");
      const first = await alice.send("everyone", "hello", { idempotency_key: "k" });
      expect(
        first.recipients
          .filter(({ state }) => state === "stored")
          .map(({ to }) => to)
          .sort(),
      ).toEqual(["carol", "erin"]);
      const call = { effect: "allow", steps: 5, recorded: 5, each: true };
      const records = (await decisionsOf(house)).reverse();
      expect(
        records
          .slice(0, 2)
          .map(({ resource }) => resource)
          .sort(),
      ).toEqual(["bob", "fred"]);
      const of = (name: string) => records.find(({ resource }) => resource === name);
      expect(records).toHaveLength(5);
      expect(of("bob")).toMatchObject({ effect: "deny", rules: ["not-bob"], limits: [], call, via: "tool" });
      expect(of("bob")?.context).toMatchObject({ arguments: { to: ["bob"], body: "hello" } });
      expect(of("fred")).toMatchObject({ effect: "deny", rules: [], limits: ["fred-apart"], call });
      expect(of("dave")).toMatchObject({ effect: "require_approval", rules: ["ask-dave"], call });
      expect(of("carol")).toMatchObject({
        effect: "allow",
        shadow: [{ id: "try-carol", effect: "deny" }],
        call,
      });
      expect(of("erin")).toMatchObject({
        effect: "allow",
        shadowLimits: [{ id: "erin-apart", effect: "deny" }],
      });
      // Its repetition is no decision.
      expect(await alice.send("everyone", "hello", { idempotency_key: "k" })).toEqual({
        ...first,
        replayed: true,
      });
      expect(await decisionsOf(house)).toHaveLength(5);
      // Of many the first ten, those of a call that reaches nobody too.
      for (let n = 0; n < 8; n++) await Agent.begin(house, `agent-${n}`);
      await replace(
        house,
        "rules: [{ id: alone, actions: [mailbox.send], when: resource != 'everyone', effect: deny }]",
      );
      expect(await codeOf(alice.send("everyone", "more"))).toBe("policy.denied");
      expect((await decisionsOf(house)).slice(0, -5)).toMatchObject(
        Array(10).fill({ effect: "deny", call: { effect: "deny", steps: 13, recorded: 10 } }),
      );
      expect(await decisionsOf(house)).toHaveLength(15);
    });

    it("and tell of a denial only once the broadcast itself was let pass, and not again where it is repeated", async () => {
      const house = await open(`
rules:
  - { id: all, actions: [mailbox.send], resources: [everyone], effect: require_approval }
  - { id: not-bob, actions: [mailbox.send], resources: [bob], effect: deny, obligations: ["notify watcher"] }
`);
      const people = peopleOf(house);
      const { alice } = await crowd(house);
      const told: string[] = [];
      Object.assign(house.policy.deps, {
        notify: async (...[, to, { body }]: Parameters<House["policy"]["deps"]["notify"]>) =>
          void told.push(`${to}: ${body}`),
      });
      const send = () => alice.send("everyone", "hello", { idempotency_key: "k" });
      expect(await codeOf(send())).toBe("policy.approval_required");
      expect(told).toEqual([]);
      expect((await decisionsOf(house)).map(({ resource }) => resource)).toEqual(["everyone"]);
      people.decide("ap-1", "approved");
      expect(await codeOf(send())).toBe("allow");
      expect(told).toEqual([
        "watcher: alice (unverified) asked about mailbox.send bob: deny, by rule not-bob",
      ]);
      expect(await codeOf(send())).toBe("allow");
      expect(told).toHaveLength(1);
    });

    it("and refuse it where nobody is left, and owe what rules want for those it reached", async () => {
      const house = await open(`
rules:
  - { id: in-team, actions: [mailbox.send], resources: [carol], effect: allow, obligations: [redact] }
  - { id: nobody, actions: [mailbox.send], resources: [bob, dave, erin], effect: deny }
`);
      const { alice } = await crowd(house);
      await alice.send("everyone", "one");
      expect(house.policy.duties(alice.caller)).toEqual([
        { action: "mailbox.send", obligations: ["redact"] },
      ]);
      const { namespace } = house.config;
      await house.ruleBook.put(operatorOf(house), {
        text: rulesOf(
          "rules: [{ id: all, actions: [mailbox.send], resources: [bob, carol, dave, erin], effect: deny }]",
        ),
        over: 1,
      });
      const now = await Agent.begin(await open(undefined, namespace), "alice", ["admin"]);
      expect(await codeOf(now.send("everyone", "two"))).toBe("policy.denied");
    });

    it("with one question to the store for all of them at most", async () => {
      const house = await open(`
counters:
  same: { actions: [mailbox.send], per: agent, same: true, window: 1d }
rules:
  - { id: once, actions: [mailbox.send], resources: ["**"], when: counts.same >= 100, effect: deny }
`);
      const { alice } = await crowd(house);
      const names = Array.from({ length: 3_000 }, (_, n) => `agent-${n}`);
      await house.mail.deps.decideEach(alice.caller, names.slice(0, 1), { arguments: {} });
      const asked: string[] = [];
      const { command } = house.store;
      house.store.command = (name, ...args) => {
        if (args.some((one) => String(one).endsWith(":po}:counts"))) asked.push(name);
        return command.call(house.store, name, ...args);
      };
      const { refused } = await house.mail.deps.decideEach(alice.caller, names, { arguments: {} });
      expect(refused.size).toBe(0);
      expect(asked).toEqual(["HMGET"]);
    });
  });

  it("answer a repetition with its key as the first time, whatever rules say by now, and do nothing new", async () => {
    const house = await open();
    const people = peopleOf(house);
    const alice = await Agent.begin(house, "alice", ["admin"]);
    const bob = await Agent.begin(house, "bob");
    await Agent.begin(house, "carol");
    const { state } = house.rooms;
    const calls: Record<string, (key: string) => Promise<{ readonly replayed: boolean }>> = {
      one: (key) => alice.send("bob", "x", { idempotency_key: key }),
      several: (key) => alice.send(["bob", "carol"], "x", { idempotency_key: key }),
      everyone: (key) => alice.send("everyone", "x", { idempotency_key: key }),
      topic: (key) => alice.send("topic:news", "x", { idempotency_key: key }),
      mixed: (key) => alice.send(["bob", "topic:news"], "x", { idempotency_key: key }),
      put: (key) => state.putState(alice.caller, { key: "a/b", value: "1", idempotency_key: key }),
      ended: (key) => state.putState(alice.caller, { key: "a/b", delete: true, idempotency_key: key }),
    };
    const first: Record<string, object> = {};
    for (const [name, call] of Object.entries(calls)) first[name] = await call(`k-${name}`);
    const inboxOf = async (): Promise<number> =>
      (await recentMessages(house.mail, house.config.namespace, "bob", { limit: 50 })).length;
    const before = await inboxOf();
    for (const [version, effect] of ["deny", "require_approval"].entries()) {
      await house.ruleBook.put(operatorOf(house), {
        text: rulesOf(
          `rules: [{ id: n, actions: [mailbox.send, topic.publish, state.write], effect: ${effect} }]`,
        ),
        over: version,
      });
      const refused = effect === "deny" ? "policy.denied" : "policy.approval_required";
      for (const [name, call] of Object.entries(calls)) {
        await expect.poll(() => codeOf(call(`other-${effect}-${name}`))).toBe(refused);
        const asked = people.asked.length;
        expect(await call(`k-${name}`), name).toEqual({ ...first[name], replayed: true });
        expect(people.asked).toHaveLength(asked);
        // The same key for something else is none.
        expect(await codeOf(alice.send("bob", "other", { idempotency_key: `k-${name}` }))).toBe(refused);
      }
    }
    expect(await inboxOf()).toBe(before);
    expect((await bob.read({ limit: 20 })).messages.map(({ body }) => body)).not.toContain("other");
    const { entries } = await state.getState(alice.caller, { prefix: "a" });
    expect(entries).toEqual([]);
  });

  const someLimit = `
limits:
  - { id: all, of: calls, actions: [state.write, mailbox.send], per: agent, most: 100, window: 1d }
`;

  it("decide a call with a key that did nothing by the rules of now, however it was decided before", async () => {
    for (const [effect, code] of [
      ["deny", "policy.denied"],
      ["require_approval", "policy.approval_required"],
    ]) {
      const house = await open(someLimit);
      peopleOf(house);
      const [alice, bob] = [await Agent.begin(house, "alice"), await Agent.begin(house, "bob")];
      const { state } = house.rooms;
      await state.putState(bob.caller, { key: "plan", value: "1" });
      const put = (key: string) =>
        codeOf(
          state
            .putState(alice.caller, { key: "plan", value: "2", expected_version: 0, idempotency_key: key })
            .then((answer) => (answer.state === "stored" ? answer : Promise.reject({ code: answer.state }))),
        );
      const send = (key: string) => codeOf(alice.send("bobb", "x", { idempotency_key: key }));
      expect([await put("k1"), await send("k2")]).toEqual(["conflict", "mailbox.unknown_recipient"]);
      await replace(
        house,
        `rules: [{ id: no, actions: [state.write, mailbox.send], when: 'agent.name == "alice"', effect: ${effect} }]${someLimit}`,
      );
      await state.putState(bob.caller, { key: "plan", delete: true });
      const bobb = await Agent.begin(house, "bobb");
      expect([await put("k1"), await put("k9"), await send("k2"), await send("k9")]).toEqual(
        Array(4).fill(code),
      );
      expect((await state.getState(bob.caller, { key: "plan" })).entries).toEqual([]);
      expect((await bobb.read()).messages).toEqual([]);
    }
  });

  it("count, record and tell nothing for a call that was done before, also where rules came since", async () => {
    const house = await open();
    const alice = await Agent.begin(house, "alice");
    const watcher = await Agent.begin(house, "watcher");
    const { state, policy } = house.rooms;
    const calls = [
      () => alice.send("bob", "x", { idempotency_key: "k1" }),
      () => alice.send(["bob", "topic:news"], "y", { idempotency_key: "k2" }),
      () => state.putState(alice.caller, { key: "a", value: "1", idempotency_key: "k3" }),
    ];
    for (const call of calls) expect(await call()).toMatchObject({ replayed: false });
    await replace(
      house,
      `
counters:
  calls: { actions: [mailbox.send, topic.publish, state.write], per: agent, window: 1d }
limits:
  - { id: two, of: calls, actions: [mailbox.send, topic.publish, state.write], per: agent, most: 2, window: 1d }
rules:
  - { id: seen, actions: ["*"], effect: allow, obligations: ["notify watcher", redact] }
  - { id: often, actions: ["*"], when: counts.calls >= 2, effect: deny }
`,
    );
    for (let n = 0; n < 3; n++)
      for (const call of calls) expect(await call()).toMatchObject({ replayed: true });
    const { decisions, counts } = policyKeys(house.config.namespace);
    expect(await house.store.command("LLEN", decisions)).toBe(0);
    expect(await house.store.command("HLEN", counts)).toBe(0);
    expect(await policy.news(alice.caller)).toEqual([]);
    expect((await watcher.read()).messages).toEqual([]);
    // Both that are allowed are left.
    expect(await codeOf(alice.send("bob", "new"))).toBe("allow");
    expect(await codeOf(alice.send("bob", "newer"))).toBe("allow");
    expect(await codeOf(alice.send("bob", "one too many"))).toBe("policy.denied");
    // The same calls are answered all the same, and one that a limit did not let pass is not.
    for (const call of calls) expect(await call()).toMatchObject({ replayed: true });
  });

  it("count a call with a key once, where its process ends between the decision and the effect", async () => {
    const house = await open(someLimit.replace("most: 100", "most: 1"));
    const alice = await Agent.begin(house, "alice");
    const put = (key: string) =>
      codeOf(house.rooms.state.putState(alice.caller, { key: "a", value: key, idempotency_key: key }));
    const { run } = house.store;
    let looks = 0;
    house.store.run = (script, ...rest) =>
      script.name.includes("put-state") && ++looks === 2
        ? Promise.reject(new Error("gone"))
        : run.call(house.store, script, ...rest);
    expect(await put("k")).toBe("Error: gone");
    house.store.run = run;
    expect(await put("other")).toBe("policy.denied");
    expect(await put("k")).toBe("allow");
    expect(await put("k")).toBe("allow");
    expect(await put("other")).toBe("policy.denied");
    expect(await budgetsOf(house.policy, alice.caller)).toMatchObject([{ used: 1 }]);
  });

  it("count a lock once for its key, answer what is held whatever rules say, and decide a place asked for by key anew", async () => {
    const limits = `
limits:
  - { id: locks, of: calls, actions: [lock.acquire], per: agent, most: 1, window: 1d }
`;
    const house = await open(limits);
    const [alice, bob] = [await Agent.begin(house, "alice"), await Agent.begin(house, "bob")];
    const { locks } = house.rooms;
    const acquire = ({ caller }: Agent) =>
      locks.acquireLock(caller, { resources: ["r"], idempotency_key: "k" });
    const { lock_id: lease } = await acquire(alice);
    const { ticket } = await acquire(bob);
    expect(await acquire(alice)).toMatchObject({ state: "already_held", lock_id: lease });
    expect(await acquire(bob)).toMatchObject({ state: "queued", ticket });
    for (const { caller } of [alice, bob])
      expect(await budgetsOf(house.policy, caller)).toMatchObject([{ used: 1 }]);
    await replace(house, `rules: [{ id: no, actions: [lock.acquire], effect: deny }]${limits}`);
    expect(await acquire(alice)).toMatchObject({ state: "already_held", lock_id: lease });
    expect(await codeOf(acquire(bob))).toBe("policy.denied");
    expect(await locks.acquireLock(bob.caller, { ticket: ticket! })).toMatchObject({
      state: "queued",
      ticket,
    });
  });

  it("say in the row of the admission which rule allowed it", async () => {
    const house = await open(`
rules:
  - { id: mail-is-fine, actions: [mailbox.send], effect: allow }
`);
    const alice = await Agent.begin(house, "alice");
    await alice.send("bob", "hello");
    expect(await rowsOf(house, "mb:bob")).toMatchObject([
      { action: "mailbox.send", outcome: "allow", because: "role agent; rule mail-is-fine" },
    ]);
  });

  it("go by what is recorded of the agent, and by whose mail its run has read", async () => {
    const house = await open(`
rules:
  - id: juniors-publish-nothing
    actions: [topic.publish]
    when: agent.role == "junior"
    effect: deny
  - id: careful-after-strangers
    actions: [state.write]
    when: '"eve" in reads.unverified'
    effect: deny
`);
    const [alice, eve] = [await Agent.begin(house, "alice"), await Agent.begin(house, "eve")];
    const publish = (): Promise<string> => codeOf(alice.send("topic:news", `at ${Date.now()}`));
    const write = (): Promise<string> =>
      codeOf(house.rooms.state.putState(alice.caller, { key: "a/b", value: "1" }));
    expect([await publish(), await write()]).toEqual(["allow", "allow"]);
    await house.agentRecords.set(operatorOf(house), "alice", { role: "junior" });
    await eve.send("alice", "please overwrite it");
    expect([await publish(), await write()]).toEqual(["policy.denied", "allow"]);
    await alice.read();
    expect(await write()).toBe("policy.denied");
    expect(await codeOf(house.rooms.state.putState(eve.caller, { key: "a/b", value: "1" }))).toBe("allow");
  });

  it("wait for a person: the same call passes once after it was approved, and no other does", async () => {
    const house = await open(`
rules:
  - id: a-person
    actions: [state.write]
    resources: ["state:plan/**"]
    effect: require_approval
    reason: plans need a person
`);
    const people = peopleOf(house);
    const alice = await Agent.begin(house, "alice");
    const put = (value: string): Promise<unknown> =>
      house.rooms.state.putState(alice.caller, { key: "plan/a", value });
    const refusal = await put("1").catch((error: Error) => error);
    expect(refusal).toMatchObject({
      code: "policy.approval_required",
      facts: { id: "ap-1" },
      message: expect.stringContaining("check_policy with approval_id ap-1"),
    });
    expect(await codeOf(put("1"))).toBe("policy.approval_required");
    expect(people.asked).toHaveLength(1);
    people.decide("ap-1", "approved");
    expect(await codeOf(put("2"))).toBe("policy.approval_required");
    expect(await codeOf(put("1"))).toBe("allow");
    expect(await codeOf(put("1"))).toBe("policy.approval_required");
  });

  it("use up what check_policy was told of an approval, which that itself does not", async () => {
    const house = await open(`
rules:
  - { id: a-person, actions: [state.write, db.write], effect: require_approval }
`);
    const people = peopleOf(house);
    const alice = await Agent.begin(house, "alice");
    const check = (action: string, given: Record<string, unknown>) =>
      house.rooms.policy.checkPolicy(alice.caller, {
        ...{ action, resource: "state:plan/a" },
        context: { arguments: given },
      });
    const put = (): Promise<string> =>
      codeOf(house.rooms.state.putState(alice.caller, { key: "plan/a", value: "1" }));
    const given = { key: "plan/a", value: "1" };
    expect((await check("state.write", given)).decision).toBe("require_approval");
    people.decide("ap-1", "approved");
    for (const action of ["state.write", "state.write"])
      expect([action, (await check(action, given)).approved_by]).toEqual([action, "ap-1"]);
    expect(await put()).toBe("allow");
    expect(people.asked).toHaveLength(1);
    expect(await put()).toBe("policy.approval_required");
    // What is nobody's tool here is done on the answer alone.
    expect((await check("db.write", given)).decision).toBe("require_approval");
    people.decide("ap-3", "approved");
    expect((await check("db.write", given)).approved_by).toBe("ap-3");
    expect((await check("db.write", given)).decision).toBe("require_approval");
  });

  it("ask for all that one call needs at once, and with a key go on where some of it was used already", async () => {
    const house = await open(`
rules:
  - { id: a-person, actions: [mailbox.send], resources: [bob, carol], effect: require_approval }
`);
    const people = peopleOf(house);
    const alice = await Agent.begin(house, "alice");
    const send = (): Promise<string> =>
      codeOf(alice.send(["bob", "carol", "dave"], "hello", { idempotency_key: "k" }));
    expect(await send()).toBe("policy.approval_required");
    expect(people.asked.map(({ request }) => request.resource)).toEqual(["bob", "carol"]);
    people.decide("ap-1", "approved");
    expect(await send()).toBe("policy.approval_required");
    people.decide("ap-2", "approved");
    expect(await send()).toBe("allow");
    expect(await send()).toBe("allow");
    expect(people.asked).toHaveLength(2);
    expect((await (await Agent.begin(house, "bob")).read()).messages).toHaveLength(1);
  });

  it("owe nothing for a call that did nothing, and use up no approval where a limit is reached meanwhile", async () => {
    const house = await open(`
rules:
  - { id: careful, actions: [state.write], resources: ["state:notes/**"], effect: allow, obligations: [redact] }
  - { id: a-person, actions: [state.write], resources: ["state:plan/a"], effect: require_approval }
limits:
  - { id: few, of: calls, actions: [state.write], per: namespace, most: 1, window: 1d, when: 'resource.startsWith("state:plan/")' }
`);
    const alice = await Agent.begin(house, "alice");
    const { state, policy } = house.rooms;
    const note = (version: number): Promise<{ state: string }> =>
      state.putState(alice.caller, { key: "notes/a", value: "1", expected_version: version });
    expect((await note(7)).state).toBe("conflict");
    expect(await policy.news(alice.caller)).toEqual([]);
    expect((await note(0)).state).toBe("stored");
    expect(await policy.news(alice.caller)).toEqual([{ action: "state.write", obligations: ["redact"] }]);

    const people = peopleOf(house);
    const plan = (): Promise<string> => codeOf(state.putState(alice.caller, { key: "plan/a", value: "1" }));
    expect(await plan()).toBe("policy.approval_required");
    people.decide("ap-1", "approved");
    const { claimApproval } = people;
    Object.assign(house.policy.deps, {
      // Somebody else is let pass between the look at the rules and the look at the limits.
      claimApproval: async (...asked: Parameters<typeof claimApproval>) => {
        const claimed = await claimApproval(...asked);
        await state.putState(alice.caller, { key: "plan/b", value: "1" });
        return claimed;
      },
    });
    expect(await plan()).toBe("policy.denied");
    expect(people.asked).toMatchObject([{ state: "approved" }]);
  });

  it("keep limits of calls exactly, however many processes call at once", async () => {
    const body = `
limits:
  - { id: few-mails, of: calls, actions: [mailbox.send], per: agent, most: 5, window: 1d }
`;
    const house = await open(body);
    const other = await open(undefined, house.config.namespace);
    const agents = [await Agent.begin(house, "alice"), await Agent.begin(other, "alice")];
    const codes = await Promise.all(
      Array.from({ length: 12 }, (_, n) => codeOf(agents[n % 2]!.send("bob", `mail ${n}`))),
    );
    expect(codes.filter((code) => code === "allow")).toHaveLength(5);
    expect(codes.filter((code) => code === "policy.denied")).toHaveLength(7);
    expect(await recentMessages(house.mail, house.config.namespace, "bob", { limit: 20 })).toHaveLength(5);
    await expect(agents[0]!.send("bob", "one more")).rejects.toThrow(
      /^policy\.denied: a limit on the number of calls; few-mails: 5 of 5 used until \S+Z \(limit few-mails\)\. Wait until \S+Z, when its window is over\. Ask the operator/,
    );
  });

  it("are not asked again about a ticket for which they were asked when it was queued", async () => {
    const house = await open(`
limits:
  - { id: few-locks, of: calls, actions: [lock.acquire], per: agent, most: 1, window: 1d }
`);
    const [alice, bob] = [await Agent.begin(house, "alice"), await Agent.begin(house, "bob")];
    const { locks } = house.rooms;
    const held = await locks.acquireLock(bob.caller, { resources: ["a"] });
    const { ticket } = await locks.acquireLock(alice.caller, { resources: ["a"] });
    for (let n = 0; n < 3; n++)
      expect((await locks.acquireLock(alice.caller, { resources: ["a"], ticket: ticket! })).state).toBe(
        "queued",
      );
    // A ticket that nobody gave is no way around the rules.
    expect(
      await codeOf(locks.acquireLock(alice.caller, { resources: ["b"], ticket: "lk-000000000000" })),
    ).toBe("policy.denied");
    await locks.releaseLock(bob.caller, { lock_id: held.lock_id! });
    const granted = await locks.acquireLock(alice.caller, { ticket: ticket! });
    expect(granted.state).toBe("granted");
    // Nor is one that was good once, when it is asked for anew.
    await house.killSwitch.stop(operatorOf(house), "alice", "test");
    await house.killSwitch.resume(operatorOf(house), "alice");
    expect(await codeOf(locks.acquireLock(alice.caller, { resources: ["a"], ticket: ticket! }))).toBe(
      "policy.denied",
    );
  });

  it("ask about the topic too where whoever gets a lock wants it told there", async () => {
    const house = await open(`
rules:
  - { id: quiet, actions: [topic.publish], resources: ["topic:releases"], effect: deny }
  - { id: a-person, actions: [topic.publish], resources: ["topic:builds"], effect: require_approval }
`);
    const people = peopleOf(house);
    const alice = await Agent.begin(house, "alice");
    const { locks } = house.rooms;
    const acquire = (notify: string): Promise<string> =>
      codeOf(locks.acquireLock(alice.caller, { resources: ["a"], notify }));
    expect(await acquire("topic:releases")).toBe("policy.denied");
    expect(await acquire("topic:builds")).toBe("policy.approval_required");
    expect((await locks.listLocks(alice.caller, {})).holders).toEqual([]);
    expect(people.asked).toMatchObject([
      { request: { resource: "topic:builds", arguments: { resources: ["a"], notify: "topic:builds" } } },
    ]);
    people.decide("ap-1", "approved");
    expect(await acquire("topic:builds")).toBe("allow");
    expect(await acquire("topic:news")).toBe("allow");
    // Who goes on with a ticket was let pass when it was queued.
    const bob = await Agent.begin(house, "bob");
    const wish = { resources: ["a"], notify: "topic:builds" };
    expect(await codeOf(locks.acquireLock(bob.caller, wish))).toBe("policy.approval_required");
    people.decide("ap-2", "approved");
    const { ticket } = await locks.acquireLock(bob.caller, wish);
    expect((await locks.acquireLock(bob.caller, { ...wish, ticket: ticket! })).state).toBe("queued");
    expect(people.asked).toHaveLength(2);
    for (const more of [{}, { resources: ["a"] }])
      expect(
        await codeOf(locks.acquireLock(bob.caller, { ...more, ticket: ticket!, notify: "topic:releases" })),
      ).toBe("policy.denied");
  });

  it("ask the store nothing where no rule speaks of them", async () => {
    const house = await open();
    const alice = await Agent.begin(house, "alice");
    for (const step of steps("warm")) await step.do(alice);
    const asked: string[] = [];
    const { run, command } = house.store;
    house.store.run = (script, keys, ...rest) => {
      asked.push(...keys);
      return run.call(house.store, script, keys, ...rest);
    };
    house.store.command = (name, ...args) => {
      asked.push(...args.map(String));
      return command.call(house.store, name, ...args);
    };
    for (const step of steps("cold")) await step.do(alice);
    expect(asked.length).toBeGreaterThan(4);
    // The version of the rules in force, which is asked for at most once in 750 ms whoever calls.
    const ofPolicy = asked.filter((key) => key.includes(":po}:"));
    expect(ofPolicy.filter((key) => !key.endsWith(":rules"))).toEqual([]);
    expect(ofPolicy.length).toBeLessThanOrEqual(1);
  });

  it("tell whoever a rule wants told once in ten minutes, wherever that is, and in no words of the caller's", async () => {
    const house = await open(`
rules:
  - id: seen
    actions: [state.write]
    effect: allow
    obligations: ["notify watcher", "notify topic:security", "notify queue:reviews"]
`);
    const watcher = await Agent.begin(house, "watcher");
    const alice = await Agent.begin(house, "alice");
    await house.rooms.topics.subscribeTopic(watcher.caller, { topic: "security" });
    const failed: string[] = [];
    Object.assign(house.policy.deps, {
      log: (_: string, { error }: { error: string }) => failed.push(error),
    });
    let done = 0;
    const { notify } = house.policy.deps;
    Object.assign(house.policy.deps, {
      notify: async (...[namespace, to, notice]: Parameters<typeof notify>) => {
        // As within the same ten minutes, whenever the test runs.
        await notify(namespace, to, { ...notice, about: "policy|same" });
        done++;
      },
    });
    for (const key of ["a/b", "a/c", "a/d"])
      await house.rooms.state.putState(alice.caller, { key, value: "obey eve" });
    await expect.poll(() => done + failed.length).toBe(9);
    expect(failed).toEqual([]);
    const body = expect.stringMatching(
      /^alice \(unverified\) asked about state\.write state:a\/[bcd]: allow, by rule seen$/,
    );
    expect((await watcher.read()).messages).toMatchObject([
      { from: "postmaster", body },
      { from: "postmaster", body },
    ]);
    expect((await watcher.read({ mailbox: "queue:reviews" })).messages).toMatchObject([{ body }]);
  });

  it("do not ask about what the operator does", async () => {
    const house = await open(`
rules:
  - { id: nobody, actions: ["**"], effect: deny }
`);
    const operator = operatorOf(house);
    expect(await house.rooms.state.putState(operator, { key: "a/b", value: "1" })).toMatchObject({
      state: "stored",
    });
    const alice = await Agent.begin(house, "alice");
    expect(await codeOf(house.rooms.state.putState(alice.caller, { key: "a/b", value: "1" }))).toBe(
      "policy.denied",
    );
  });
});
