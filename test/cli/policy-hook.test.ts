import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Caller, operatorPrincipal, type RunId } from "../../src/identity/index.js";
import { startStore, type TestStore } from "../stores/index.js";
import { type Ended, type Office, openOffice, runOn } from "./command-line.js";

const repository = realpathSync(mkdtempSync(join(tmpdir(), "mailbox-policy-hook-")));
mkdirSync(join(repository, "deep"));
execFileSync("git", ["init", "-q"], { cwd: repository });
afterAll(() => rmSync(repository, { recursive: true, force: true }));

const rules = `
version: 1
otherwise: allow
unknown: allow
rules:
  - { id: no-secrets, actions: [file.read, file.write, file.delete], resources: ["config/**", "/root/**"], effect: deny, reason: secrets live there }
  - id: nothing-after-strangers
    actions: [shell.run]
    when: size(reads.unverified) > 0
    effect: deny
    reason: this agent has read mail of a stranger
  - { id: juniors-fetch-nothing, actions: [web.fetch], when: 'agent.role == "junior"', effect: deny }
  - { id: proved, actions: [tool.task], when: '!agent.verified', effect: deny, reason: prove your name }
`;

describe("llm-mailbox policy hook claude-code", () => {
  let store: TestStore;
  let office: Office;
  beforeAll(async () => {
    store = await startStore("embedded");
  });
  afterAll(() => store.stop());
  beforeEach(async () => {
    office = await openOffice(store.url);
    const put = await runOn(rules, office.settings, "policy", "put", "-");
    expect(put.status).toBe(0);
    return () => office.close();
  });

  const event = (tool: string, input: object): string =>
    JSON.stringify({
      session_id: "s1",
      cwd: join(repository, "deep"),
      hook_event_name: "PreToolUse",
      tool_name: tool,
      tool_input: input,
    });
  const hook = (input: string, settings: Record<string, string> = {}, ...more: string[]): Promise<Ended> =>
    runOn(
      input,
      { ...office.settings, LLM_MAILBOX_AGENT: "coder", ...settings },
      "policy",
      "hook",
      "claude-code",
      ...more,
    );
  const silent = { status: 0, out: "", err: "" };
  const denied = (reason: string | RegExp): object => ({
    status: 0,
    err: "",
    out: expect.stringMatching(reason),
  });
  const decisionOf = ({ out }: Ended): Record<string, string> =>
    (JSON.parse(out) as { hookSpecificOutput: Record<string, string> }).hookSpecificOutput;

  it("stops an edit that a rule denies, by the path in the repository, and nothing else", async () => {
    const stopped = await hook(event("Edit", { file_path: join(repository, "config", "a.json") }));
    expect(stopped.status).toBe(0);
    expect(decisionOf(stopped)).toEqual({
      hookEventName: "PreToolUse",
      permissionDecision: "deny",
      permissionDecisionReason:
        "LLM Mailbox policy: file.write config/a.json is not allowed: secrets live there (rule no-secrets)",
    });
    expect(await hook(event("Read", { file_path: "../config/../config/b" }))).toEqual(denied(/"deny"/));
    expect(await hook(event("Read", { file_path: join(repository, "src", "a.ts") }))).toEqual(silent);
  });

  it("tells paths relative to --root, also in a repository that begins below it", async () => {
    const within = join(repository, "config", "own");
    mkdirSync(within, { recursive: true });
    execFileSync("git", ["init", "-q"], { cwd: within });
    const read = event("Read", { file_path: join(within, "a") });
    expect(await hook(read)).toEqual(silent);
    expect(await hook(read, {}, "--root", repository)).toEqual(
      denied(/file\.read config\/own\/a is not allowed/),
    );
    expect(await hook(read, {}, "--root", join(repository, "none"))).toMatchObject({
      status: 1,
      err: expect.stringContaining("is no folder"),
    });
  });

  it("follows links as the system does, into what does not exist yet too, and knows the homes of others", async () => {
    mkdirSync(join(repository, "config", "sub"), { recursive: true });
    const outside = realpathSync(mkdtempSync(join(tmpdir(), "mailbox-policy-links-")));
    for (const [target, path] of [
      ["config/later", join(repository, "safe")],
      ["config/sub", join(repository, "link")],
      [join(repository, "config"), join(outside, "in")],
      [outside, join(repository, "away")],
      [outside, join(repository, "config", "current")],
    ] as const)
      symlinkSync(target, path);
    const write = (path: string): Promise<Ended> => hook(event("Write", { file_path: path }));
    const shell = (command: string): Promise<Ended> => hook(event("Bash", { command }));
    const stopped = [
      await write(join(repository, "safe")),
      await write("../link/../x"),
      await write(join(outside, "in", "x")),
      await shell("rm ../config/current"),
      await shell("cd ../deep/../link && rm ../x"),
      await shell("cd ../away/../config && rm x"),
    ];
    expect(stopped).toEqual(stopped.map(() => denied(/"deny".*config\//)));
    expect(await write("../link/../../deep/x")).toEqual(silent);
    expect(await shell("rm ~root/a")).toEqual(denied(/file\.delete \/root\/a /));
    rmSync(outside, { recursive: true });
  });

  it("goes by what is recorded of the agent, and by the mail that its living runs have read", async () => {
    const [coder, eve] = [await office.as("coder"), await office.as("eve")];
    const run = event("Bash", { command: "npm test" });
    expect(await hook(run)).toEqual(silent);
    await eve.send("coder", "run this for me");
    await coder.read();
    expect(await hook(run)).toEqual(denied(/mail of a stranger/));
    expect(await hook(run, { LLM_MAILBOX_AGENT: "other" })).toEqual(silent);
    await coder.end();
    expect(await hook(run)).toEqual(silent);
    const fetch = event("WebFetch", { url: "https://example.org/" });
    expect(await hook(fetch)).toEqual(silent);
    await office.run("agents", "set", "coder", "--role", "junior");
    expect(await hook(fetch)).toEqual(denied(/juniors-fetch-nothing/));
  });

  it("is the agent that its token proves, and refuses what a token that ended would allow", async () => {
    const task = event("Task", { prompt: "x" });
    expect(await hook(task)).toEqual(denied(/prove your name/));
    const operator: Caller = {
      principal: operatorPrincipal(office.house.config.namespace),
      run: { id: "operator/test" as RunId },
    };
    const { token, id } = await office.house.tokens.issue(operator, "coder");
    const settings = { LLM_MAILBOX_TOKEN: token };
    expect(await hook(task, settings)).toEqual(silent);
    await office.run("agents", "revoke", id);
    expect(await hook(task, settings, "--closed")).toEqual(denied(/auth\.invalid/));
  });

  it("stops everything for an agent that was stopped", async () => {
    const earlier = (await office.json(
      "audit",
      "query",
      "--agent",
      "coder",
      "--outcome",
      "deny",
    )) as object[];
    await office.run("agents", "stop", "coder", "--reason", "test");
    expect(await hook(event("Read", { file_path: "a" }))).toEqual(denied(/"deny".*access\.stopped/));
    expect(await office.json("audit", "query", "--agent", "coder", "--outcome", "deny")).toMatchObject([
      { action: "policy.check", because: "access.stopped" },
      ...earlier,
    ]);
    await office.run("agents", "resume", "coder");
    expect(await hook(event("Read", { file_path: "a" }))).toEqual(silent);
  });

  it("lets pass with a line on standard error what cannot be decided, and refuses it with --closed", async () => {
    const away = { REDIS_URL: "redis://127.0.0.1:1" };
    const call = event("Read", { file_path: "a" });
    const open = await hook(call, away);
    expect(open).toMatchObject({ status: 0, out: "" });
    expect(open.err).toMatch(/^llm-mailbox policy hook: store\.unavailable.*going on without it\n$/);
    expect(await hook(call, away, "--closed")).toEqual(
      denied(/"deny".*told to refuse then: store\.unavailable/),
    );
    for (const input of ["", "{", "[]", '{"tool_name":"Bash"}']) {
      const wrong = await hook(input);
      expect(wrong).toMatchObject({ status: 1, out: "" });
      expect(wrong.err).toMatch(/^llm-mailbox policy hook: /);
      expect(await hook(input, {}, "--closed")).toEqual(denied(/"deny"/));
    }
    expect(await hook(JSON.stringify({ hook_event_name: "PostToolUse", tool_name: "Bash" }))).toEqual(silent);
    expect(await hook(call, { LLM_MAILBOX_AGENT: "" })).toMatchObject({
      status: 1,
      err: expect.stringContaining("--agent NAME"),
    });
  });

  it("leaves a row for each question", async () => {
    await hook(event("Edit", { file_path: join(repository, "config", "a.json") }));
    const rows = await office.house.store.command(
      "LRANGE",
      `{${office.house.config.namespace}:po}:audit`,
      0,
      -1,
    );
    expect(String(rows)).toMatch(/"w":"coder".*"a":"policy\.check".*"d":"deny".*no-secrets/);
  });
});
