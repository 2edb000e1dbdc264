import { afterEach, expect, it } from "vitest";
import { findRequest } from "../../src/approvals/get-approval.js";
import {
  approvalLines,
  approvalWarnings,
  attendApprovals,
  countWaiting,
  getApproval,
  linkApproval,
  listApprovals,
  voteLines,
} from "../../src/approvals/index.js";
import type { Role } from "../../src/identity/index.js";
import type { Part } from "../../src/mcp/reply.js";
import { checkPolicy as checkPolicyTool } from "../../src/mcp/tools/check-policy.js";
import { answerHook, checkPolicy, readHookEvent } from "../../src/policy/index.js";
import { approvalKeys } from "../../src/redis/index.js";
import { changeGrants } from "../agents/change-grants.js";
import { describeOnEachStore } from "../stores/index.js";
import { ApprovalDesk } from "./approval-desk.js";

describeOnEachStore("an approval", (store) => {
  const desks: ApprovalDesk[] = [];
  const open = async (...given: unknown[]): Promise<ApprovalDesk> => {
    const desk = await ApprovalDesk.open(store().url, ...(given as []));
    desks.push(desk);
    return desk;
  };
  const again = async (desk: ApprovalDesk): Promise<ApprovalDesk> => {
    const other = await desk.again();
    desks.push(other);
    return other;
  };
  afterEach(async () => {
    await Promise.all(desks.splice(0).map((desk) => desk.close()));
  });

  it("carries everything its approver needs", async () => {
    const desk = await open();
    const { id, state, isNew } = await desk.ask(
      {},
      { quorum: 2, escalate: { afterMs: 60_000, to: ["role:admin"] }, byClient: true },
    );
    expect([state, isNew]).toEqual(["pending", true]);
    const approval = await getApproval(desk.house.approvals, desk.approver("carol"), id);
    expect(approval).toMatchObject({
      ...{ id, state: "pending", agent: "alice", verified: true, roles: ["agent"], role: "", team: "" },
      ...{ action: "file.delete", resource: "vault", arguments: { path: "/prod/a" }, context: { cost: 3 } },
      ...{ why: "it is old", risk: "high", rules: ["destructive"] },
      reasons: ["destructive actions need a person"],
      ...{ otherwise: "deny", quorum: 2, approvers: ["role:approver"], escalates_to: ["role:admin"] },
      ...{ by_client: true, votes: [], decided_by: [] },
    });
    expect(Date.parse(approval.expires_at) - Date.parse(approval.opened_at)).toBe(3_600_000);
    expect(Date.parse(approval.escalates_at!) - Date.parse(approval.opened_at)).toBe(60_000);
    expect(approval.effect).toBeUndefined();
  });

  it("tells where the limit stands that asks for it, and no word of ours as its requester's", async () => {
    const desk = await open();
    const { approvals, policy, ruleBook } = desk.house;
    await ruleBook.put(desk.operator(), {
      text: `version: 1
unknown: allow
limits:
  - { id: ask, of: cost, actions: [q.x], per: agent, most: 5, window: 1d, effect: require_approval, unsettled: charge }
`,
      over: 0,
    });
    const alice = desk.caller("alice");
    await checkPolicy(policy, alice, { action: "q.x", context: { cost: 2, note: "mine" } });
    const asked = await checkPolicy(policy, alice, { action: "q.x", context: { cost: 6, note: "mine" } });
    const approval = await getApproval(approvals, desk.operator(), asked.approval!.id);
    const [ours, theirs] = approvalLines(approval).join("\n").split("In the words of alice");
    expect(ours).toMatch(
      /limit ask of agent:alice: at most 5 in 1d, of which 0 used and 2 held, so 3 left until \S+; this takes 6 more\n/,
    );
    expect(ours).toMatch(/^reserves: {2}6, until the step is settled$/m);
    expect(theirs).not.toContain("reserve");
    expect(approval).toMatchObject({ context: { cost: 6, note: "mine" }, added: { reserve: 6 } });
    // What was said to be reserved is said to cost as much, by us.
    const { approval: other } = await checkPolicy(policy, alice, { action: "q.x", reserve: 7 });
    expect(await getApproval(approvals, desk.operator(), other!.id)).toMatchObject({
      context: {},
      added: { reserve: 7, cost: 7 },
    });
    await desk.decide(other!.id, "approve");
    expect(await checkPolicy(policy, alice, { action: "q.x", reserve: 7 })).toMatchObject({
      decision: "allow",
      approved_by: other!.id,
    });
  });

  it("is approved once and used once, and the same operation again is the same use", async () => {
    const desk = await open();
    const { id } = await desk.ask();
    expect(await desk.use("op-1")).toBeUndefined();
    const { approval } = await desk.decide(id, "approve", { comment: "fine" });
    expect(approval).toMatchObject({ state: "approved", effect: "allow", decided_by: ["carol"] });
    expect(approval.votes).toMatchObject([
      { by: "carol", way: "tool", decision: "approve", comment: "fine", verified: true },
    ]);
    expect(await desk.use("op-1")).toEqual({ id, approvedBy: ["carol"], edited: false, replayed: false });
    expect(await desk.use("op-1")).toEqual({ id, approvedBy: ["carol"], edited: false, replayed: true });
    expect(await desk.use("op-2")).toBeUndefined();
    expect((await desk.wait(id)).state).toBe("used");
    expect(await desk.rows()).toEqual([
      `alice approval.open approval:${id} allow rules destructive`,
      `carol approval.decide approval:${id} allow role approver: approve by tool`,
      `alice approval.use approval:${id} allow approved by carol`,
      `alice approval.use approval:${id} allow approved by carol`,
    ]);
  });

  it("is of no use for anything that differs in agent, action, resource, arguments or context", async () => {
    const desk = await open();
    const { id } = await desk.ask();
    await desk.decide(id, "approve");
    const others = [
      { action: "file.move" },
      { resource: "prod/b" },
      { arguments: { path: "/prod/b" } },
      { arguments: { path: "/prod/a", recursive: true } },
      { context: { cost: 4 } },
    ];
    for (const other of others) expect(await desk.use(JSON.stringify(other), other)).toBeUndefined();
    expect(await desk.use("op", {}, "bob")).toBeUndefined();
    // The order of fields changes nothing, nor whether arguments are said by themselves or within the context.
    expect(
      await desk.use("op", { arguments: {}, context: { arguments: { path: "/prod/a" }, cost: 3 } }),
    ).toEqual({
      id,
      approvedBy: ["carol"],
      edited: false,
      replayed: false,
    });
  });

  it("stands for the same question while it waits, while it can be used, and no longer", async () => {
    const desk = await open();
    const first = await desk.ask();
    expect(await desk.ask()).toEqual({ ...first, isNew: false });
    await desk.decide(first.id, "approve");
    expect(await desk.ask()).toMatchObject({ id: first.id, state: "approved", isNew: false });
    await desk.use("op");
    const second = await desk.ask();
    expect(second.isNew).toBe(true);
    await desk.decide(second.id, "reject");
    expect((await desk.ask()).isNew).toBe(true);
    expect((await desk.ask({}, {}, "bob")).isNew).toBe(true);
  });

  it("is approved with other arguments, which alone can be used then", async () => {
    const desk = await open();
    const { id } = await desk.ask();
    const edited = { arguments: { path: "/prod/a.old" } };
    const { approval } = await desk.decide(id, "edit", edited);
    expect(approval).toMatchObject({ state: "approved", edited_arguments: edited.arguments });
    expect(await desk.use("op-1")).toBeUndefined();
    expect(await desk.ask()).toMatchObject({
      ...{ id, state: "approved", isNew: false },
      expiresAt: Date.parse(approval.usable_until!),
    });
    expect(await desk.use("op-2", edited)).toMatchObject({ id, edited: true });
    expect(await desk.use("op-3", edited)).toBeUndefined();
    expect((await desk.ask()).isNew).toBe(true);
  });

  it("is of no use where the rules want other terms by now, and void once it is asked again under those", async () => {
    const desk = await open();
    const { tokens, approvals, rooms } = desk.house;
    const two = { quorum: 2, approvers: ["role:admin"] };
    const approved = await desk.ask();
    await desk.decide(approved.id, "approve");
    for (const other of [
      { quorum: 2 },
      { approvers: ["role:admin"] },
      { byClient: true },
      { otherwise: "allow" as const },
      { escalate: { afterMs: 1_000, to: ["mia"] } },
    ])
      expect(await desk.use(JSON.stringify(other), {}, "alice", other)).toBeUndefined();
    expect((await desk.ask({}, { expiresMs: 1_000, approvers: ["role:approver"] })).id).toBe(approved.id);
    const asked = await desk.ask({}, two);
    expect(asked.isNew).toBe(true);
    expect(await desk.wait(approved.id)).toMatchObject({ state: "void", effect: "deny" });
    expect(await desk.use("op-1")).toBeUndefined();
    expect(await desk.use("op-2", {}, "alice", two)).toBeUndefined();
    // One that waits is void too, with the links to it, and takes no place of those that may wait.
    await tokens.setRoles(desk.operator(), "carol", ["approver"]);
    const third = await desk.ask();
    const { token } = await linkApproval(approvals, desk.operator(), third.id, "carol");
    const last = await desk.ask({}, two);
    expect((await desk.wait(third.id)).state).toBe("void");
    await expect(rooms.approvalLinks.decide(token, { decision: "approve" })).rejects.toThrow(
      /^approval\.link_void: .*void/,
    );
    await expect(desk.decide(third.id, "approve")).rejects.toThrow(/^approval\.ended/);
    expect((await listApprovals(approvals, desk.operator())).map(({ id }) => id)).toEqual([last.id]);
    expect(await desk.rows()).toContain(
      ` approval.time approval:${third.id} allow void: asked again under other terms as ${last.id}`,
    );
  });

  it("takes no place of those that may wait from the one it is asked again as", async () => {
    const desk = await open({ pending: 1, pendingOfAgent: 1 });
    const { id } = await desk.ask();
    expect((await desk.ask({}, { quorum: 2 })).id).not.toBe(id);
  });

  it("is told as refused before to whoever asks the same again, until it is approved", async () => {
    const desk = await open();
    const { policy, ruleBook, rooms } = desk.house;
    await ruleBook.put(desk.operator(), {
      text: `version: 1
rules:
  - { id: ask, actions: [db.drop, lock.acquire], effect: require_approval }
`,
      over: 0,
    });
    const check = () => checkPolicy(policy, desk.caller("alice"), { action: "db.drop", resource: "users" });
    const first = await check();
    expect(first.approval?.before).toBeUndefined();
    await desk.decide(first.approval!.id, "reject", { comment: "not on a Friday" });
    const before = { id: first.approval!.id, state: "rejected", by: "carol", text: "not on a Friday" };
    const second = await check();
    expect(second.approval).toMatchObject({ state: "pending", before });
    expect((await check()).approval).toMatchObject({ id: second.approval!.id, before });
    const [ours, theirs] = checkPolicyTool.say(
      second as never,
      { input: { action: "db.drop" } } as never,
    ) as Part[];
    expect(ours).toContain(`${before.id}, which asked the same, was rejected by carol`);
    expect(ours).not.toContain("Friday");
    expect(theirs).toEqual({ by: "carol", text: "not on a Friday" });
    await desk.decide(second.approval!.id, "answer", { comment: "drop a copy" });
    const third = await check();
    expect(third.approval?.before).toMatchObject({ id: second.approval!.id, state: "answered" });
    await desk.decide(third.approval!.id, "approve");
    expect((await check()).decision).toBe("allow");
    expect((await check()).approval?.before).toBeUndefined();
    // A call of a tool of ours names it, and where to read why.
    const acquire = () =>
      rooms.locks.acquireLock(desk.caller("alice"), { resources: ["prod/x"] }).then(
        () => "",
        (error: Error) => error.message,
      );
    const [id] = /ap-[0-9a-z]{12}/.exec(await acquire())!;
    await desk.decide(id, "reject", { comment: "it is night" });
    const refusal = await acquire();
    expect(refusal).toContain(`${id}, which asked the same, was rejected by carol: call check_policy with`);
    expect(refusal).not.toContain("night");
  });

  it("is told as denied to whoever waits for it where a rule denies by now what was approved", async () => {
    const desk = await open();
    const { policy, ruleBook, rooms } = desk.house;
    const put = (rule: string, over: number) =>
      ruleBook.put(desk.operator(), { text: `version: 1\nunknown: allow\nrules: [${rule}]`, over });
    const ask = "{ id: ask, actions: [state.write, db.drop], effect: require_approval }";
    await put(ask, 0);
    const alice = desk.caller("alice");
    const write = () => rooms.state.putState(alice, { key: "plan/a", value: "1" });
    const { message } = (await write().catch((error: unknown) => error)) as Error;
    const [id] = /ap-[0-9a-z]{12}/.exec(message)!;
    const dropped = await checkPolicy(policy, alice, { action: "db.drop", context: { cost: 1 } });
    for (const one of [id, dropped.approval!.id]) await desk.decide(one, "approve");
    const look = (approval_id: string) => checkPolicy(policy, alice, { approval_id });
    expect([(await look(id)).decision, (await look(dropped.approval!.id)).decision]).toEqual([
      "allow",
      "allow",
    ]);
    const no =
      "{ id: no, actions: [state.write], when: context.arguments.value == '1', effect: deny, reason: it is frozen }";
    await put(`${ask}, ${no}`, 1);
    const answer = await look(id);
    expect(answer).toMatchObject({
      ...{ decision: "deny", reasons: [{ by: "rule no", reason: "it is frozen" }] },
      approval: { state: "approved" },
    });
    const said = (
      checkPolicyTool.say(answer as never, { input: { approval_id: id } } as never) as Part[]
    ).join("\n");
    expect(said).toContain("the rules deny the step by now");
    expect(said).not.toContain("repeat");
    await expect(write()).rejects.toThrow(/^policy\.denied/);
    expect((await look(dropped.approval!.id)).decision).toBe("allow");
    await put(ask, 2);
    expect((await look(id)).decision).toBe("allow");
    expect((await write()).state).toBe("stored");
  });

  it("is told as denied too where a rule cannot be decided by now, where none holds, and where the action is unknown", async () => {
    const desk = await open();
    const { policy, ruleBook } = desk.house;
    const ask = "{ id: ask, actions: [frob.widget], effect: require_approval }";
    let version = 0;
    const put = (text: string) =>
      ruleBook.put(desk.operator(), { text: `version: 1\n${text}`, over: version++ });
    const alice = desk.caller("alice");
    await put(`rules: [${ask}]`);
    const asked = [{}, { arguments: {} }, { arguments: { path: "a" } }];
    const ids: string[] = [];
    for (const [n, context] of asked.entries()) {
      const { approval } = await checkPolicy(policy, alice, {
        action: "frob.widget",
        resource: `${n}`,
        context,
      });
      await desk.decide(approval!.id, "approve");
      ids.push(approval!.id);
    }
    const looks = async () => {
      const answers = [];
      for (const id of ids) answers.push(await checkPolicy(policy, alice, { approval_id: id }));
      return answers;
    };
    for (const [rules, expected] of [
      [
        `rules: [${ask}, { id: no, actions: [frob.widget], when: 'context.ticket == "x"', effect: deny }]`,
        {
          reasons: [{ by: "rule no", reason: expect.stringContaining("could not be decided") }],
          known: true,
        },
      ],
      [
        "otherwise: deny\nrules: [{ id: other, actions: [frob.widget, x.y], resources: [zzz], effect: require_approval }]",
        { reasons: [], known: true },
      ],
      [
        "unknown: deny\nrules: [{ id: other, actions: [zz.yy], effect: deny }]",
        { reasons: [], known: false },
      ],
    ] as const) {
      await put(rules);
      for (const answer of await looks()) {
        expect(answer).toMatchObject({ decision: "deny", approval: { state: "approved" }, ...expected });
        const said = checkPolicyTool.say(answer as never, { input: {} } as never) as Part[];
        expect(said.join("\n")).toContain("the rules deny the step by now");
      }
      for (const [n, context] of asked.entries())
        expect(
          (await checkPolicy(policy, alice, { action: "frob.widget", resource: `${n}`, context })).decision,
        ).toBe("deny");
    }
    // With no arguments, or none in the list: it is denied where both would be.
    await put(
      `rules: [${ask}, { id: no, actions: [frob.widget], when: 'size(context.arguments) > 0', effect: deny }]`,
    );
    expect((await looks()).map(({ decision }) => decision)).toEqual(["allow", "allow", "deny"]);
  });

  it("is not told as denied for what was added to the question when it was asked", async () => {
    const desk = await open();
    const { policy, ruleBook } = desk.house;
    const put = (dear: number, over: number) =>
      ruleBook.put(desk.operator(), {
        text: `version: 1
unknown: allow
rules:
  - { id: ask, actions: [q.x], effect: require_approval }
  - { id: dear, actions: [q.x], when: context.cost > ${dear}, effect: deny }
`,
        over,
      });
    await put(10, 0);
    const alice = desk.caller("alice");
    const { approval } = await checkPolicy(policy, alice, { action: "q.x", reserve: 7 });
    await desk.decide(approval!.id, "approve");
    const look = () => checkPolicy(policy, alice, { approval_id: approval!.id });
    expect(await look()).toMatchObject({ decision: "allow", reasons: [] });
    await put(5, 1);
    expect(await look()).toMatchObject({ decision: "deny", reasons: [{ by: "rule dear" }] });
    await put(10, 2);
    expect(await checkPolicy(policy, alice, { action: "q.x", reserve: 7 })).toMatchObject({
      ...{ decision: "allow", approved_by: approval!.id },
    });
  });

  it("is told as denied where a rule denies by now any of the steps of a command that was approved", async () => {
    const desk = await open();
    const { policy, ruleBook } = desk.house;
    const ask = "{ id: ask, actions: [file.delete], effect: require_approval }";
    let version = 0;
    const put = (rule = "") =>
      ruleBook.put(desk.operator(), {
        text: `version: 1\nunknown: allow\ncounters: { often: { actions: [shell.run], per: agent, window: 1d } }\nrules: [${ask}${rule}]`,
        over: version++,
      });
    await put();
    const alice = desk.caller("alice");
    const command = "rm a; git push --force; echo > 'b c'";
    const event = readHookEvent({ tool_name: "Bash", tool_input: { command }, cwd: "/repo" })!;
    const call = async () =>
      (await answerHook(policy, alice, event)).hookSpecificOutput?.permissionDecisionReason ?? "passes";
    const [id] = /ap-[0-9a-z]{12}/.exec(await call())!;
    await desk.decide(id, "approve");
    const look = () => checkPolicy(policy, alice, { approval_id: id });
    expect((await look()).decision).toBe("allow");
    for (const no of [
      "actions: [git.push_force]",
      "actions: [file.write], resources: ['b c']",
      "actions: [shell.run], when: 'context.arguments.command.contains(\"force\")'",
      "actions: [shell.run], when: 'counts.often < 5'",
    ]) {
      await put(`, { id: no, ${no}, effect: deny, reason: it is frozen }`);
      expect([no, await look()]).toMatchObject([
        no,
        {
          ...{ decision: "deny", reasons: [{ by: "rule no", reason: "it is frozen" }] },
          approval: { state: "approved" },
        },
      ]);
      expect(await call()).toContain("it is frozen");
    }
    // What whoever asks calls steps is nothing that it does.
    const said = { action: "file.delete", resource: "d", context: { steps: ["git.push_force"] } };
    const own = (await checkPolicy(policy, alice, said)).approval!.id;
    await desk.decide(own, "approve");
    await put(", { id: no, actions: [git.push_force], effect: deny }");
    expect((await checkPolicy(policy, alice, { approval_id: own })).decision).toBe("allow");
    await put();
    expect((await look()).decision).toBe("allow");
    expect(await call()).toBe("passes");
  });

  it("lets pass no edit into arguments for which the rules want more", async () => {
    const desk = await open();
    await desk.house.ruleBook.put(desk.operator(), {
      text: `version: 1
rules:
  - { id: any, actions: [file.delete], effect: require_approval, approval: { approvers: ["role:approver"] } }
  - { id: prod, actions: [file.delete], when: 'context.arguments.path == "/prod"', priority: 9, effect: require_approval, approval: { approvers: ["role:admin"], quorum: 2 } }
`,
      over: 0,
    });
    const check = (path: string) =>
      checkPolicy(desk.house.policy, desk.caller("alice"), {
        action: "file.delete",
        context: { arguments: { path } },
      });
    const { approval } = await check("/tmp");
    await desk.decide(approval!.id, "edit", { arguments: { path: "/prod" } });
    const prod = await check("/prod");
    expect(prod).toMatchObject({ decision: "require_approval", approval: { state: "pending" } });
    expect(prod.approval!.id).not.toBe(approval!.id);
    expect(await desk.wait(prod.approval!.id)).toMatchObject({ quorum: 2, approvers: ["role:admin"] });
    expect((await desk.wait(approval!.id)).state).toBe("void");
    // Where the rules want no more for it, an edit passes.
    const { approval: other } = await check("/a");
    await desk.decide(other!.id, "edit", { arguments: { path: "/b" } });
    expect(await check("/b")).toMatchObject({ decision: "allow", approved_by: other!.id });
  });

  it("is not edited into what is asked about by itself, nor into what its requester could not use", async () => {
    const desk = await open();
    const edited = { arguments: { path: "/prod/b" } };
    const [first, second] = [await desk.ask(), await desk.ask(edited)];
    const edit = () => desk.decide(first.id, "edit", edited);
    await expect(edit()).rejects.toThrow(new RegExp(`^approval\\.edit_asked: .*${second.id}`));
    await desk.decide(second.id, "approve");
    await expect(edit()).rejects.toThrow(/^approval\.edit_asked/);
    expect(await desk.use("op-1", edited)).toMatchObject({ id: second.id });
    expect((await edit()).approval.state).toBe("approved");
    expect(await desk.use("op-2", edited)).toMatchObject({ id: first.id, edited: true });
    for (const [action, resource, naming, given, other] of [
      ["mailbox.send", "bob", "to", { to: ["bob"], body: "a" }, { to: ["carl"], body: "a" }],
      ["topic.publish", "topic:a", "to", { to: ["topic:a"], body: "a" }, { body: "a" }],
      ["lock.acquire", "lock:a", "resources", { resources: ["a"] }, { resources: ["a", "b"] }],
      ["state.write", "state:a", "key", { key: "a", value: 1 }, { key: "b", value: 1 }],
    ] as const) {
      const { id } = await desk.ask({ action, resource, naming, arguments: given, context: {} });
      await expect(desk.decide(id, "edit", { arguments: other })).rejects.toThrow(
        /^approval\.edit_elsewhere/,
      );
      const changed = { "lock.acquire": { priority: 9 }, "state.write": { value: "2" } } as Record<
        string,
        object
      >;
      const more = { ...given, ...(changed[action] ?? { body: "b" }) };
      expect((await desk.decide(id, "edit", { arguments: more })).approval.state).toBe("approved");
    }
    // Of other steps too nobody would ask the rules about what an edit makes of the resource.
    for (const [asked, other, named] of [
      [{ resource: "prod/c", arguments: { path: "/prod/c", n: 1 } }, { path: "/prod/d", n: 1 }, "path of"],
      [
        { resource: "", arguments: { command: "rm a", n: 1 }, naming: "command" },
        { command: "rm b" },
        "command of",
      ],
      [{ resource: "d", arguments: { "say yes": "d", n: 1 } }, { "say yes": "e" }, "an argument of"],
    ] as const) {
      const { id } = await desk.ask(asked);
      const edit = (given: object) => desk.decide(id, "edit", { arguments: { ...given } });
      await expect(edit(other)).rejects.toThrow(new RegExp(`^approval\\.edit_elsewhere: ${named} ${id} `));
      expect((await edit({ ...asked.arguments, n: 2 })).approval.state).toBe("approved");
    }
  });

  it("is rejected or answered by one, which allows nothing", async () => {
    const desk = await open();
    const { id } = await desk.ask({}, { quorum: 3 });
    const { approval } = await desk.decide(id, "reject", { comment: "no" });
    expect(approval).toMatchObject({ state: "rejected", effect: "deny" });
    expect(await desk.use("op")).toBeUndefined();
    const other = await desk.ask({ resource: "prod/b" });
    expect((await desk.decide(other.id, "answer", { comment: "which one?" })).approval).toMatchObject({
      ...{ state: "answered", effect: "deny", answer: "which one?" },
    });
    expect(await desk.use("op", { resource: "prod/b" })).toBeUndefined();
    await expect(desk.decide(other.id, "answer")).rejects.toThrow(/input\.invalid/);
    await expect(desk.decide(other.id, "edit")).rejects.toThrow(/input\.invalid/);
    await expect(desk.decide(other.id, "approve", { arguments: {} })).rejects.toThrow(/input\.invalid/);
  });

  it("waits for as many different approvers as its quorum, who say the same", async () => {
    const desk = await open();
    const { id } = await desk.ask({}, { quorum: 2 });
    const [carol, dan, erin] = ["carol", "dan", "erin"].map((name) => desk.approver(name));
    expect(await desk.decide(id, "approve", {}, carol)).toMatchObject({ agreeing: 1, repeated: false });
    expect(await desk.decide(id, "approve", {}, carol)).toMatchObject({ agreeing: 1, repeated: true });
    expect((await desk.wait(id)).state).toBe("pending");
    // Another thing is approved here: they do not count together.
    const edited = { arguments: { path: "/prod/b" } };
    expect(await desk.decide(id, "edit", edited, dan)).toMatchObject({ agreeing: 1 });
    const { approval } = await desk.decide(id, "edit", edited, erin);
    expect(approval).toMatchObject({ state: "approved", edited_arguments: edited.arguments });
    expect([...approval.decided_by].sort()).toEqual(["dan", "erin"]);
    expect(await desk.use("op")).toBeUndefined();
    expect((await desk.use("op-2", edited, "alice", { quorum: 2 }))?.approvedBy.length).toBe(2);
  });

  it("has one vote of each approver, of which the last one counts", async () => {
    const desk = await open();
    const { id } = await desk.ask({}, { quorum: 2 });
    const carol = desk.approver("carol");
    await desk.decide(id, "approve", {}, carol);
    await desk.decide(id, "edit", { arguments: { path: "/c" } }, carol);
    expect(await desk.decide(id, "approve", {}, desk.approver("dan"))).toMatchObject({ agreeing: 1 });
    expect((await desk.wait(id)).votes.map(({ by, decision }) => `${by} ${decision}`)).toEqual([
      "carol edit",
      "dan approve",
    ]);
    expect(await desk.decide(id, "approve", {}, carol)).toMatchObject({ approval: { state: "approved" } });
  });

  it("is decided once per idempotency key, which another decision may not use again", async () => {
    const desk = await open();
    const { id } = await desk.ask({}, { quorum: 2 });
    const key = { idempotency_key: "k" };
    expect(await desk.decide(id, "approve", key)).toMatchObject({ agreeing: 1, repeated: false });
    expect(await desk.decide(id, "approve", key)).toMatchObject({ agreeing: 1, repeated: true });
    await expect(desk.decide(id, "reject", key)).rejects.toThrow(/idempotency_conflict/);
    expect((await desk.wait(id)).votes).toHaveLength(1);
    await desk.decide(id, "approve", key, desk.approver("dan"));
    expect((await desk.wait(id)).state).toBe("approved");
    expect(await desk.decide(id, "approve", key)).toMatchObject({ repeated: true });
  });

  it("is never decided by whoever asked, also not as the operator under that name", async () => {
    const desk = await open();
    const { id } = await desk.ask({}, { approvers: ["alice", "role:approver", "role:admin"] });
    const own = [
      desk.approver("alice"),
      desk.caller("alice", ["admin"]),
      desk.caller("alice", ["admin"], { credential: { kind: "operator" } }),
    ];
    for (const caller of own)
      await expect(desk.decide(id, "approve", {}, caller)).rejects.toThrow(/^approval\.own/);
    expect((await desk.wait(id)).votes).toEqual([]);
  });

  it("is decided by those it names who have the right, and by the operator", async () => {
    const desk = await open();
    const { id } = await desk.ask({}, { approvers: ["carol"], quorum: 2 });
    await expect(desk.decide(id, "approve", {}, desk.caller("carol"))).rejects.toThrow(/^access\.denied/);
    await expect(desk.decide(id, "approve", {}, desk.approver("dan"))).rejects.toThrow(/^approval\.unknown/);
    await desk.decide(id, "approve", {}, desk.approver("carol"));
    const { approval } = await desk.decide(id, "approve", {}, desk.operator());
    expect(approval).toMatchObject({ state: "approved", decided_by: ["operator", "carol"] });
  });

  it("counts no vote of somebody who has lost the right meanwhile", async () => {
    const desk = await open();
    const { id } = await desk.ask({}, { quorum: 2 });
    await desk.decide(id, "approve", {}, desk.approver("carol"));
    await changeGrants(desk.house.access, desk.namespace, ["deny", "carol", "approval.decide", "*"]);
    expect(await desk.decide(id, "approve", {}, desk.approver("dan"))).toMatchObject({
      approval: { state: "pending" },
      agreeing: 1,
    });
    const { approval } = await desk.decide(id, "approve", {}, desk.approver("erin"));
    expect([...approval.decided_by].sort()).toEqual(["dan", "erin"]);
    await expect(desk.decide(id, "reject", {}, desk.approver("carol"))).rejects.toThrow(/^access\.denied/);
  });

  it("counts no vote of somebody who was stopped, who decides nothing, also by no link", async () => {
    const desk = await open();
    const { approvals, killSwitch, rooms, tokens } = desk.house;
    const { id } = await desk.ask({}, { quorum: 2 });
    for (const name of ["carol", "dan"]) await tokens.setRoles(desk.operator(), name, ["approver"]);
    const link = (agent: string) => linkApproval(approvals, desk.operator(), id, agent);
    const { token } = await link("carol");
    await desk.decide(id, "approve", {}, desk.approver("carol"));
    await killSwitch.stop(desk.operator(), "carol", "went astray");
    expect(await desk.decide(id, "approve", {}, desk.approver("dan"))).toMatchObject({
      approval: { state: "pending" },
      agreeing: 1,
    });
    await expect(desk.decide(id, "reject", {}, desk.approver("carol"))).rejects.toThrow(/^access\.stopped/);
    await expect(rooms.approvalLinks.see(token)).rejects.toThrow(/^approval\.link_void/);
    await expect(rooms.approvalLinks.decide(token, { decision: "reject" })).rejects.toThrow(
      /^approval\.link_void/,
    );
    await expect(link("carol")).rejects.toThrow(/^approval\.no_link_for/);
    const { approval } = await desk.decide(id, "approve", {}, desk.approver("erin"));
    expect([...approval.decided_by].sort()).toEqual(["dan", "erin"]);
  });

  it("counts no vote that was proved by a token revoked since, but one whose token ran out", async () => {
    const desk = await open();
    const operator = desk.operator();
    const { tokens } = desk.house;
    const issue = (agent: string) => tokens.issue(operator, agent, {}, ["approver"]);
    const [carol, dan, erin] = [await issue("carol"), await issue("dan"), await issue("erin")];
    const byToken = async ({ token }: { token: string }) => ({
      principal: await tokens.verify(token),
      run: { id: "x/1" as never },
    });
    // Once there are tokens here, a name alone is not believed any more.
    const alice = await byToken(await tokens.issue(operator, "alice", {}, ["agent"]));
    const { id } = await desk.ask({}, { quorum: 2 }, alice);
    await desk.decide(id, "approve", {}, await byToken(carol));
    await tokens.revoke(operator, carol.id);
    expect(await desk.decide(id, "approve", {}, await byToken(dan))).toMatchObject({
      approval: { state: "pending" },
      agreeing: 1,
    });
    await tokens.rotate(operator, dan.id, 0);
    expect(await desk.decide(id, "approve", {}, await byToken(erin))).toMatchObject({
      approval: { state: "approved" },
    });
  });

  it("is listed and shown with as many votes as count, and asks whoever's vote counts no more again", async () => {
    const desk = await open();
    const operator = desk.operator();
    const { approvals, tokens } = desk.house;
    const by = async (agent: string) => {
      const issued = await tokens.issue(operator, agent, {}, ["approver"]);
      const caller = { principal: await tokens.verify(issued.token), run: { id: "x/1" as never } };
      return { id: issued.id, caller };
    };
    const alice = await by("alice");
    const [carol, dave, erin] = [await by("carol"), await by("dave"), await by("erin")];
    const { id } = await desk.ask({}, { quorum: 3 }, alice.caller);
    await desk.decide(id, "approve", {}, carol.caller);
    await desk.decide(id, "approve", {}, dave.caller);
    await desk.decide(id, "edit", { arguments: { path: "/prod/b" } }, erin.caller);
    const heads = async () => await listApprovals(approvals, operator);
    expect(await heads()).toMatchObject([{ agreeing: 2, quorum: 3 }]);
    expect(await countWaiting(approvals, carol.caller)).toBe(0);
    await tokens.revoke(operator, carol.id);
    const again = (await by("carol")).caller;
    expect(await heads()).toMatchObject([
      { agreeing: 1, votes: [{ by: "carol", counts: false }, { by: "dave" }, { by: "erin" }] },
    ]);
    for (const shown of [
      await getApproval(approvals, operator, id),
      (await attendApprovals(approvals, dave.caller, { approval_id: id })).approval!,
    ]) {
      expect(shown.votes.map(({ by: name, counts }) => [name, counts ?? true])).toEqual([
        ["carol", false],
        ["dave", true],
        ["erin", true],
      ]);
      expect(shown.votes.flatMap(voteLines).join("\n")).toMatch(/carol by tool: approve \(does not count/);
    }
    expect(await countWaiting(approvals, again)).toBe(1);
    expect(await countWaiting(approvals, dave.caller)).toBe(0);
    expect(await desk.decide(id, "approve", {}, again)).toMatchObject({ agreeing: 2 });
    expect(await countWaiting(approvals, again)).toBe(0);
    expect(await heads()).toMatchObject([{ agreeing: 2 }]);
  });

  it("is decided by no link of somebody who had lost the right meanwhile, also where it was given back", async () => {
    const desk = await open();
    const { approvals, killSwitch, rooms, tokens } = desk.house;
    const { id } = await desk.ask();
    const setRoles = (role: Role) => tokens.setRoles(desk.operator(), "dave", [role]);
    const link = async () => (await linkApproval(approvals, desk.operator(), id, "dave")).token;
    const isVoid = async (token: string): Promise<boolean> =>
      rooms.approvalLinks.see(token).then(
        () => false,
        (error: Error) => error.message.startsWith("approval.link_void"),
      );
    await setRoles("approver");
    const [opened, unopened, stopped] = [await link(), await link(), await link()];
    await setRoles("agent");
    expect(await isVoid(opened)).toBe(true);
    await setRoles("approver");
    expect([await isVoid(opened), await isVoid(unopened)]).toEqual([true, false]);
    await setRoles("agent");
    await desk.sweep();
    await setRoles("approver");
    expect([await isVoid(opened), await isVoid(unopened)]).toEqual([true, true]);
    await expect(rooms.approvalLinks.decide(unopened, { decision: "approve" })).rejects.toThrow(
      "dave had lost the right",
    );
    const newer = await link();
    expect([await isVoid(newer), await isVoid(stopped)]).toEqual([false, true]);
    await killSwitch.stop(desk.operator(), "dave", "went astray");
    await killSwitch.resume(desk.operator(), "dave");
    expect(await isVoid(newer)).toBe(true);
    const last = await link();
    await desk.sweep();
    expect(await rooms.approvalLinks.decide(last, { decision: "approve" })).toMatchObject({
      approval: { state: "approved" },
    });
  });

  it("is decided by no link of somebody all of whose tokens were revoked since, also with another token", async () => {
    const desk = await open();
    const { approvals, rooms, tokens } = desk.house;
    const operator = desk.operator();
    const { id } = await desk.ask();
    const link = async () => (await linkApproval(approvals, operator, id, "dave")).token;
    const isOpen = async (token: string): Promise<boolean> =>
      rooms.approvalLinks.see(token).then(
        () => true,
        (error: Error) => !error.message.startsWith("approval.link_void"),
      );
    const first = await tokens.issue(operator, "dave", {}, ["approver"]);
    const token = await link();
    const second = await tokens.rotate(operator, first.id, 0);
    expect(await isOpen(token)).toBe(true);
    await tokens.recover(operator, "dave");
    expect(await isOpen(token)).toBe(true);
    await tokens.revoke(operator, second.id);
    expect(await isOpen(token)).toBe(true);
    await tokens.revokeAll(operator, "dave");
    await expect(rooms.approvalLinks.decide(token, { decision: "approve" })).rejects.toThrow(
      /^approval\.link_void/,
    );
    await expect(link()).rejects.toThrow(/^approval\.no_link_for/);
    await tokens.issue(operator, "dave");
    expect(await isOpen(token)).toBe(false);
    expect((await findRequest(approvals, desk.namespace, id))?.votes).toEqual([]);
    expect(await rooms.approvalLinks.decide(await link(), { decision: "approve" })).toMatchObject({
      approval: { state: "approved" },
    });
  });

  it("is not decided by a link that was looked at before its approver was revoked, and comes after", async () => {
    const desk = await open();
    const { approvals, rooms, tokens } = desk.house;
    const operator = desk.operator();
    const { id } = await desk.ask();
    await tokens.issue(operator, "dave", {}, ["approver"]);
    const { token } = await linkApproval(approvals, operator, id, "dave");
    const { isStopped } = approvals.deps;
    // Asked when the link was found to hold, and before the vote is put.
    const revokedMeanwhile: typeof isStopped = async (namespace, agent) => {
      await tokens.revokeAll(operator, "dave");
      return isStopped(namespace, agent);
    };
    Object.assign(approvals.deps, { isStopped: revokedMeanwhile });
    await expect(rooms.approvalLinks.decide(token, { decision: "approve" })).rejects.toThrow(
      "dave had lost the right",
    );
    const found = await findRequest(approvals, desk.namespace, id);
    expect([found?.request.state, found?.votes]).toEqual(["pending", []]);
  });

  it("says that whoever asked was stopped since, and is not approved meanwhile", async () => {
    const desk = await open();
    const { approvals, killSwitch, rooms, tokens } = desk.house;
    const { id } = await desk.ask();
    await tokens.setRoles(desk.operator(), "carol", ["approver"]);
    const { token } = await linkApproval(approvals, desk.operator(), id, "carol");
    expect(await listApprovals(approvals, desk.operator())).toEqual([
      expect.not.objectContaining({ stopped: true }),
    ]);
    await killSwitch.stop(desk.operator(), "alice", "went astray");
    expect(await listApprovals(approvals, desk.operator())).toMatchObject([
      { agent: "alice", stopped: true },
    ]);
    expect(approvalWarnings(await getApproval(approvals, desk.operator(), id)).join()).toContain(
      "alice was stopped since",
    );
    for (const decision of ["approve", "edit"] as const) {
      const asked = { decision, ...(decision === "edit" ? { arguments: { path: "/prod/b" } } : {}) };
      await expect(desk.decide(id, decision, asked)).rejects.toThrow(/^approval\.asker_stopped: alice/);
      await expect(rooms.approvalLinks.decide(token, asked)).rejects.toThrow(/^approval\.asker_stopped/);
    }
    await killSwitch.resume(desk.operator(), "alice");
    expect((await desk.decide(id, "approve")).approval.state).toBe("approved");
    const other = await desk.ask({ resource: "other" });
    await killSwitch.stop(desk.operator(), "alice", "went astray");
    expect((await desk.decide(other.id, "reject")).approval.state).toBe("rejected");
  });

  it("counts a vote that is repeated with new proof, and keeps its new comment", async () => {
    const desk = await open();
    const operator = desk.operator();
    const { tokens } = desk.house;
    const by = async (agent: string) => {
      const issued = await tokens.issue(operator, agent, {}, ["approver"]);
      const caller = { principal: await tokens.verify(issued.token), run: { id: "x/1" as never } };
      return { id: issued.id, caller };
    };
    const alice = await by("alice");
    const [carol, dave] = [await by("carol"), await by("dave")];
    const { id } = await desk.ask({}, { quorum: 2 }, alice.caller);
    await desk.decide(id, "approve", { comment: "first" }, carol.caller);
    expect(await desk.decide(id, "approve", { comment: "second" }, carol.caller)).toMatchObject({
      ...{ repeated: true, agreeing: 1 },
      approval: { votes: [{ by: "carol", comment: "second" }] },
    });
    await tokens.revoke(operator, carol.id);
    await desk.decide(id, "approve", {}, dave.caller);
    expect(await desk.decide(id, "approve", {}, dave.caller)).toMatchObject({ repeated: true, agreeing: 1 });
    const renewed = await by("carol");
    expect(await desk.decide(id, "approve", { comment: "third" }, renewed.caller)).toMatchObject({
      ...{ agreeing: 2, repeated: false },
      approval: { state: "approved" },
    });
  });

  it("expires at its time with the effect that was stated, seen by whoever looks, and told to whoever waits", async () => {
    const desk = await open();
    const denied = await desk.ask({}, { expiresMs: 60 });
    expect(await desk.wait(denied.id, { waitMs: 20_000 })).toMatchObject({
      state: "expired",
      effect: "deny",
    });
    expect(await desk.use("op-1")).toBeUndefined();
    await expect(desk.decide(denied.id, "approve")).rejects.toThrow(/^approval\.ended: ap-\w+ is expired/);
    const allowed = await desk.ask({ resource: "prod/b" }, { expiresMs: 60, otherwise: "allow" });
    const seen = await desk.wait(allowed.id, { waitMs: 20_000 });
    expect(seen).toMatchObject({ state: "expired", effect: "allow" });
    expect(seen.decided_at).toBe(seen.expires_at);
    const use = (name: string) => desk.use(name, { resource: "prod/b" }, "alice", { otherwise: "allow" });
    expect(await use("op-2")).toMatchObject({ id: allowed.id, approvedBy: [] });
    expect(await use("op-3")).toBeUndefined();
    expect(await desk.rows()).toEqual([
      `alice approval.open approval:${denied.id} allow rules destructive`,
      ` approval.time approval:${denied.id} allow nobody decided in time, so deny`,
      `alice approval.open approval:${allowed.id} allow rules destructive`,
      ` approval.time approval:${allowed.id} allow nobody decided in time, so allow`,
      `alice approval.use approval:${allowed.id} allow nobody decided in time`,
    ]);
  });

  it("is told as allowed and not as approved where nobody decided in time and that allows it", async () => {
    const desk = await open();
    const { id } = await desk.ask({}, { expiresMs: 40, otherwise: "allow" });
    const input = { approval_id: id };
    await desk.wait(id, { waitMs: 20_000 });
    const answer = await checkPolicy(desk.house.policy, desk.caller("alice"), input);
    const [said] = checkPolicyTool.say(answer as never, { input } as never);
    expect(said).toMatch(/^allowed because nobody decided in time, and not used yet\n/);
    expect(said).toContain(`until ${answer.approval!.until}, once`);
    expect(said).not.toContain("approved");
  });

  it("is void when it was not used in time", async () => {
    const desk = await open({ usableMs: 30 });
    const { id } = await desk.ask();
    await desk.decide(id, "approve");
    const until = Date.now() + 10_000;
    while ((await desk.wait(id)).state === "approved" && Date.now() < until);
    expect((await desk.wait(id)).state).toBe("void");
    expect(await desk.use("op")).toBeUndefined();
    expect((await desk.ask()).isNew).toBe(true);
  });

  it("escalates to others, who are told then and may decide from then on", async () => {
    const desk = await open();
    const mia = desk.caller("mia", ["approver"]);
    const { id } = await desk.ask(
      {},
      { approvers: ["carol"], escalate: { afterMs: 300, to: ["mia"] }, expiresMs: 600_000 },
    );
    const until = Date.now() + 10_000;
    let early = 0;
    for (;;) {
      const tried = await desk.decide(id, "approve", {}, mia).catch((error: Error) => error);
      if (!(tried instanceof Error)) break;
      expect(tried.message).toMatch(/^approval\.unknown/);
      early += 1;
      expect(Date.now()).toBeLessThan(until);
    }
    expect(early).toBeGreaterThan(0);
    expect((await desk.wait(id)).decided_by).toEqual(["mia"]);
  });

  it("is waited for without a question to the store until another process has decided it", async () => {
    const desk = await open();
    const other = await again(desk);
    const { id } = await desk.ask();
    await desk.wait(id);
    const looked = desk.roundTrips;
    const waiting = desk.wait(id, { waitMs: 30_000 });
    // Its row and its first look; from here on the wait sleeps.
    while (desk.roundTrips < looked + 2) await new Promise(setImmediate);
    const before = desk.roundTrips;
    await other.decide(id, "reject", { comment: "not today" });
    const decided = await waiting;
    expect(desk.roundTrips - before).toBe(1);
    expect(decided).toMatchObject({ state: "rejected", votes: [{ comment: "not today" }] });
  });

  it("is waited for in vain when the time is over, the call is cancelled or the process ends", async () => {
    const desk = await open();
    const { id } = await desk.ask();
    expect((await desk.wait(id, { waitMs: 30 })).state).toBe("pending");
    for (const name of ["signal", "draining"] as const) {
      const ends = new AbortController();
      const waiting = desk.wait(id, { waitMs: 60_000, [name]: ends.signal });
      ends.abort();
      expect((await waiting).state).toBe("pending");
    }
  });

  it("survives a restart of whoever waits and of whoever decides", async () => {
    const desk = await open();
    const { id } = await desk.ask();
    await desk.close();
    desks.splice(desks.indexOf(desk), 1);
    const deciding = await again(desk);
    await deciding.decide(id, "approve");
    await deciding.close();
    desks.splice(desks.indexOf(deciding), 1);
    const asking = await again(desk);
    expect((await asking.wait(id, { waitMs: 30_000 })).state).toBe("approved");
    expect(await asking.use("op")).toMatchObject({ id, replayed: false });
  });

  it("survives a store that is killed and comes back while somebody waits and a vote is missing", async () => {
    const desk = await open();
    const { id } = await desk.ask({}, { quorum: 2 });
    await desk.decide(id, "approve");
    const waiting = desk.wait(id, { waitMs: 60_000 });
    await store().restart();
    const other = await again(desk);
    await other.decide(id, "approve", {}, other.approver("dan"));
    expect(await waiting).toMatchObject({ state: "approved", decided_by: ["dan", "carol"] });
    const use = (by: ApprovalDesk) => by.use("op", {}, "alice", { quorum: 2 });
    expect(await use(desk)).toMatchObject({ id, replayed: false });
    expect(await use(other)).toMatchObject({ id, replayed: true });
  });

  it("is seen by its requester, approvers and the operator, and does not exist for others", async () => {
    const desk = await open();
    const { id } = await desk.ask();
    await expect(desk.wait(id, {}, "bob")).rejects.toThrow(/^approval\.unknown/);
    await expect(desk.wait("ap-000000000000")).rejects.toThrow(/^approval\.unknown/);
    await expect(getApproval(desk.house.approvals, desk.caller("bob"), id)).rejects.toThrow(
      /^access\.denied/,
    );
    expect((await getApproval(desk.house.approvals, desk.operator(), id)).id).toBe(id);
    await expect(desk.decide("ap-000000000000", "approve")).rejects.toThrow(/^approval\.unknown/);
  });

  it("is answered for those it is not put to as if it did not exist, whether they decide, look or list", async () => {
    const desk = await open();
    const { approvals } = desk.house;
    const { id } = await desk.ask({}, { approvers: ["carol"] });
    const none = "ap-000000000000";
    const dan = desk.approver("dan");
    for (const attempt of [
      (one: string) => desk.decide(one, "approve", {}, dan),
      (one: string) => attendApprovals(approvals, dan, { approval_id: one }),
      (one: string) => getApproval(approvals, dan, one),
    ]) {
      const said = async (one: string) =>
        attempt(one).then(
          () => "an answer",
          (error: Error) => error.message.replace(one, "ID"),
        );
      expect(await said(id)).toMatch(/^approval\.unknown/);
      expect(await said(id)).toBe(await said(none));
    }
    expect(await listApprovals(approvals, dan)).toEqual([]);
    for (const caller of [
      desk.approver("carol"),
      desk.caller("alice", ["approver"]),
      desk.caller("mia", ["admin"]),
    ]) {
      expect((await getApproval(approvals, caller, id)).id).toBe(id);
      expect(await listApprovals(approvals, caller)).toHaveLength(1);
    }
  });

  it("is listed while it waits, first what expires first, and counted for those who decide it", async () => {
    const desk = await open();
    const late = await desk.ask({ resource: "late" }, { expiresMs: 7_200_000 });
    // Of two that are opened in one millisecond neither is the newer.
    await new Promise((resolve) => setTimeout(resolve, 5));
    const soon = await desk.ask({ resource: "soon" }, { approvers: ["dan"] });
    const context = desk.house.approvals;
    const ids = async (all = false) =>
      (await listApprovals(context, desk.operator(), { all })).map(({ id }) => id);
    expect(await ids()).toEqual([soon.id, late.id]);
    expect(await countWaiting(context, desk.approver("carol"))).toBe(1);
    expect(await countWaiting(context, desk.approver("dan"))).toBe(2);
    expect(await countWaiting(context, desk.caller("alice", ["approver"]))).toBe(0);
    expect(await countWaiting(context, desk.caller("bob"))).toBe(0);
    await desk.decide(late.id, "reject");
    expect(await ids()).toEqual([soon.id]);
    expect(await ids(true)).toEqual([soon.id, late.id]);
    expect(await countWaiting(context, desk.approver("carol"))).toBe(0);
  });

  it("is refused beyond what may wait of an agent and of a namespace, where what is over is no obstacle", async () => {
    const desk = await open({ pending: 3, pendingOfAgent: 2 });
    const ask = (resource: string, by = "alice", expiresMs = 600_000) =>
      desk.ask({ resource }, { expiresMs }, by);
    const { id } = await ask("1");
    const short = await ask("2", "alice", 300);
    await expect(ask("3")).rejects.toThrow(/^approval\.too_many: 2 approvals of yours/);
    expect((await ask("1")).id).toBe(id);
    await ask("4", "bob");
    await expect(ask("5", "carl")).rejects.toThrow(/^approval\.too_many: 3 approvals of this namespace/);
    await desk.wait(short.id, { waitMs: 20_000 });
    await ask("5", "carl");
    await desk.decide(id, "reject");
    await ask("6");
  });

  it("takes arguments up to its limit and no more, by bytes and by depth", async () => {
    const desk = await open({ argumentBytes: 100 });
    const text = (bytes: number) => ({ a: "x".repeat(bytes - 8) });
    await desk.ask({ arguments: text(100) });
    await expect(desk.ask({ arguments: text(101) })).rejects.toThrow(/^approval\.too_large/);
    await expect(desk.ask({ context: text(101) })).rejects.toThrow(/^approval\.too_large/);
    let deep: Record<string, unknown> = {};
    for (let level = 1; level < 32; level++) deep = { a: deep };
    const wide = await open();
    const { id } = await wide.ask({ arguments: deep });
    await expect(wide.ask({ arguments: { a: { a: deep } } })).rejects.toThrow(/^input\.invalid/);
    await expect(wide.decide(id, "edit", { arguments: { a: { a: deep } } })).rejects.toThrow(
      /^input\.invalid/,
    );
  });

  it("is decided exactly once by 16 approvers at once, and used exactly once by 16 at once", async () => {
    const desk = await open();
    const other = await again(desk);
    const { id } = await desk.ask({}, { quorum: 3 });
    const outcomes = await Promise.all(
      Array.from({ length: 16 }, (_, n) =>
        (n % 2 ? desk : other).decide(id, "approve", {}, desk.approver(`approver-${n}`)).then(
          ({ approval, agreeing }) => `${approval.state === "pending" ? "vote" : "seen"} ${agreeing > 0}`,
          (error: Error) => error.message.split(":")[0],
        ),
      ),
    );
    expect(outcomes.filter((one) => one === "approval.ended")).toHaveLength(13);
    const { votes, decided_by } = await desk.wait(id);
    expect(votes).toHaveLength(3);
    expect(new Set(decided_by).size).toBe(3);
    const uses = await Promise.all(
      Array.from({ length: 16 }, (_, n) => (n % 2 ? desk : other).use(`op-${n}`, {}, "alice", { quorum: 3 })),
    );
    expect(uses.filter(Boolean)).toHaveLength(1);
    const rows = await desk.rows();
    expect(rows.filter((row) => row.includes("approval.decide"))).toHaveLength(3);
    expect(rows.filter((row) => row.includes("approval.use"))).toHaveLength(1);
  });

  it("opens no second of the same when 16 ask at once", async () => {
    const desk = await open();
    const opened = await Promise.all(Array.from({ length: 16 }, () => desk.ask()));
    expect(new Set(opened.map(({ id }) => id)).size).toBe(1);
    expect(opened.filter(({ isNew }) => isNew)).toHaveLength(1);
  });

  it("is forgotten with everything about it when its time is over", async () => {
    const desk = await open({ keepMs: 50 });
    const { id } = await desk.ask({}, { expiresMs: 3_600_000 });
    const until = Date.now() + 10_000;
    for (;;) {
      await desk.sweep();
      const gone = await desk.wait(id).then(
        () => false,
        () => true,
      );
      if (gone) break;
      expect(Date.now()).toBeLessThan(until);
    }
    const keys = approvalKeys(desk.namespace);
    for (const key of [keys.requests, keys.questions, keys.votes, keys.standing, keys.notices])
      expect(await desk.house.store.command("HLEN", key)).toBe(0);
    for (const key of [keys.due, keys.all]) expect(await desk.house.store.command("ZCARD", key)).toBe(0);
    expect(await desk.house.store.command("HGET", keys.pending, "*")).toBe("0");
  });
});
