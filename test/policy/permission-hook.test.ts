import { afterEach, describe, expect, it } from "vitest";
import { answerHook, type HookAnswer, type HookOptions, readHookEvent } from "../../src/policy/index.js";
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
      /^deny: LLM Mailbox policy: file\.delete a needs a person: it does not come back \(rule a-person-deletes\)\. Call check_policy of the mailbox with approval_id ap-1/,
    );
    expect(people.asked).toMatchObject([
      {
        request: {
          action: "file.delete",
          resource: "a",
          arguments: { command: "rm a", description: "clean up" },
          why: "clean up",
        },
      },
    ]);
    people.decide("ap-1", "approved");
    expect(reasonOf(await call("rm a -v"))).toMatch(/^deny: .*ap-2/);
    expect(await call("rm a")).toEqual({});
    expect(reasonOf(await call("rm a"))).toMatch(/^deny: .*ap-3/);
  });

  it("leaves it to the client's user where it is told so", async () => {
    const desk = await open();
    desk.approvals = new MemoryApprovals();
    expect(reasonOf(await ask(desk, "Bash", { command: "rm a" }, { ask: true }))).toBe(
      "ask: LLM Mailbox policy: file.delete a needs a person: it does not come back (rule a-person-deletes)",
    );
  });

  it("keeps limits of calls, and says so", async () => {
    const desk = await open();
    const write = (): Promise<HookAnswer> => ask(desk, "Write", { file_path: "/repo/a", content: "x" });
    expect([await write(), await write()]).toEqual([{}, {}]);
    expect(reasonOf(await write())).toMatch(/^deny: .*limit few-writes.*few-writes: 2 of 2 used until /);
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

  it("asks about a call with more than fits, and binds an approval to all of it", async () => {
    const desk = await open();
    const people = new MemoryApprovals();
    desk.approvals = people;
    const padding = "x".repeat(200_000);
    const call = (end: string): Promise<HookAnswer> =>
      ask(desk, "Bash", { command: `rm a # ${padding}${end}` });
    expect(reasonOf(await call("1"))).toMatch(/^deny: .*ap-1/);
    people.decide("ap-1", "approved");
    expect(reasonOf(await call("2"))).toMatch(/^deny: .*ap-2/);
    expect(await call("1")).toEqual({});
    let deep: unknown = "x";
    for (let n = 0; n < 100; n++) deep = [deep];
    expect(
      reasonOf(await ask(desk, "mcp__github__x", { deep, many: Array(50_000).fill("y".repeat(50)) })),
    ).toMatch(/^deny: /);
  });

  it("denies what rules cannot be asked about", async () => {
    const desk = await open();
    expect(reasonOf(await ask(desk, "Read", { file_path: `/repo/${"a/".repeat(2_000)}` }))).toMatch(
      /^deny: /,
    );
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
