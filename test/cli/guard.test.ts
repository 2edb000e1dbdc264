import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { hookAnswer, readHookCall } from "../../src/cli/client-hook.js";
import { type Findings, judge } from "../../src/cli/guard-verdict.js";
import { aroundFolder, repositoryAbove, repositoryPath } from "../../src/cli/repository-path.js";
import { splitPaths } from "../../src/cli/staged-paths.js";
import { startStore, type TestStore } from "../stores/index.js";
import { type Ended, main, type Office, openOffice, runIn } from "./command-line.js";

const place = realpathSync(mkdtempSync(join(tmpdir(), "mailbox-guard-")));
afterAll(() => rmSync(place, { recursive: true, force: true }));

function newRepository(name: string): string {
  const root = join(place, name);
  mkdirSync(join(root, "src", "deep"), { recursive: true });
  const git = (...args: string[]): void => void execFileSync("git", args, { cwd: root, stdio: "ignore" });
  git("init", "-q");
  git("config", "user.email", "t@example.org");
  git("config", "user.name", "T");
  return root;
}

describe("the name of a file", () => {
  const root = newRepository("names");
  writeFileSync(join(root, "src", "a.ts"), "");
  symlinkSync(join(root, "src"), join(root, "link"));
  symlinkSync("src/deep", join(root, "far"));
  symlinkSync("deep/later.ts", join(root, "src", "dangling"));
  symlinkSync("dangling", join(root, "src", "chain"));
  symlinkSync("deep/none", join(root, "src", "nowhere"));
  symlinkSync("ring", join(root, "src", "ring"));

  it.each([
    [join(root, "src/a.ts"), "src/a.ts"],
    ["a.ts", "src/a.ts"],
    ["./deep/../a.ts", "src/a.ts"],
    ["../new/file.ts", "new/file.ts"],
    [join(root, "link", "a.ts"), "src/a.ts"],
    [join(root, "link", "later", "b.ts"), "src/later/b.ts"],
    ["..b.ts", "src/..b.ts"],
    ["../far/../a.ts", "src/a.ts"],
    [`${root}/far/../later/../a.ts`, "src/a.ts"],
    ["../link/deep/../../x", "x"],
    ["dangling", "src/deep/later.ts"],
    ["chain", "src/deep/later.ts"],
    ["nowhere/x/../y", "src/deep/none/y"],
    ["ring/x", "src/ring/x"],
    [`${"deep/../".repeat(5_000)}a.ts`, "src/a.ts"],
  ])("%s is told relative to the repository", (given, name) => {
    expect(repositoryPath(root, join(root, "src"), given)).toBe(name);
  });

  it.each([join(place, "elsewhere.ts"), "/", "..", root, join(root, "..", "names-2", "x")])(
    "%s has none, because it is not in it",
    (given) => {
      expect(repositoryPath(root, join(root, "src"), given)).toBeUndefined();
    },
  );

  it("tells the repository itself from a folder around it, links followed", () => {
    const around = (...path: string[]): string | undefined => aroundFolder(root, join(root, ...path));
    expect([around("."), around("src", ".."), around("link", "..")]).toEqual([".", ".", "."]);
    expect([around(".."), around("..", ".."), aroundFolder(root, "/")]).toEqual(["..", "..", ".."]);
    expect([around("src"), around("..", "names-2"), around("link")]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("belongs to the nearest repository above it", () => {
    expect(repositoryAbove(join(root, "src", "deep"))).toBe(root);
    expect(repositoryAbove(join(root, "not", "there"))).toBe(root);
    const inner = join(root, "inner");
    mkdirSync(inner);
    writeFileSync(join(inner, ".git"), "gitdir: ../.git/worktrees/inner");
    expect(repositoryAbove(inner)).toBe(inner);
    expect(repositoryAbove(place)).toBeUndefined();
  });

  it("is read from git as it is, whatever it has in it", () => {
    expect(splitPaths('a b.ts\0ü\n.ts\0"q".ts\0')).toEqual(["a b.ts", "ü\n.ts", '"q".ts']);
    expect(splitPaths("")).toEqual([]);
  });
});

describe("what a client tells a hook", () => {
  it.each([
    ["Edit", { file_path: "/r/a" }, ["/r/a"]],
    ["Write", { file_path: "a", content: "x" }, ["a"]],
    ["MultiEdit", { file_path: "/r/a", edits: [] }, ["/r/a"]],
    ["NotebookEdit", { notebook_path: "/r/n.ipynb" }, ["/r/n.ipynb"]],
    ["Bash", { command: "rm -rf /", file_path: "/r/a" }, []],
    ["constructor", { file_path: "/r/a" }, []],
  ])("%s changes %j: %j", (tool_name, tool_input, files) => {
    const text = JSON.stringify({ session_id: "s1", cwd: "/r", tool_name, tool_input });
    expect(readHookCall(text)).toEqual({ session: "s1", folder: "/r", files });
  });

  it("at a stop is its session alone", () => {
    expect(readHookCall('{"session_id":"s1","hook_event_name":"Stop"}')).toEqual({
      session: "s1",
      files: [],
    });
  });

  it.each([
    "",
    "x",
    "null",
    "[]",
    '{"tool_name":"Edit"}',
    '{"tool_name":"Edit","tool_input":null}',
    '{"tool_name":"Edit","tool_input":{"file_path":7}}',
    '{"tool_name":"Write","tool_input":{"__proto__":{"file_path":"x"}}}',
  ])("%s is no such thing", (text) => {
    expect(readHookCall(text)).toBeUndefined();
  });
});

describe("a guard", () => {
  const free: Findings = { reserved: [], unnameable: [], away: false };
  const taken: Findings = {
    ...free,
    reserved: [{ path: "src/a.ts", agent: "bob", until: "2026-01-01T00:00:00.000Z" }],
  };
  const refuse = { onConflict: "refuse", storeAway: "refuse" } as const;
  const lenient = { onConflict: "warn", storeAway: "allow" } as const;

  it("has nothing to say of what is free", () => {
    expect(judge(free, refuse)).toMatchObject({ allowed: true, text: "" });
    expect(hookAnswer(judge(free, refuse))).toBe("");
  });

  it("refuses what is reserved, and says by whom and until when; or only warns", () => {
    const no = judge(taken, refuse);
    expect(no.allowed).toBe(false);
    expect(no.text).toContain("src/a.ts is reserved by bob until 2026-01-01T00:00:00.000Z");
    expect(JSON.parse(hookAnswer(no))).toEqual({
      hookSpecificOutput: {
        hookEventName: "PreToolUse",
        permissionDecision: "deny",
        permissionDecisionReason: no.text,
      },
    });
    const warned = judge(taken, lenient);
    expect(warned.allowed).toBe(true);
    expect(JSON.parse(hookAnswer(warned))).toEqual({ systemMessage: warned.text });
    expect(warned.text).toContain("reserved by bob");
  });

  it("says that the store is away, and allows or refuses as configured", () => {
    expect(judge({ ...free, away: true }, lenient)).toMatchObject({ allowed: true });
    expect(judge({ ...free, away: true }, refuse)).toMatchObject({ allowed: false });
    for (const manner of [lenient, refuse])
      expect(judge({ ...free, away: true }, manner).text).toContain("the store cannot be reached");
  });

  it("names ten files and counts the others, and hides nothing that a path has in it", () => {
    const reserved = Array.from({ length: 12 }, (_, n) => ({ ...taken.reserved[0]!, path: `${n}\u202e` }));
    const { text } = judge({ ...free, reserved }, refuse);
    expect(text).toContain("9\\u{202e} is reserved");
    expect(text).toContain("and 2 more");
    expect(judge({ ...free, unnameable: ["a\u0000"] }, refuse)).toMatchObject({ allowed: true });
    expect(judge({ ...free, unnameable: ["a\u0000"] }, refuse).text).toContain("not looked at");
  });
});

describe("llm-mailbox guard", () => {
  const root = newRepository("guarded");
  let store: TestStore;
  let office: Office;
  let count = 0;
  beforeAll(async () => {
    store = await startStore("embedded");
  });
  afterAll(() => store.stop());
  beforeEach(async () => {
    office = await openOffice(store.url);
    count++;
    return () => office.close();
  });

  const guard = (input: string, settings: Record<string, string>, ...args: string[]): Promise<Ended> =>
    runIn(root, input, { ...office.settings, ...settings }, "guard", ...args);
  const edit = (file: string, session = "s1"): string =>
    JSON.stringify({ session_id: session, cwd: root, tool_name: "Edit", tool_input: { file_path: file } });
  const as = (agent: string): Record<string, string> => ({ LLM_MAILBOX_AGENT: agent });
  const lock = async (agent: string, ...resources: string[]): Promise<void> => {
    const { caller } = await office.as(agent);
    expect((await office.house.rooms.locks.acquireLock(caller, { resources })).state).toBe("granted");
  };
  const holders = async (): Promise<unknown[]> => {
    const { caller } = await office.as("onlooker");
    const { holders: found, waiters } = await office.house.rooms.locks.listLocks(caller, {});
    expect(waiters).toEqual([]);
    return found.map(({ agent, resources }) => [agent, ...resources]);
  };

  it("refuses a commit that changes what another agent has reserved, and lets the owner commit", async () => {
    writeFileSync(join(root, "src", "a.ts"), String(count));
    writeFileSync(join(root, "b ü.ts"), String(count));
    execFileSync("git", ["add", "-A"], { cwd: root });
    await lock("bob", "src/**");
    const refused = await guard("", as("alice"), "pre-commit");
    expect(refused.status).toBe(1);
    expect(refused.err).toMatch(/^llm-mailbox guard: src\/a\.ts is reserved by bob until 20\S+Z\n/);
    expect(refused.err).not.toContain("b ü.ts");
    expect(await guard("", as("bob"), "pre-commit")).toEqual({ status: 0, out: "", err: "" });
    const warned = await guard("", as("alice"), "pre-commit", "--on-conflict", "warn");
    expect([warned.status, warned.err.includes("reserved by bob")]).toEqual([0, true]);
    const told = await guard("", as("alice"), "pre-commit", "--json");
    expect([told.status, JSON.parse(told.out)]).toEqual([
      1,
      {
        allowed: false,
        reserved: [{ path: "src/a.ts", agent: "bob", until: expect.any(String) }],
        unnameable: [],
        store_away: false,
      },
    ]);
    await lock("carol", "other/b ü.ts");
    const prefixed = await guard("", as("alice"), "pre-commit", "--prefix", "other", "--json");
    expect(JSON.parse(prefixed.out)).toMatchObject({ reserved: [{ path: "b ü.ts", agent: "carol" }] });
  });

  it("as a hook of git stops the commit itself", async () => {
    writeFileSync(join(root, ".git", "hooks", "pre-commit"), hookScript(office.settings), { mode: 0o755 });
    writeFileSync(join(root, "src", "a.ts"), `hook ${count}`);
    execFileSync("git", ["add", "-A"], { cwd: root });
    await lock("bob", "src/a.ts");
    const commit = (): string => {
      try {
        return execFileSync("git", ["commit", "-qm", "x"], { cwd: root, stdio: "pipe" }).toString();
      } catch (error) {
        return String((error as { stderr: Buffer }).stderr);
      }
    };
    expect(commit()).toContain("src/a.ts is reserved by bob");
    const { caller } = await office.as("operator-of-test");
    const [held] = (await office.house.rooms.locks.listLocks(caller, {})).holders;
    await office.run("locks", "release", held!.lock_id, "--reason", "done");
    expect(commit()).toBe("");
    rmSync(join(root, ".git", "hooks", "pre-commit"));
  });

  it("denies an edit of what another agent has reserved, and says nothing of what is free or no file here", async () => {
    await lock("bob", "src/a.ts");
    const denied = await guard(edit(join(root, "src/a.ts")), as("alice"), "edit");
    expect(denied.status).toBe(0);
    expect(JSON.parse(denied.out)).toMatchObject({
      hookSpecificOutput: {
        permissionDecision: "deny",
        permissionDecisionReason: expect.stringContaining("src/a.ts is reserved by bob until"),
      },
    });
    const silent = { status: 0, out: "", err: "" };
    expect(await guard(edit(join(root, "src/b.ts")), as("alice"), "edit")).toEqual(silent);
    expect(await guard(edit("/somewhere/else.ts"), as("alice"), "edit")).toEqual(silent);
    expect(await guard('{"tool_name":"Bash","tool_input":{}}', as("alice"), "edit")).toEqual(silent);
    expect(await holders()).toEqual([["bob", "src/a.ts"]]);
  });

  it("reserves a file at its first edit, keeps it through more, and gives all back at the stop", async () => {
    const take = (file: string, agent = "alice", session = "s1"): Promise<Ended> =>
      guard(edit(join(root, file), session), as(agent), "edit", "--take");
    const silent = { status: 0, out: "", err: "" };
    for (const file of ["src/a.ts", "src/b.ts", "src/a.ts"]) expect(await take(file)).toEqual(silent);
    expect((await holders()).toSorted()).toEqual([
      ["alice", "src/a.ts"],
      ["alice", "src/b.ts"],
    ]);
    expect(await take("src/b.ts", "alice", "s2")).toEqual(silent);
    const denied = await take("src/a.ts", "bob");
    expect(denied.out).toContain("src/a.ts is reserved by alice until");
    expect(await take("src/c.ts", "bob")).toEqual(silent);
    expect(await guard('{"session_id":"s1"}', as("alice"), "stop")).toEqual(silent);
    expect(await holders()).toEqual([["bob", "src/c.ts"]]);
    expect(await take("src/a.ts", "bob")).toEqual(silent);
    expect(await guard('{"session_id":"s1"}', as("alice"), "stop")).toEqual(silent);
    expect(await guard("", as("bob"), "stop", "--session", "s1")).toEqual(silent);
    expect(await holders()).toEqual([]);
  });

  it("ends with status 2 when it is not told enough", async () => {
    const given = edit(join(root, "src/a.ts"));
    for (const [input, settings, ...args] of [
      [given, {}, "edit"],
      ["no JSON", as("alice"), "edit"],
      [given.replace("session_id", "other"), as("alice"), "edit", "--take"],
      ["{}", as("alice"), "stop"],
      ["", as("alice"), "pre-commit", "--on-conflict", "shrug"],
    ] as const) {
      const ended = await guard(input, settings, ...args);
      expect([ended.status, ended.out]).toEqual([2, ""]);
      expect(ended.err).toMatch(/^llm-mailbox: /);
    }
  });
});

describe("llm-mailbox guard without a store", () => {
  const root = newRepository("away");
  writeFileSync(join(root, "a.ts"), "1");
  execFileSync("git", ["add", "-A"], { cwd: root });
  const nowhere = { REDIS_URL: "redis://127.0.0.1:1", LLM_MAILBOX_AGENT: "alice" };
  const input = JSON.stringify({
    cwd: root,
    tool_name: "Write",
    tool_input: { file_path: join(root, "a.ts") },
  });

  it("allows with a warning, or refuses, as configured", async () => {
    const allowed = await runIn(root, "", nowhere, "guard", "pre-commit");
    expect([allowed.status, allowed.err.includes("the store cannot be reached")]).toEqual([0, true]);
    const refused = await runIn(root, "", nowhere, "guard", "pre-commit", "--store-away", "refuse");
    expect([refused.status, refused.err.includes("try again when it is back")]).toEqual([1, true]);
    const warned = await runIn(root, input, nowhere, "guard", "edit");
    expect([warned.status, Object.keys(JSON.parse(warned.out) as object)]).toEqual([0, ["systemMessage"]]);
    const denied = await runIn(root, input, nowhere, "guard", "edit", "--store-away", "refuse");
    expect(denied.out).toContain('"permissionDecision":"deny"');
  });

  it("starts none where nothing was ever stored", async () => {
    const dataDir = join(place, "untouched");
    const settings = { LLM_MAILBOX_DATA_DIR: dataDir, LLM_MAILBOX_AGENT: "alice" };
    expect(await runIn(root, "", settings, "guard", "pre-commit")).toEqual({ status: 0, out: "", err: "" });
    expect(await runIn(root, input, settings, "guard", "edit")).toEqual({ status: 0, out: "", err: "" });
    expect(() => realpathSync(dataDir)).toThrow();
  });
});

function hookScript(settings: Record<string, string>): string {
  const exports = Object.entries(settings).map(([name, value]) => `export ${name}='${value}'`);
  return [
    "#!/bin/sh",
    ...exports,
    `exec '${process.execPath}' '${main}' guard pre-commit --agent alice`,
    "",
  ].join("\n");
}
