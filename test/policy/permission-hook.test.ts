import { afterEach, describe, expect, it } from "vitest";
import { refuse } from "../../src/errors/index.js";
import { boundedContext } from "../../src/policy/bounded-context.js";
import {
  answerHook,
  type HookAnswer,
  type HookOptions,
  parseDecisionRecord,
  pastDecisions,
  readHookEvent,
  replayDecisions,
} from "../../src/policy/index.js";
import { pathByLetters } from "../../src/policy/path-by-letters.js";
import { compileRules } from "../../src/policy/rule-compiler.js";
import { toolSteps } from "../../src/policy/tool-steps.js";
import { describeOnEachStore } from "../stores/index.js";
import { MemoryApprovals } from "./memory-approvals.js";
import { PolicyDesk } from "./policy-desk.js";

const rules = `
version: 1
otherwise: allow
unknown: allow
rules:
  - id: no-env
    actions: [file.read, file.write]
    resources: ["**/.env"]
    effect: deny
    reason: secrets are not for models
    guidance: Ask a person for the value
  - { id: a-person-deletes, actions: ["file.delete"], effect: require_approval, reason: it does not come back }
  - { id: a-person-removes, actions: [shell.run], when: 'context.arguments.command.contains("rm ")', effect: require_approval }
  - { id: careful, actions: [web.fetch], effect: allow, obligations: [redact, "notify topic:security"] }
  - { id: no-force, actions: [git.push_force], effect: deny }
  - { id: no-issues, actions: ["mcp.github.*"], effect: deny }
limits:
  - { id: few-writes, of: calls, actions: [file.write], per: agent, most: 2, window: 1d, guidance: Stop editing }
`;

/** As of a hostile command, see tool-steps.test.ts, with all that is asked of the store for it. */
const ceilingMs = 50;

describeOnEachStore("the hook before a tool", (store) => {
  const desks: PolicyDesk[] = [];
  afterEach(() => {
    for (const desk of desks.splice(0)) desk.close();
  });
  const open = async (): Promise<PolicyDesk> => {
    const desk = await PolicyDesk.open(store().url, rules);
    desks.push(desk);
    return desk;
  };
  const ask = (
    desk: PolicyDesk,
    tool: string,
    input: Record<string, unknown>,
    options?: HookOptions,
  ): Promise<HookAnswer> => {
    const event = readHookEvent({
      hook_event_name: "PreToolUse",
      cwd: "/repo",
      tool_name: tool,
      tool_input: input,
    });
    return answerHook(desk.context, desk.caller("alice"), event!, options);
  };
  const reasonOf = ({ hookSpecificOutput }: HookAnswer): string =>
    `${hookSpecificOutput?.permissionDecision}: ${hookSpecificOutput?.permissionDecisionReason}`;

  it("says nothing about what is allowed, and leaves it to the client", async () => {
    const desk = await open();
    expect(await ask(desk, "Read", { file_path: "/repo/src/a.ts" })).toEqual({});
    expect(await ask(desk, "Bash", { command: "npm test" })).toEqual({});
    expect(await ask(desk, "TodoWrite", { todos: [] })).toEqual({});
  });

  it("denies what a rule denies, in the form that the client reads, with the reason and what to do instead", async () => {
    const desk = await open();
    expect(
      await ask(desk, "Edit", { file_path: "/repo/app/.env", old_string: "a", new_string: "b" }),
    ).toEqual({
      hookSpecificOutput: {
        hookEventName: "PreToolUse",
        permissionDecision: "deny",
        permissionDecisionReason:
          "LLM Mailbox policy: file.write app/.env is not allowed: secrets are not for models (rule no-env). Instead: Ask a person for the value",
      },
    });
    expect(reasonOf(await ask(desk, "mcp__github__create_issue", {}))).toMatch(
      /^deny: .*mcp\.github\.create_issue/,
    );
    expect(reasonOf(await ask(desk, "Read", { file_path: "../repo/app/../app/.env" }))).toMatch(/^deny: /);
  });

  it("tells that a command was not read, and what helps, where all that one may do was asked about", async () => {
    const desk = await open();
    desk.approvals = new MemoryApprovals();
    const note =
      /It is too long or too tangled to be read, so this is all that it might do: give what it does in several shorter ones$/;
    const long = `echo a; ${" ".repeat(65_536)}`;
    const tangled = "echo a; ".repeat(4_000);
    for (const command of [long, tangled]) {
      expect(reasonOf(await ask(desk, "Bash", { command }))).toMatch(/^deny: .*git\.push_force/);
      expect(reasonOf(await ask(desk, "Bash", { command }))).toMatch(note);
    }
    const patch = "*** \n".repeat(50_000);
    desk.put(rules.replace("file.delete", "file.move").replace('"**/.env"', "prod/**"));
    expect(reasonOf(await ask(desk, "apply_patch", { command: patch }))).toMatch(note);
    desk.put(rules.replace("effect: deny }", "effect: require_approval }"));
    for (const options of [{}, { ask: true }]) {
      const [short, unread] = ["rm a", "rm a; ".repeat(4_000)];
      expect(reasonOf(await ask(desk, "Bash", { command: short }, options))).not.toMatch(note);
      expect(reasonOf(await ask(desk, "Bash", { command: unread }, options))).toMatch(note);
    }
    desk.put("version: 1\notherwise: allow\n");
    expect(await ask(desk, "Bash", { command: long })).toEqual({});
  });

  it("does not advise shorter commands where it is running commands that is denied", async () => {
    const desk = await open();
    desk.put("version: 1\notherwise: allow\nrules: [{ id: no-shell, actions: [shell.run], effect: deny }]\n");
    const command = "echo a; ".repeat(4_000);
    expect(reasonOf(await ask(desk, "Bash", { command }))).toMatch(
      /shell\.run is not allowed: .*no-shell\)$/,
    );
  });

  const megabyte = 1_000_000;
  const inFolder = `/${"a/".repeat(megabyte / 2)}`;
  const many = Array.from({ length: 50 }, (_, n) => n);
  const removals = (path: (n: number) => string): string => many.map((n) => `rm ${path(n)}`).join("; ");
  it.each([
    ["a folder of a megabyte", "Bash", { command: removals((n) => `a${n}`) }, inFolder],
    ["a relative path in one", "Read", { file_path: "a" }, inFolder],
    ["a path of a megabyte", "Write", { file_path: "a\u0301\u0323".repeat(megabyte / 6) }, "/repo"],
    [
      "as many arguments as a megabyte has",
      "mcp__a__b",
      Object.fromEntries(Array.from({ length: 9_000 }, (_, n) => [`n${n}`, "x".repeat(90)])),
      "/repo",
    ],
    [
      "as many values as a megabyte has",
      "mcp__a__b",
      Object.fromEntries(Array.from({ length: 199 }, (_, n) => [`n${n}`, new Array(1_700).fill([])])),
      "/repo",
    ],
    ["a text of which JSON makes six megabytes", "mcp__a__b", { text: "\u0001".repeat(megabyte) }, "/repo"],
    [
      "a host of half a megabyte",
      "WebFetch",
      { url: `https://${"\u00fc.".repeat(megabyte / 4)}b/` },
      "/repo",
    ],
    ["a megabyte of blanks", "WebFetch", { url: `${" ".repeat(megabyte)}https://a.b/` }, "/repo"],
  ])("answers a hostile call with %s in time", async (_, tool, input, folder) => {
    const desk = await open();
    desk.approvals = new MemoryApprovals();
    desk.put("version: 1\nprofile: standard\n");
    const event = readHookEvent({ cwd: folder, tool_name: tool, tool_input: input })!;
    let ms = Number.POSITIVE_INFINITY;
    for (let n = 0; n < 5; n++) {
      const from = process.cpuUsage();
      await answerHook(desk.context, desk.caller("alice"), event);
      const { user, system } = process.cpuUsage(from);
      ms = Math.min(ms, (user + system) / 1_000);
    }
    expect(ms).toBeLessThan(ceilingMs);
  });

  it("takes no path for another one because it, or the folder it is told from, is too long", async () => {
    const desk = await open();
    desk.put("version: 1\notherwise: allow\n");
    const back = "a/../".repeat(2_000);
    expect(reasonOf(await ask(desk, "Write", { file_path: `${back}.env` }))).toMatch(
      /^deny: .*a resource 1024/,
    );
    const event = readHookEvent({ cwd: `/${back}`, tool_name: "Read", tool_input: { file_path: ".env" } })!;
    expect(reasonOf(await answerHook(desk.context, desk.caller("alice"), event))).toMatch(
      /^deny: .*a resource 1024/,
    );
  });

  it("says what to do about it, however much rules have to say of why", async () => {
    const desk = await open();
    const people = new MemoryApprovals();
    desk.approvals = people;
    const rules = Array.from({ length: 8 }, (_, n) => ({
      ...{ id: `r${n}`, actions: ["file.delete"], effect: "require_approval" },
      ...{ reason: `reason ${n} `.repeat(45), guidance: `guidance ${n} `.repeat(40) },
    }));
    desk.put(JSON.stringify({ version: 1, otherwise: "allow", rules }));
    const command = `rm a; ${"echo; ".repeat(9_000)}`;
    const denied = reasonOf(await ask(desk, "Bash", { command }));
    expect(denied).toMatch(
      /^deny: LLM Mailbox policy: file\.delete \*\* needs? a person: reason 0 .*…\. Call check_policy of the mailbox with approval_id ap-1 .* in several shorter ones$/,
    );
    expect(reasonOf(await ask(desk, "Bash", { command }, { ask: true }))).toMatch(
      /^ask: .*…\. It waits as ap-1 too: .* in several shorter ones$/,
    );
    expect(denied.length).toBeLessThanOrEqual(2_006);
    const steps = Array.from({ length: 9 }, (_, n) => `rm ${"a".repeat(290)}${n}`);
    expect(reasonOf(await ask(desk, "Bash", { command: steps.join("; ") }))).toMatch(/approval_id ap-2 /);
  });

  it("takes no page for another one because its address is too long", async () => {
    const desk = await open();
    desk.put(
      "version: 1\notherwise: allow\nrules: [{ id: no, actions: [web.fetch], resources: [a.b/c], effect: deny }]\n",
    );
    for (const url of [
      `https://a.b/${"\t".repeat(20_000)}c`,
      `https://a.b/${" ".repeat(20_000)}c`,
      `${"\n".repeat(20_000)}https://a.b/c`,
      `https://a.b/c${" ".repeat(20_000)}`,
      `https://${"x".repeat(20_000)}@a.b/c`,
    ])
      expect(reasonOf(await ask(desk, "WebFetch", { url }))).toMatch(/^deny: .*a resource 1024/);
    expect(await ask(desk, "WebFetch", { url: `https://a.b/d?q=${"x".repeat(10_000)}` })).toEqual({});
  });

  it("says of what is nested too deep that it is, to whoever asks by a rule or for a person", async () => {
    const desk = await open();
    desk.approvals = new MemoryApprovals();
    let nested: unknown = "a";
    for (let n = 0; n < 40; n++) nested = [nested];
    desk.put(
      "version: 1\notherwise: allow\nrules: [{ id: looks, actions: [\"mcp.**\"], effect: deny, when: 'context.arguments.a == 1' }]\n",
    );
    expect(reasonOf(await ask(desk, "mcp__x__y", { a: nested }))).toMatch(
      /^deny: .*could not be decided: what it looks at is nested too deep to be asked about .*\. Instead: Do it with what is less nested/,
    );
    desk.put('version: 1\nrules: [{ id: asks, actions: ["mcp.**"], effect: require_approval }]\n');
    expect(reasonOf(await ask(desk, "mcp__x__y", { a: nested }))).toMatch(
      /^deny: .*nested more than 32 deep, and no person is asked about that/,
    );
  });

  it("takes the most restrictive of all that a command does", async () => {
    const desk = await open();
    desk.approvals = new MemoryApprovals();
    expect(reasonOf(await ask(desk, "Bash", { command: "rm a && git push --force" }))).toMatch(
      /^deny: LLM Mailbox policy: git\.push_force is not allowed/,
    );
    expect(await ask(desk, "Bash", { command: "git push" })).toEqual({});
  });

  it("asks a person once about a command that needs one for two reasons, and lets exactly that pass once", async () => {
    const desk = await open();
    const people = new MemoryApprovals();
    desk.approvals = people;
    const call = (command: string, options?: HookOptions): Promise<HookAnswer> =>
      ask(desk, "Bash", { command, description: "clean up" }, options);
    expect(reasonOf(await call("rm a"))).toMatch(
      /^deny: LLM Mailbox policy: file\.delete a, shell\.run need a person: it does not come back \(rule a-person-deletes\); .* \(rule a-person-removes\)\. Call check_policy of the mailbox with approval_id ap-1/,
    );
    expect(people.asked).toMatchObject([
      {
        request: {
          action: "file.delete",
          resource: "a",
          arguments: { command: "rm a", description: "clean up" },
          context: { tool: "Bash", steps: ["shell.run", "file.delete a"] },
          rules: ["rule a-person-deletes", "rule a-person-removes"],
          why: "clean up",
          naming: "command",
        },
      },
    ]);
    people.decide("ap-1", "approved");
    expect(reasonOf(await call("rm a -v"))).toMatch(/^deny: .*ap-2/);
    expect(await call("rm a")).toEqual({});
    expect(reasonOf(await call("rm a"))).toMatch(/^deny: .*ap-3/);
  });

  const pushRules = `
version: 1
otherwise: allow
unknown: allow
rules:
  - id: force
    actions: [git.push_force]
    effect: require_approval
    priority: 100
    reason: history is lost
    approval: { quorum: 2, approvers: [ann, ben], expires: 2h, client: false }
  - { id: push, actions: [git.push], effect: require_approval, reason: others see it, approval: { approvers: [ann, ben, cid], expires: 1h } }
  - { id: clean, actions: [file.delete], effect: require_approval, reason: it does not come back }
limits:
  - { id: one-push, of: calls, actions: [git.push], per: agent, most: 1, window: 1d }
  - { id: two-files, of: calls, actions: [file.write, file.delete], per: agent, most: 2, window: 1d }
`;
  const openPush = async (): Promise<{ desk: PolicyDesk; people: MemoryApprovals }> => {
    const desk = await open();
    desk.put(pushRules);
    const people = new MemoryApprovals();
    desk.approvals = people;
    return { desk, people };
  };
  const used = async (desk: PolicyDesk): Promise<string[]> =>
    Object.entries(await desk.fields("counts")).map(([field, use]) => `${field.split("|")[2]} ${use}`);

  it("weakens no approval by a harmless step beside it, and names all steps and all rules", async () => {
    const { desk, people } = await openPush();
    const call = (command: string): Promise<HookAnswer> => ask(desk, "Bash", { command });
    await call("git push --force origin main; rm tmp/x");
    expect(people.asked).toMatchObject([
      {
        request: {
          action: "git.push_force",
          context: { steps: ["shell.run", "git.push", "git.push_force", "file.delete tmp/x"] },
          rules: ["rule force", "rule clean", "rule push"],
          reasons: ["history is lost", "it does not come back", "others see it"],
          terms: { quorum: 2, approvers: ["ann", "ben"], expiresMs: 3_600_000, byClient: false },
        },
      },
    ]);
    await call("git push --force origin main");
    expect(people.asked[1]?.request.terms).toMatchObject({ quorum: 2, approvers: ["ann", "ben"] });
    people.decide("ap-1", "approved");
    expect(await call("git push --force origin main; rm tmp/x")).toEqual({});
    // The limit of pushes is looked at, whatever stands beside the push.
    expect(reasonOf(await call("rm tmp/x; git push"))).toMatch(
      /^deny: LLM Mailbox policy: git\.push is not allowed: .*one-push: 1 of 1 used/,
    );
  });

  it("takes nothing of a limit while a call is refused or waits, and then for each of its steps", async () => {
    const { desk, people } = await openPush();
    const call = (command: string): Promise<HookAnswer> => ask(desk, "Bash", { command });
    expect(reasonOf(await call("git push; rm a b"))).toMatch(/^deny: .*ap-1/);
    expect(reasonOf(await call("git push; rm a b c"))).toMatch(/^deny: .*limit two-files/);
    expect(await used(desk)).toEqual([]);
    people.decide("ap-1", "approved");
    expect(await call("git push; rm a b")).toEqual({});
    expect((await used(desk)).toSorted()).toEqual(["one-push 1,0,1", "two-files 2,0,2"]);
  });

  it("denies a call for which no person can be asked", async () => {
    const { desk } = await openPush();
    desk.approvals = {
      ...new MemoryApprovals(),
      claimApproval: async () => undefined,
      openApproval: async () => refuse("approval.too_many", { count: 50, whose: "of yours" }),
      awaitApproval: () => Promise.reject(new Error("nobody waits here")),
    };
    expect(reasonOf(await ask(desk, "Bash", { command: "git push" }))).toMatch(
      /^deny: .*could not be asked about this call: approval\.too_many/,
    );
  });

  it("counts by counters for each step as for a step that is asked about alone", async () => {
    const desk = await open();
    desk.put(`
version: 1
otherwise: allow
unknown: allow
counters:
  repeats: { actions: ["*"], per: agent, same: true, window: 1d }
rules:
  - { id: once, actions: [file.delete], when: "counts.repeats > 0", effect: deny, reason: that was asked before }
`);
    const call = (command: string): Promise<HookAnswer> => ask(desk, "Bash", { command });
    expect(await call("rm a b")).toEqual({});
    expect(reasonOf(await call("rm a b"))).toMatch(/^deny: .*that was asked before/);
    expect(await call("rm c")).toEqual({});
  });

  it("records ten steps of a longer call, each so that it can be decided again", async () => {
    const desk = await open();
    desk.put(`
version: 1
otherwise: allow
unknown: allow
limits:
  - { id: files, of: calls, actions: [file.delete], per: agent, most: 40, window: 1d }
  - { id: pushes, of: calls, actions: [git.push], per: agent, most: 0, window: 1d }
`);
    const removed = Array.from({ length: 40 }, (_, n) => `rm ${n}-${"x".repeat(100)}`).join("; ");
    await ask(desk, "Bash", { command: `${removed}; git push` });
    const records = (await desk.decisions()).map((one) => parseDecisionRecord(JSON.stringify(one))!);
    expect(records).toHaveLength(10);
    for (const { call, context, cut } of records) {
      expect([call, cut]).toEqual([{ effect: "deny", steps: 42, recorded: 10 }, undefined]);
      expect(context.arguments).toEqual({ command: `${removed}; git push` });
    }
    expect(
      new Set(records.map(({ action, effect, limits }) => [action, effect, ...limits].join(" "))),
    ).toEqual(new Set(["git.push deny pushes", "file.delete allow"]));
  });

  it("records each step of a call with what was decided of it, beside what became of the call", async () => {
    const desk = await open();
    const text = `
version: 1
otherwise: allow
unknown: allow
rules:
  - { id: no-force, actions: [git.push_force], effect: deny }
  - { id: a-person, actions: [file.delete], resources: [b], effect: require_approval }
limits:
  - { id: files, of: calls, actions: [file.delete], per: agent, most: 2, window: 1d }
`;
    desk.put(text);
    const people = new MemoryApprovals();
    desk.approvals = people;
    const recorded = async (command: string): Promise<unknown[]> => {
      await ask(desk, "Bash", { command });
      const steps = (await desk.decisions()).slice(0, 9);
      await desk.store.command("DEL", desk.keys.decisions);
      return steps
        .map(({ action, resource, effect, rules: by, limits, call, approval }) => [
          ...[`${action} ${resource}`.trim(), effect, ...(by as string[]), ...(limits as string[])],
          ...[call, ...(approval === undefined ? [] : [approval])],
        ])
        .sort();
    };
    const call = (effect: string, steps = 2): object => ({ effect, steps, recorded: steps });
    expect(await recorded("git push --force")).toEqual([
      ["git.push", "allow", call("deny", 3)],
      ["git.push_force", "deny", "no-force", call("deny", 3)],
      ["shell.run", "allow", call("deny", 3)],
    ]);
    expect(await recorded("rm b")).toEqual([
      ["file.delete b", "require_approval", "a-person", call("require_approval")],
      ["shell.run", "allow", call("require_approval")],
    ]);
    people.decide("ap-1", "approved");
    expect(await recorded("rm b")).toEqual([
      ["file.delete b", "allow", "a-person", call("allow"), "ap-1"],
      ["shell.run", "allow", call("allow"), "ap-1"],
    ]);
    expect(await recorded("rm a c")).toEqual([
      ["file.delete a", "deny", "files", call("deny", 3)],
      ["file.delete c", "allow", call("deny", 3)],
      ["shell.run", "allow", call("deny", 3)],
    ]);
    expect(await recorded("TodoWrite")).toEqual([["shell.run", "allow", undefined]]);
    // Decided again under the same rules, each comes out as it did, and what was not done takes nothing.
    await ask(desk, "Bash", { command: "rm a c" });
    await ask(desk, "Bash", { command: "rm a" });
    const records = (await desk.decisions()).map((one) => parseDecisionRecord(JSON.stringify(one))!);
    const again = (rules: string): [string, string][] =>
      [...replayDecisions(records, compileRules(rules), () => compileRules(text))].map(
        ({ record, before, after }) => [`${record.action} ${before}`, after],
      );
    records.reverse();
    for (const [was, now] of again(text)) expect(was).toMatch(new RegExp(` ${now}$`));
    const newLimit = text.replace("id: files", "id: fewer").replace("most: 2", "most: 1");
    expect(again(newLimit).map(([, now]) => now)).toEqual(Array(5).fill("allow"));
  });

  it("leaves it to the client's user where it is told so", async () => {
    const desk = await open();
    desk.approvals = new MemoryApprovals();
    expect(reasonOf(await ask(desk, "Bash", { command: "rm a" }, { ask: true }))).toBe(
      "ask: LLM Mailbox policy: file.delete a, shell.run need a person: it does not come back (rule a-person-deletes); a rule wants a person to approve it (rule a-person-removes). It waits as ap-1 too: once that is approved, this call passes, unchanged or with the arguments that were approved",
    );
  });

  it("refuses where a client would make the call instead of asking", async () => {
    const desk = await open();
    desk.approvals = new MemoryApprovals();
    const event = readHookEvent({ turn_id: "t", tool_name: "Bash", tool_input: { command: "rm a" } })!;
    expect(reasonOf(await answerHook(desk.context, desk.caller("alice"), event, { ask: true }))).toMatch(
      /^deny: .*Call check_policy of the mailbox with approval_id ap-1 /,
    );
  });

  it("keeps limits of calls, and says so", async () => {
    const desk = await open();
    const write = (): Promise<HookAnswer> => ask(desk, "Write", { file_path: "/repo/a", content: "x" });
    expect([await write(), await write()]).toEqual([{}, {}]);
    expect(reasonOf(await write())).toMatch(/^deny: .*limit few-writes.*few-writes: 2 of 2 used until /);
  });

  it("tells paths relative to the root it was given, wherever the client works", async () => {
    const desk = await open();
    desk.put(`
version: 1
otherwise: allow
unknown: allow
rules:
  - { id: not-blue, actions: ["file.*"], resources: ["teams/blue/**"], effect: deny }
`);
    const from = (cwd: string, tool: string, input: object, root?: string): Promise<HookAnswer> =>
      answerHook(
        desk.context,
        desk.caller("alice"),
        readHookEvent({ cwd, tool_name: tool, tool_input: input })!,
        { root },
      );
    const write = { file_path: "/w/repo/teams/blue/x" };
    for (const root of ["/w/repo", "/w/repo/", "/w/./repo/src/..", "\\w\\repo"])
      for (const cwd of ["/w/repo", "/w/repo/src", "/elsewhere", ""])
        expect([root, cwd, reasonOf(await from(cwd, "Write", write, root))]).toEqual([
          root,
          cwd,
          expect.stringMatching(/^deny: .*file\.write teams\/blue\/x /),
        ]);
    const shell = (cwd: string, command: string): Promise<HookAnswer> =>
      from(cwd, "Bash", { command }, "/w/repo");
    expect(reasonOf(await shell("/w/repo/src", "rm ../teams/blue/x"))).toMatch(/^deny: /);
    expect(reasonOf(await shell("/", "cd /w/repo/teams && rm blue/x"))).toMatch(/^deny: /);
    expect(await shell("/w/repo/src", "rm teams/blue/x")).toEqual({});
    expect(await from("/w/repo", "Write", { file_path: "/w/repository/teams/blue/x" }, "/w/repo")).toEqual(
      {},
    );
    expect(reasonOf(await from("/x", "Write", { file_path: "/teams/blue/x" }, "/"))).toMatch(/^deny: /);
    // Without a root, the folder that the client names is all there is.
    expect(reasonOf(await from("/w/repo", "Write", write))).toMatch(/^deny: /);
    expect(await from("/w/repo/src", "Write", write)).toEqual({});
    await expect(from("/w/repo", "Write", write, "repo")).rejects.toThrow(
      /root is the whole path of a folder/,
    );
  });

  it("asks about all that lies in a folder that is deleted, however it is named", async () => {
    const desk = await open();
    desk.put(`
version: 1
otherwise: allow
unknown: allow
rules:
  - { id: no-db, actions: ["**.delete"], resources: ["prod/db/**"], effect: deny }
`);
    const shell = (command: string, cwd = "/w/repo/src"): Promise<HookAnswer> =>
      answerHook(
        desk.context,
        desk.caller("alice"),
        readHookEvent({ cwd, tool_name: "Bash", tool_input: { command } })!,
        { root: "/w/repo" },
      );
    for (const command of [
      "rm -rf ../prod",
      "rm -rf ../prod/..",
      "rm -rf ..",
      "rm -rf ../..",
      "rm -rf /w",
      "rm -rf /",
      "cd .. && rm -rf prod/",
      "rm -rf ../pro*",
      "rm -rf ../prod/d?",
      "rm ../prod/[a-z]*/users",
      // Too much to be asked about one by one.
      `rm ${"x ".repeat(51)}../prod/db/a`,
      `rm ../prod/db/a; ${Array.from({ length: 61 }, (_, n) => `rm ${n}`).join("; ")}`,
    ])
      expect([command, reasonOf(await shell(command))]).toEqual([command, expect.stringMatching(/^deny: /)]);
    for (const command of [
      "rm -rf ../test",
      "rm -rf ../prod/web",
      "rm -rf *",
      "rm ../prod/*.log",
      "rm -rf /x",
    ])
      expect([command, await shell(command)]).toEqual([command, {}]);
  });

  it("meets the rules for a folder and for a part of a host by what only looks into them", async () => {
    const desk = await open();
    desk.put(`
version: 1
otherwise: allow
unknown: allow
rules:
  - { id: no-prod, actions: ["file.*", "access.*"], resources: ["prod/**", "src/*/keys/**", "**/.env"], effect: deny }
  - { id: no-admin, actions: [web.fetch], resources: ["example.org/admin/**"], effect: deny }
`);
    const shell = (command: string): Promise<HookAnswer> => ask(desk, "Bash", { command }, { root: "/repo" });
    for (const command of [
      "find -delete",
      "git clean -fdx",
      "find prod -delete",
      "find src/a -delete",
      "git clean -fdx src/a",
      "chmod -R 777 src/a",
      "chown -R bob lib",
      "rm prod/x $FILE",
      "rm $FILE",
      "ls | xargs rm",
      "find -name '*.log' -exec rm {} +",
      "find prod -exec touch {} +",
      "rm ~+/prod/x",
      "sudo -D prod rm x",
      "curl https://example.org/$P",
      "curl 'https://example.org/{admin,q}/x'",
      "curl 'https://example.org/[a]dmin/x'",
      "curl example.org/admin/x",
      "wget --quiet example.org/admin/x",
    ])
      expect([command, reasonOf(await shell(command))]).toEqual([command, expect.stringMatching(/^deny: /)]);
    for (const command of [
      "git clean -n",
      "chmod +x src/a",
      "rm build/$FILE.log",
      "find build -name '*.log' -exec rm {} +",
      "curl https://example.org/docs/x https://$HOST/x",
      "curl -o example.org/admin/x https://example.com/$P",
    ])
      expect([command, await shell(command)]).toEqual([command, {}]);
    const standard = compileRules("version: 1\nprofile: standard\n");
    const stopped = (command: string): string[] =>
      toolSteps({ tool: "Bash", input: { command } }, (path) => path)
        .steps.map(
          (step) => standard.decide({ ...asked, ...step, context: { arguments: { command } } }).effect,
        )
        .filter((effect) => effect !== "allow");
    const asked = {
      agent: { name: "bob", role: "", roles: [], team: "blue", labels: {}, verified: true },
      counts: {},
      reads: { unverified: [], foreign: [] },
      nowMs: 0,
    };
    for (const command of [
      "git push",
      "git commit -m x",
      "git status",
      "npm test",
      "curl https://example.org/docs $URL",
      "wget -qO- https://$HOST/x",
      "cat <<EOF > a.ts\nconst a = 1;\nEOF",
      "apply_patch <<'EOF'\n*** Begin Patch\n*** Add File: a\n+1\n*** End Patch\nEOF",
      "chmod -R +x scripts",
      "chmod +x $SCRIPT",
      "ls > out.txt",
      "npm test 2>&1 | tee log",
      "npm test > /tmp/log 2>&1 && cat < /tmp/log > $OUT",
      'for f in *; do sort "$f" > "$f.tmp" && mv "$f.tmp" "$f"; done',
      "cp a b; cp -r src lib; cp -r template/. .; cp $A $B; cp dist/* .",
      "mv a b; mv -t lib $A; git mv a b; ln -s lib/a b",
      "sed -i s/a/b/ src/a.ts; find . -name '*.ts' -exec sed -i s/a/b/ {} +",
      "grep -rl a . | xargs sed -i s/a/b/; touch a/$B $B; cd $DIR && touch a",
      "curl -O https://example.org/a; wget $URL; rsync -a src/ lib/",
    ])
      expect([command, stopped(command)]).toEqual([command, []]);
    expect(new Set(stopped("rm -r build; find src -name '*.o' -delete"))).toEqual(
      new Set(["require_approval"]),
    );
  });

  it("meets the rules about writing a file by whatever command writes it", async () => {
    const desk = await open();
    desk.put(`
version: 1
otherwise: allow
unknown: deny
rules:
  - { id: no-secrets, actions: [file.write, file.move], resources: ["secrets/**", "**/.env"], effect: deny }
  - { id: workflows, actions: [file.write], resources: [".github/**"], effect: require_approval }
`);
    desk.approvals = new MemoryApprovals();
    const shell = (command: string, tool = "Bash"): Promise<HookAnswer> =>
      ask(desk, tool, { command }, { root: "/repo" });
    for (const command of [
      "echo x > secrets/y",
      "ls 2>> /repo/secrets/y",
      "cat <<'EOF' > a/.env\nKEY=x\nEOF",
      "cd a && echo x >| ../secrets/y",
      "echo x > secrets/$NAME",
      "echo x | sudo tee -a secrets/y > /dev/null",
      "mv secrets/y z",
      "mv z secrets",
      "cp -t secrets z",
      "cp -r z .env",
      "ln -s secrets/y z",
      "sed -i s/a/b/ secrets/y",
      "curl -so secrets/y https://example.org",
      "dd if=z of=secrets/y",
    ])
      expect([command, reasonOf(await shell(command))]).toEqual([
        command,
        expect.stringMatching(/^deny: .*not allowed/),
      ]);
    expect(reasonOf(await shell("echo x > .github/workflows/a.yml"))).toMatch(
      /^deny: .*file\.write \.github\/workflows\/a\.yml needs a person/,
    );
    for (const command of [
      "cat secrets/y > /dev/null 2>&1",
      "cp -r src lib > log",
      "mv a b",
      "echo x > out/$NAME.txt",
      "[[ a > secrets/y ]]",
      "echo 'a > secrets/y'",
    ])
      expect([command, await shell(command)]).toEqual([command, {}]);
  });

  it("tells the model what an allowed call obliges it to", async () => {
    const desk = await open();
    expect(await ask(desk, "WebFetch", { url: "https://example.org/" })).toEqual({
      hookSpecificOutput: {
        hookEventName: "PreToolUse",
        additionalContext: "LLM Mailbox policy: with web.fetch example.org, you have to: redact",
      },
    });
    expect(desk.told).toHaveLength(1);
  });

  it("asks rules and people about the whole of a long call", async () => {
    const desk = await open();
    desk.put(`
version: 1
otherwise: allow
unknown: allow
rules:
  - { id: no-key, actions: [file.write], when: 'context.arguments.content.matches("(?i)api[_-]?key")', effect: deny, reason: keys are secret }
  - { id: no-evil, actions: [shell.run], when: 'context.arguments.command.contains("python3 evil.py")', effect: deny, reason: it is evil }
  - { id: a-person, actions: [shell.run], when: 'context.arguments.command.startsWith("#")', effect: require_approval }
`);
    const people = new MemoryApprovals();
    desk.approvals = people;
    const content = "x\n".repeat(30_000);
    expect(await ask(desk, "Write", { file_path: "/repo/a", content })).toEqual({});
    expect(
      reasonOf(await ask(desk, "Write", { file_path: "/repo/a", content: `${content}api_key=1` })),
    ).toMatch(/^deny: .*keys are secret/);
    const padding = `: ${"x".repeat(60_000)}; `;
    expect(reasonOf(await ask(desk, "Bash", { command: `${padding}python3 evil.py` }))).toMatch(
      /^deny: .*it is evil/,
    );
    const commented = `#${padding}\npython3 other.py`;
    expect(reasonOf(await ask(desk, "Bash", { command: commented }))).toMatch(/^deny: .*ap-1/);
    expect(people.asked[0]!.request.arguments).toEqual({ command: commented });
    people.decide("ap-1", "approved");
    expect(reasonOf(await ask(desk, "Bash", { command: `${commented} again` }))).toMatch(/^deny: .*ap-2/);
    expect(await ask(desk, "Bash", { command: commented })).toEqual({});
  });

  it("asks nobody to approve what is too large to be asked about, and lets no rule be decided by a part of it", async () => {
    const desk = await open();
    const people = new MemoryApprovals();
    desk.approvals = people;
    const long = "x".repeat(70_000);
    const put = (when: string, effect = "deny"): void =>
      desk.put(`
version: 1
otherwise: ${effect === "allow" ? "deny" : "allow"}
unknown: allow
rules:
  - { id: looks, actions: [file.write, shell.run, "mcp.x.*"], when: '${when}', effect: ${effect}, reason: found }
`);
    const write = async (more: object = {}): Promise<string> =>
      reasonOf(await ask(desk, "Write", { file_path: "/repo/a", content: long, ...more }));
    const undecided =
      /^deny: .*could not be decided: what it looks at is too large to be asked about .*\(rule looks\)/;
    for (const when of [
      'context.arguments.content.contains("evil")',
      'context.arguments["content"].matches("evil")',
      'context.arguments.content == "evil"',
      'context.arguments == {"content": "evil"}',
      "has(context.arguments.content.part)",
      "has(context.arguments.content) && size(context.arguments.content) < 3",
      '"evil" in context.arguments.content',
      'context.arguments.exists(name, context.arguments[name] == "evil")',
      'string(context.arguments.content).endsWith("evil")',
    ]) {
      put(when);
      expect([when, await write()]).toEqual([when, expect.stringMatching(undecided)]);
    }
    // What is there whole decides as ever.
    for (const [when, found] of [
      ['context.arguments.file_path.startsWith("/repo")', true],
      ['context.arguments.file_path.startsWith("/elsewhere")', false],
      ['context.arguments.mode == "new" && has(context.arguments.content)', true],
      ["size(context.arguments) != 3", false],
    ] as const) {
      put(when);
      expect([when, await write({ mode: "new" })]).toEqual([
        when,
        found ? expect.stringMatching(/^deny: .*found/) : "undefined: undefined",
      ]);
    }
    put('context.arguments.content.startsWith("x")', "allow");
    expect(await write()).toMatch(/^deny: .*no rule allows it/);
    // Under too many names, or names that are too long, nothing of it is there.
    const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`a${n}`, 1]));
    for (const input of [many, { [long]: 1 }]) {
      put("has(context.arguments.evil)");
      expect(reasonOf(await ask(desk, "mcp__x__y", input))).toMatch(undecided);
    }
    // As long as a command may be to be read, and too long for a person to be shown it with what belongs to it.
    const command = `rm a # ${long}`.slice(0, 65_536);
    desk.put(rules);
    for (const options of [{}, { ask: true }])
      expect(reasonOf(await ask(desk, "Bash", { command }, options))).toMatch(
        /^deny: .*rule a-person-removes/,
      );
    desk.put(rules.replace(/^.*a-person-removes.*$/m, ""));
    for (const options of [{}, { ask: true }])
      expect(reasonOf(await ask(desk, "Bash", { command }, options))).toMatch(
        /^deny: .*approval\.too_large: this is too large to be asked about: the arguments has 655\d\d bytes, and a person is shown at most 65536\. Do it in smaller steps/,
      );
    expect(people.asked).toEqual([]);
    let deep: unknown = "x";
    for (let n = 0; n < 100; n++) deep = [deep];
    expect(
      reasonOf(await ask(desk, "mcp__github__x", { deep, many: Array(50_000).fill("y".repeat(50)) })),
    ).toMatch(/^deny: /);
  });

  it("lets no call of which something was left out pass by what was approved of another", async () => {
    const desk = await open();
    const people = new MemoryApprovals();
    desk.approvals = people;
    desk.put(
      rules
        .replace("no-issues", "ask")
        .replace('mcp.github.*"], effect: deny', 'mcp.x.*"], effect: require_approval'),
    );
    const long = "x".repeat(70_000);
    const stands = boundedContext({ content: long });
    for (const [input, standIn] of [
      [{ content: long }, stands],
      [{ [long]: 1 }, boundedContext({ [long]: 1 })],
    ] as const) {
      const alike = JSON.parse(JSON.stringify(standIn)) as Record<string, unknown>;
      expect(reasonOf(await ask(desk, "mcp__x__y", alike))).toMatch(/^deny: .*needs a person/);
      people.decide(people.asked.at(-1)!.id, "approved");
      expect(reasonOf(await ask(desk, "mcp__x__y", input))).toMatch(/^deny: .*approval\.too_large/);
      expect(await ask(desk, "mcp__x__y", alike)).toEqual({});
    }
  });

  it("records that something was left out of a call, which is then not decided again without it", async () => {
    const desk = await open();
    const looks = rules.replace(
      /^rules:$/m,
      `rules:
  - { id: looks, actions: [file.write, "mcp.x.*"], when: 'has(context.arguments.content) && context.arguments.content == "evil"', effect: deny }`,
    );
    desk.put(looks);
    const long = "x".repeat(70_000);
    for (const input of [{ content: long }, { [long]: 1 }])
      expect(reasonOf(await ask(desk, "mcp__x__y", input))).toMatch(/^deny: .*too large to be asked about/);
    const good = { content: "good" };
    expect(await ask(desk, "mcp__x__y", good)).toEqual({});
    const records = (await desk.decisions()).map((record) => parseDecisionRecord(JSON.stringify(record))!);
    expect(records.map(({ effect, cut, context }) => [effect, cut, context])).toEqual([
      ["allow", undefined, { arguments: good, tool: "mcp__x__y" }],
      ["deny", true, {}],
      ["deny", true, {}],
    ]);
    const { records: again, unread } = await pastDecisions(desk.store, desk.namespace, 0);
    expect([again.length, unread]).toEqual([1, 2]);
  });

  it("denies a call while an equal one holds the approval of both", async () => {
    const desk = await open();
    const people = new MemoryApprovals();
    desk.approvals = people;
    const call = (): Promise<HookAnswer> => ask(desk, "Bash", { command: "rm a" });
    await call();
    people.decide("ap-1", "approved");
    const { claimApproval } = people;
    people.claimApproval = async () => refuse("approval.in_use", { approval_id: "ap-1" });
    expect(reasonOf(await call())).toMatch(/^deny: .*approval\.in_use: .*ap-1/);
    people.claimApproval = claimApproval;
    expect(await call()).toEqual({});
  });

  it("denies what rules cannot be asked about", async () => {
    const desk = await open();
    expect(reasonOf(await ask(desk, "Read", { file_path: `/repo/${"a/".repeat(2_000)}` }))).toMatch(
      /^deny: /,
    );
  });
});

describe("a path of a client", () => {
  const on = (root: string, given: string, folder = root): string => pathByLetters(given, { folder, root });

  it.each([
    ["C:\\srv\\p\\prod\\x", "prod/x"],
    ["c:\\srv\\p\\prod\\x", "prod/x"],
    ["\\\\?\\C:\\srv\\p\\prod\\x", "prod/x"],
    ["\\\\.\\c:/srv/p/prod/x", "prod/x"],
    ["\\srv\\p\\prod\\x", "prod/x"],
    ["/c/srv/p/prod/x", "prod/x"],
    ["c:prod\\x", "prod/x"],
    ["prod\\x", "prod/x"],
    ["C:/../srv/p/prod/x", "prod/x"],
    ["..\\..\\..\\srv\\p\\prod\\x", "prod/x"],
    ["C:/../Windows/x", "C:/Windows/x"],
    ["d:prod\\x", "D:/prod/x"],
    ["c:\\srv", ".."],
    ["C:\\", ".."],
    ["c:\\srv\\p\\", "."],
  ])("on a drive of Windows is told as %s is, as %s", (given, name) => {
    expect(on("C:\\srv\\p", given)).toBe(name);
    expect(on("c:/srv/p/", given)).toBe(name);
    expect(on("\\\\?\\C:\\srv\\p", given)).toBe(name);
  });

  it("begins on the drive of the folder where the client works", () => {
    expect(on("C:/srv/p", "prod/x", "c:\\srv\\p\\src")).toBe("src/prod/x");
    expect(on("C:/srv/p", "/prod/x", "D:\\")).toBe("D:/prod/x");
    expect(on("C:\\", "C:/prod/x", "")).toBe("prod/x");
  });

  it("elsewhere has no drive, and a name like one is a name", () => {
    expect(on("/srv/p", "C:/../prod/x")).toBe("prod/x");
    expect(on("/srv/p", "C:/prod/x", "/srv/p/a")).toBe("a/C:/prod/x");
  });
});

describe("an event of a hook", () => {
  it("that is of something else than a call of a tool is none", () => {
    expect(
      readHookEvent({ hook_event_name: "PostToolUse", tool_name: "Bash", tool_input: {} }),
    ).toBeUndefined();
  });

  it.each([
    undefined,
    null,
    [],
    "x",
    {},
    { tool_name: "Bash" },
    { tool_name: 1, tool_input: {} },
    { tool_name: "Bash", tool_input: [] },
  ])("%j is refused", (given) => {
    expect(() => readHookEvent(given)).toThrow(/^input\.invalid: an event of PreToolUse/);
  });
});
