import { afterEach, expect, it } from "vitest";
import { type Approval, decideApproval, getApproval } from "../../src/approvals/index.js";
import type { House } from "../../src/compose.js";
import { refuse } from "../../src/errors/index.js";
import { type Caller, localPrincipal, operatorPrincipal, type RunId } from "../../src/identity/index.js";
import { AcquireLock } from "../../src/locks/index.js";
import { blockSender, recentMessages, SendMessage, unblockSender } from "../../src/mailbox/index.js";
import { approvalKeys } from "../../src/redis/index.js";
import { PutState } from "../../src/state/index.js";
import { Agent, openFaultHouse } from "../faults/fault-house.js";
import { describeOnEachStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";
import { ApprovalDesk } from "./approval-desk.js";

const plansNeedAPerson = `
rules:
  - { id: plans, actions: [state.write], resources: ["state:plan/**"], effect: require_approval }
`;

describeOnEachStore("the use of an approval", (store) => {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.close()));
  });
  const operatorOf = ({ config }: House): Caller => ({
    principal: operatorPrincipal(config.namespace),
    run: { id: "operator/test" as RunId },
  });
  const houseWith = async (rules?: string, namespace = newNamespace()): Promise<House> => {
    const house = await openFaultHouse(store().url, namespace);
    open.push(house);
    const text = `version: 1\notherwise: allow\nunknown: allow\n${rules}`;
    if (rules !== undefined) await house.ruleBook.put(operatorOf(house), { text, over: 0 });
    return house;
  };
  const deskWith = async (limits?: Parameters<typeof ApprovalDesk.open>[1]): Promise<ApprovalDesk> => {
    const desk = await ApprovalDesk.open(store().url, limits);
    open.push(desk);
    return desk;
  };
  const codeOf = (call: Promise<unknown>): Promise<string> =>
    call.then(
      () => "done",
      (error: { code?: string }) => error.code ?? String(error),
    );
  /** Makes a call that needs a person, and has them agree. @returns what it asked for, in that order */
  const approved = async (house: House, call: () => Promise<unknown>): Promise<string[]> => {
    const refusal = (await call().catch((error: unknown) => error)) as { message: string };
    expect(refusal).toMatchObject({ code: "policy.approval_required" });
    const ids = refusal.message.match(/ap-[0-9a-z]{12}/g)!;
    for (const id of ids) await agree(house, id);
    return ids;
  };
  const agree = async (house: House, approval_id: string): Promise<void> => {
    const principal = { ...localPrincipal(house.config.namespace, "carol"), roles: ["approver" as const] };
    const carol = { principal, run: { id: "carol/1" as RunId } };
    await decideApproval(house.approvals, carol, { approval_id, decision: "approve" }, "tool");
  };
  const stateOf = async (house: House, id: string | undefined): Promise<Approval["state"]> =>
    (await getApproval(house.approvals, operatorOf(house), id!)).state;

  it("comes with the effect of a write: one that conflicts, repeats or finds nothing to end uses up none", async () => {
    const house = await houseWith(plansNeedAPerson);
    const { caller } = await Agent.begin(house, "alice");
    const { putState } = house.rooms.state;
    const operator = operatorOf(house);
    const put = (key: string) =>
      putState(caller, { key: "plan/a", value: "mine", expected_version: 0, idempotency_key: key });
    await putState(operator, { key: "plan/a", value: "theirs" });
    const [id] = await approved(house, () => put("k1"));
    expect(await put("k1")).toMatchObject({ state: "conflict" });
    expect(await put("k1")).toMatchObject({ state: "conflict" });
    expect(await stateOf(house, id)).toBe("approved");
    await putState(operator, { key: "plan/a", delete: true });
    expect(await put("k2")).toMatchObject({ state: "stored", replayed: false });
    expect(await stateOf(house, id)).toBe("used");
    expect(await put("k2")).toMatchObject({ state: "stored", replayed: true });
    // What was decided for the first key was given back, and is used by now.
    await putState(operator, { key: "plan/a", delete: true });
    expect(await codeOf(put("k1"))).toBe("policy.approval_required");
    const end = () => putState(caller, { key: "plan/b", delete: true });
    const [ending] = await approved(house, end);
    expect(await end()).toMatchObject({ state: "absent" });
    expect(await stateOf(house, ending)).toBe("approved");
    const fenced = () => putState(caller, { key: "plan/c", value: "1", resource: "src/a", fencing_token: 7 });
    const [stale] = await approved(house, fenced);
    expect(await codeOf(fenced())).toBe("lock.stale_token");
    expect(await stateOf(house, stale)).toBe("approved");
  });

  it("comes with the sending, and with the place in a queue or the lease: a refusal gives it back", async () => {
    const house = await houseWith(`
rules:
  - { id: mail, actions: [mailbox.send, topic.publish], when: agent.name == "alice", effect: require_approval }
  - { id: locks, actions: [lock.acquire], resources: ["lock:b", "lock:c"], when: agent.name == "alice", effect: require_approval }
`);
    const [alice, bob] = [await Agent.begin(house, "alice"), await Agent.begin(house, "bob")];
    const operator = operatorOf(house);
    const mail = () => alice.send("bob", "hello");
    const [sending] = await approved(house, mail);
    await blockSender(house.mail, operator, "bob", "alice");
    expect(await codeOf(mail())).toBe("mailbox.blocked");
    expect(await stateOf(house, sending)).toBe("approved");
    await unblockSender(house.mail, operator, "bob", "alice");
    expect(await codeOf(mail())).toBe("done");
    expect(await stateOf(house, sending)).toBe("used");
    for (const call of [
      () => alice.send("bobb", "hello"),
      () => alice.send(["bob", "dave"], "hello", { in_reply_to: "01abc" }),
      () => alice.send("topic:news", "hello", { attachments: ["at-000000000000"] }),
    ]) {
      const ids = await approved(house, call);
      expect(await codeOf(call())).toMatch(/^(mailbox|attachment)\./);
      for (const id of ids) expect(await stateOf(house, id)).toBe("approved");
    }
    // An equal one within a minute inserts nothing.
    const [again] = await approved(house, mail);
    expect(((await mail()) as { duplicate_of?: string }).duplicate_of).toBeDefined();
    expect(await stateOf(house, again)).toBe("approved");

    const { locks } = house.rooms;
    // By the time a person agreed, the lock may be another of the same resource.
    let token = 7;
    const fenced = () => alice.send("bob", "under a lock", { resource: "z", fencing_token: token });
    const [under] = await approved(house, fenced);
    expect(await codeOf(fenced())).toBe("lock.stale_token");
    expect(await stateOf(house, under)).toBe("approved");
    token = (await locks.acquireLock(alice.caller, { resources: ["z"] })).token!;
    const elsewhere = alice.send("bob", "under a lock", { resource: "y", fencing_token: token });
    expect(await codeOf(elsewhere)).toBe("policy.approval_required");
    expect(await codeOf(fenced())).toBe("done");
    expect(await stateOf(house, under)).toBe("used");

    await locks.acquireLock(alice.caller, { resources: ["a"] });
    await locks.acquireLock(bob.caller, { resources: ["b"] });
    const waiting = await locks.acquireLock(bob.caller, { resources: ["a"] });
    const acquire = () => locks.acquireLock(alice.caller, { resources: ["b"] });
    const [locking] = await approved(house, acquire);
    expect(await codeOf(acquire())).toBe("lock.deadlock");
    expect(await stateOf(house, locking)).toBe("approved");
    await locks.releaseLock(bob.caller, { ticket: waiting.ticket! });
    expect((await acquire()).state).toBe("queued");
    expect(await stateOf(house, locking)).toBe("used");
    // The place is taken, however long the call waits for what comes of it.
    const held = { resources: ["b"], mode: "shared" as const, wait_seconds: 50 };
    const over = new AbortController();
    const [long] = await approved(house, () => locks.acquireLock(alice.caller, held));
    const wait = locks.acquireLock(alice.caller, held, { signal: over.signal });
    const until = Date.now() + 20_000;
    while ((await stateOf(house, long)) !== "used" && Date.now() < until);
    expect(await stateOf(house, long)).toBe("used");
    over.abort();
    expect((await wait).state).toBe("queued");
    // What it has already it gets for nothing, and nobody is asked again.
    const take = () => locks.acquireLock(alice.caller, { resources: ["c"] });
    const [taken] = await approved(house, take);
    const lease = await take();
    expect(lease.state).toBe("granted");
    expect(await take()).toMatchObject({ state: "already_held", lock_id: lease.lock_id });
    expect(await stateOf(house, taken)).toBe("used");
    await locks.releaseLock(alice.caller, { lock_id: lease.lock_id! });
    expect(await codeOf(take())).toBe("policy.approval_required");
  });

  it("is for one lease: a call that waits gets what its place became, and nothing once another call of its run had that", async () => {
    const house = await houseWith(`
rules:
  - { id: locks, actions: [lock.acquire], when: agent.name == "alice", effect: require_approval }
`);
    const [alice, bob] = [await Agent.begin(house, "alice"), await Agent.begin(house, "bob")];
    const { locks } = house.rooms;
    const held = await locks.acquireLock(bob.caller, { resources: ["b"] });
    const acquire = (more = {}) => locks.acquireLock(alice.caller, { resources: ["b"], ...more });
    const [id] = await approved(house, acquire);
    // What the waiting call asks again with its ticket waits until another call has had what came of it.
    const { run } = house.store;
    let [looks, goOn] = [0, (): void => undefined];
    const over = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    house.store.run = async (script, keys, args, ...rest) => {
      if (script.name.includes("acquire-lock") && looks++ === 1) await over;
      return run.call(house.store, script, keys, args, ...rest);
    };
    const waiting = codeOf(acquire({ wait_seconds: 30 }));
    let place: { readonly ticket?: string } | undefined;
    while (!place) [place] = (await locks.listLocks(alice.caller, {})).waiters;
    await locks.releaseLock(bob.caller, { lock_id: held.lock_id! });
    while (looks < 2) await new Promise((resolve) => setImmediate(resolve));
    const lease = await locks.acquireLock(alice.caller, { ticket: place.ticket! });
    expect(lease.state).toBe("granted");
    await locks.releaseLock(alice.caller, { lock_id: lease.lock_id! });
    goOn();
    expect(await waiting).toBe("lock.ticket_unknown");
    expect(await stateOf(house, id)).toBe("used");
    expect(await codeOf(acquire())).toBe("policy.approval_required");

    // A place that the run has already is no effect, what it is made is one.
    await locks.acquireLock(bob.caller, { resources: ["b"] });
    const [taking] = await approved(house, acquire);
    const { ticket } = await acquire();
    expect(await stateOf(house, taking)).toBe("used");
    const [again] = await approved(house, acquire);
    expect(await acquire()).toMatchObject({ state: "queued", ticket });
    expect(await stateOf(house, again)).toBe("approved");
    const [urgent] = await approved(house, () => acquire({ priority: 9 }));
    expect(await acquire({ priority: 9 })).toMatchObject({ state: "queued", ticket });
    expect(await stateOf(house, urgent)).toBe("used");
  });

  it("is for what was asked: an edit leaves alone where a lock tells of its turn, and may change the rest", async () => {
    const house = await houseWith(`
rules:
  - { id: news, actions: [topic.publish], effect: require_approval }
`);
    const alice = await Agent.begin(house, "alice");
    const carol = {
      principal: { ...localPrincipal(house.config.namespace, "carol"), roles: ["approver" as const] },
      run: { id: "carol/1" as RunId },
    };
    const acquire = (more = {}) =>
      house.rooms.locks.acquireLock(alice.caller, { resources: ["b"], notify: "topic:x", ...more });
    const asked = { resources: ["b"], mode: "exclusive", notify: "topic:x" };
    for (const [call, given, other, free] of [
      [acquire, asked, { notify: "topic:y" }, { lease_seconds: 60 }],
      [
        (more = {}) => alice.send("topic:x", "hello", more),
        { to: ["topic:x"], body: "hello" },
        { to: ["topic:y"] },
        { body: "goodbye" },
      ],
    ] as const) {
      const refusal = (await call().catch((error: unknown) => error)) as { message: string };
      const [approval_id] = refusal.message.match(/ap-[0-9a-z]{12}/g)!;
      const edit = (args: object) =>
        decideApproval(
          house.approvals,
          carol,
          { approval_id: approval_id!, decision: "edit", arguments: { ...args } },
          "tool",
        );
      expect(await codeOf(edit({ ...given, ...other }))).toBe("approval.edit_elsewhere");
      expect(await codeOf(edit({ ...given, ...free }))).toBe("done");
      expect(await codeOf(call({ ...free }))).toBe("done");
      expect(await stateOf(house, approval_id)).toBe("used");
    }
  });

  it("is for a call that its tool can be called with: an edit of ours is brought into its form, or refused", async () => {
    const house = await houseWith(`
rules:
  - { id: ask, actions: [state.write, lock.acquire, mailbox.send], effect: require_approval }
`);
    const alice = await Agent.begin(house, "alice");
    await Agent.begin(house, "bob");
    const carol = {
      principal: { ...localPrincipal(house.config.namespace, "carol"), roles: ["approver" as const] },
      run: { id: "carol/1" as RunId },
    };
    const { locks, mail, state } = house.rooms;
    const put = (given: object) => state.putState(alice.caller, PutState.parse(given));
    const acquire = (given: object) => locks.acquireLock(alice.caller, AcquireLock.parse(given));
    const send = (given: object) => mail.sendMessage(alice.caller, SendMessage.parse(given));
    const written = { key: "a", value: "1" };
    for (const [call, asked, edited, form] of [
      [put, { key: "a", value: 1 }, { key: "a", value: 5 }, { key: "a", value: "5" }],
      [put, { key: "a", value: { n: 1 } }, { key: "a", value: { n: 2 } }, { key: "a", value: '{"n":2}' }],
      [put, written, { ...written, ttl_seconds: "60" }, { ...written, ttl_seconds: 60 }],
      [put, { ...written, ttl_seconds: 60 }, { ...written, ttl_seconds: null }, written],
      [
        acquire,
        { resources: ["q/../b"] },
        { resources: ["q/../b"], lease_seconds: 30, wait_seconds: 5 },
        { resources: ["b"], mode: "exclusive", lease_seconds: 30 },
      ],
      [
        acquire,
        { resources: ["c"], lease_seconds: 60 },
        { resources: "c" },
        { resources: ["c"], mode: "exclusive" },
      ],
      [send, { to: "bob", body: "x" }, { to: "bob", body: "y", again: true }, { to: ["bob"], body: "y" }],
    ] as const) {
      const refusal = (await call(asked).catch((error: unknown) => error)) as { message: string };
      const [approval_id] = refusal.message.match(/ap-[0-9a-z]{12}/g)!;
      const decided = await decideApproval(
        house.approvals,
        carol,
        { approval_id: approval_id!, decision: "edit", arguments: edited },
        "tool",
      );
      expect(decided.approval).toMatchObject({ state: "approved", edited_arguments: form });
      expect(await codeOf(call(form))).toBe("done");
      expect(await stateOf(house, approval_id)).toBe("used");
    }
    for (const [call, asked, edited, why] of [
      [
        put,
        written,
        { ...written, valeu: "2" },
        /^input\.invalid: put_state could not be called with this: there is no argument "valeu"; did you mean value\?/,
      ],
      [put, written, { key: "a" }, /^input\.invalid: value is missing/],
      [put, written, { ...written, delete: true }, /^input\.invalid: with delete: true there is neither/],
      [
        put,
        written,
        { ...written, ttl_seconds: "soon" },
        /^input\.invalid: put_state .*: ttl_seconds must be a (whole )?number/,
      ],
      [put, written, { key: "a", value: "[".repeat(500) + "]".repeat(500) }, /^state\.value_invalid: /],
      [
        acquire,
        { resources: ["d"] },
        { resources: ["d"], mode: "some" },
        /^input\.invalid: acquire_lock .*: mode must be one of exclusive, shared/,
      ],
      [acquire, { resources: ["d"] }, { resources: ["d"], notify: "bob" }, /^input\.invalid: notify takes/],
      [
        send,
        { to: "bob", body: "z" },
        { to: ["bob"], body: "z", priority: "now" },
        /^input\.invalid: send_message .*: priority must be one of/,
      ],
      [send, { to: "bob", body: "z" }, { to: "bob", body: "z".repeat(70_000) }, /^approval\.too_large: /],
      [send, { to: "bob", body: "z" }, { to: "dan" }, /^approval\.edit_elsewhere: /],
    ] as const) {
      const refusal = (await call(asked).catch((error: unknown) => error)) as { message: string };
      const [approval_id] = refusal.message.match(/ap-[0-9a-z]{12}/g)!;
      const edit = decideApproval(
        house.approvals,
        carol,
        { approval_id: approval_id!, decision: "edit", arguments: edited },
        "tool",
      );
      await expect(edit).rejects.toThrow(why);
      expect(await stateOf(house, approval_id)).toBe("pending");
    }
  });

  it("counts where nobody knows what a call did, and whoever cannot tell that it did something is answered all the same", async () => {
    const house = await houseWith(plansNeedAPerson);
    const { caller } = await Agent.begin(house, "alice");
    const put = (value: string) =>
      house.rooms.state.putState(caller, { key: "plan/a", value, idempotency_key: value });
    const { run } = house.store;
    const failing = (name: string, nth = 1): void => {
      let ran = 0;
      house.store.run = async (script, ...rest) => {
        const isIt = script.name.includes(name) && ++ran === nth;
        if (isIt) house.store.run = run;
        const reply = await run.call(house.store, script, ...rest);
        return isIt ? refuse("store.outcome_unknown") : reply;
      };
    };
    const [unknown] = await approved(house, () => put("1"));
    // The look whether it was done did nothing, whatever became of it.
    failing("put-state");
    expect(await codeOf(put("1"))).toBe("store.outcome_unknown");
    expect(await stateOf(house, unknown)).toBe("approved");
    failing("put-state", 2);
    expect(await codeOf(put("1"))).toBe("store.outcome_unknown");
    expect(await stateOf(house, unknown)).toBe("used");
    expect(await put("1")).toMatchObject({ state: "stored", replayed: true });
    await approved(house, () => put("2"));
    failing("settle-claim");
    expect(await put("2")).toMatchObject({ state: "stored", replayed: false });
    expect(await put("2")).toMatchObject({ state: "stored", replayed: true });
  });

  it("comes back where an answer was lost before the call could do anything, and counts where the store has forgotten the claim", async () => {
    const house = await houseWith(plansNeedAPerson);
    const { caller } = await Agent.begin(house, "alice");
    const put = (value: string) => house.rooms.state.putState(caller, { key: "plan/a", value });
    const { run } = house.store;
    for (const [name, word] of [
      ["claim-approval", "u:alice:"],
      ["check-policy", "approved"],
    ] as const) {
      const [id] = await approved(house, () => put(name));
      house.store.run = async (script, keys, args, ...rest) => {
        const reply = await run.call(house.store, script, keys, args, ...rest);
        if (!script.name.includes(name) || !args.some((one) => String(one).startsWith(word))) return reply;
        house.store.run = run;
        return refuse("store.outcome_unknown");
      };
      expect(await codeOf(put(name))).toBe("store.outcome_unknown");
      expect(await stateOf(house, id)).toBe("approved");
      expect(await put(name)).toMatchObject({ state: "stored" });
      expect(await stateOf(house, id)).toBe("used");
    }
    const [id] = await approved(house, () => put("lost"));
    const { requests } = approvalKeys(house.config.namespace);
    const before = String(await house.store.command("HGET", requests, id!));
    house.store.run = async (script, ...rest) => {
      if (script.name.includes("settle-claim")) await house.store.command("HSET", requests, id!, before);
      return run.call(house.store, script, ...rest);
    };
    expect(await put("lost")).toMatchObject({ state: "stored" });
    house.store.run = run;
    expect(await stateOf(house, id)).toBe("used");
    expect(await codeOf(put("lost"))).toBe("policy.approval_required");
  });

  it("lets a key pass by the rules of now as long as nothing came of it", async () => {
    const house = await houseWith(plansNeedAPerson);
    const { caller } = await Agent.begin(house, "alice");
    const { putState } = house.rooms.state;
    const operator = operatorOf(house);
    let version = 1;
    const decide = async (effect: string): Promise<void> => {
      const rules = plansNeedAPerson.replace("require_approval", effect);
      const text = `version: 1\notherwise: allow\nunknown: allow\n${rules}`;
      await house.ruleBook.put(operator, { text, over: version++ });
      const until = Date.now() + 10_000;
      const isInForce = async () =>
        (await house.ruleBook.inForce(house.config.namespace)).version === version;
      while (!(await isInForce()) && Date.now() < until);
    };
    const put = () =>
      putState(caller, { key: "plan/a", value: "1", expected_version: 0, idempotency_key: "k" });
    await putState(operator, { key: "plan/a", value: "theirs" });
    const [id] = await approved(house, put);
    expect(await put()).toMatchObject({ state: "conflict" });
    await decide("deny");
    await putState(operator, { key: "plan/a", delete: true });
    expect(await codeOf(put())).toBe("policy.denied");
    expect(await stateOf(house, id)).toBe("approved");
    await decide("require_approval");
    expect(await put()).toMatchObject({ state: "stored", replayed: false });
    expect(await stateOf(house, id)).toBe("used");
    await decide("deny");
    // It was done, and is told again.
    expect(await put()).toMatchObject({ state: "stored", replayed: true });
  });

  it("is that of one of several equal calls, in whatever process, and of all attempts with one key", async () => {
    const house = await houseWith(plansNeedAPerson);
    const other = await houseWith(undefined, house.config.namespace);
    const callers = [(await Agent.begin(house, "alice")).caller, (await Agent.begin(other, "alice")).caller];
    const write = (n: number, more = {}) =>
      [house, other][n % 2]!.rooms.state.putState(callers[n % 2]!, { key: "plan/a", value: "1", ...more });
    for (let round = 0; round < 5; round++) {
      await approved(house, () => write(0));
      const codes = await Promise.all([0, 1, 2, 3].map((n) => codeOf(write(n))));
      expect(
        codes.filter((code) => code === "done"),
        `round ${round}: ${codes}`,
      ).toHaveLength(1);
      for (const code of codes) expect(code).toMatch(/^(done|approval\.in_use|policy\.approval_required)$/);
      const keyed = { value: `${round}`, idempotency_key: `k${round}` };
      const [id] = await approved(house, () => write(0, keyed));
      const answers = await Promise.all([0, 1, 2, 3].map((n) => write(n, keyed)));
      expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
      expect(await stateOf(house, id)).toBe("used");
    }
  });

  it("waits until all that one call needs are there, and is that of all of them", async () => {
    const house = await houseWith(`
rules:
  - { id: mail, actions: [mailbox.send], resources: [bob, carol], effect: require_approval }
  - { id: no, actions: [mailbox.send], resources: [eve], effect: deny }
`);
    const alice = await Agent.begin(house, "alice");
    const send = () => alice.send(["bob", "carol", "dave"], "hello");
    const refusal = async (): Promise<string> =>
      send().then(
        () => "done",
        (error: Error) => error.message,
      );
    const first = await refusal();
    const [bob, carol] = first.match(/ap-[0-9a-z]{12}/g)!;
    expect(first).toMatch(
      new RegExp(`approval_id ${bob} .*Nothing is used before all are approved: ${carol} is open too\\.$`),
    );
    await agree(house, bob!);
    for (let n = 0; n < 2; n++) {
      expect(await refusal()).toMatch(
        new RegExp(
          `approval_id ${carol} .*repeat this call unchanged, or with the arguments that it shows\\.$`,
        ),
      );
      expect(await stateOf(house, bob)).toBe("approved");
    }
    await agree(house, carol!);
    expect(await refusal()).toBe("done");
    expect([await stateOf(house, bob), await stateOf(house, carol)]).toEqual(["used", "used"]);
    expect(await recentMessages(house.mail, house.config.namespace, "bob", { limit: 9 })).toHaveLength(1);
    const [again] = await approved(house, () => alice.send("bob", "more"));
    const both = () => alice.send(["bob", "eve"], "more");
    expect(await codeOf(both())).toBe("policy.denied");
    expect(await stateOf(house, again)).toBe("approved");
  });

  it("is nobody else's while one operation holds it, and comes back when none of its attempts did anything", async () => {
    const desk = await deskWith();
    const { id } = await desk.ask();
    await desk.decide(id, "approve");
    const [one, other] = [
      await desk.claim("op", {}, "alice", {}, "1"),
      await desk.claim("op", {}, "alice", {}, "2"),
    ];
    await expect(desk.claim("other")).rejects.toThrow(new RegExp(`^approval\\.in_use: .*${id}`));
    expect(await desk.ask()).toMatchObject({ id, state: "approved", isNew: false });
    await one!.settle(false);
    await expect(desk.claim("other")).rejects.toThrow(/^approval\.in_use/);
    await other!.settle(false);
    const third = await desk.claim("other");
    // Too late: it was given back.
    await other!.settle(true);
    await third!.settle(true);
    expect((await desk.wait(id)).state).toBe("used");
    expect(await desk.use("op")).toBeUndefined();
    expect(await desk.use("other")).toMatchObject({ id, replayed: true });
    expect((await desk.rows()).filter((row) => row.includes("approval.use"))).toEqual(
      Array(2).fill(`alice approval.use approval:${id} allow approved by carol`),
    );
  });

  it("is void when it comes back and the same was asked under other terms meanwhile, which stand", async () => {
    const desk = await deskWith();
    const { id } = await desk.ask();
    await desk.decide(id, "approve");
    const held = await desk.claim("op");
    const two = await desk.ask({}, { quorum: 2 });
    expect(two.isNew).toBe(true);
    expect((await desk.wait(id)).state).toBe("approved");
    await held!.settle(false);
    expect((await desk.wait(id)).state).toBe("void");
    expect(await desk.use("op-2")).toBeUndefined();
    expect(await desk.ask({}, { quorum: 2 })).toMatchObject({ id: two.id, isNew: false });
  });

  it("counts when whoever held it is gone, also past the time in which it could be used, and says so", async () => {
    const desk = await deskWith({ claimMs: 400, usableMs: 200 });
    const { id } = await desk.ask();
    await desk.decide(id, "approve");
    const held = await desk.claim("op");
    const until = Date.now() + 10_000;
    const seen = new Set<string>();
    while (!seen.has("used") && Date.now() < until) seen.add((await desk.wait(id)).state);
    expect([...seen]).toEqual(["approved", "used"]);
    await held!.settle(false);
    expect((await desk.wait(id)).state).toBe("used");
    expect(await desk.use("op-2")).toBeUndefined();
    expect(await desk.use("op")).toMatchObject({ id, replayed: true });
    expect((await desk.ask()).isNew).toBe(true);
    expect(await desk.rows()).toContain(
      ` approval.time approval:${id} allow used: whoever held it did not tell what it did`,
    );
  });
});
