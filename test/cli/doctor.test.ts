import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hookProgram } from "../../src/cli/hook-program.js";
import { hasRedisServer, startRedisServer } from "../stores/redis-server.js";
import { type Ended, main, runIn, runWith, spawnIn } from "./command-line.js";

interface Report {
  readonly healthy: boolean;
  readonly findings: readonly { about: string; state: string; found: string; remedy?: string }[];
  readonly trust: string;
}

const base = mkdtempSync(join(tmpdir(), "mailbox-doctor-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));

const local = (name: string, more: Record<string, string> = {}): Record<string, string> => ({
  LLM_MAILBOX_DATA_DIR: join(base, name),
  LLM_MAILBOX_ENGINE: "embedded",
  LLM_MAILBOX_ENGINE_IDLE_SECONDS: "1",
  ...more,
});
const report = ({ out }: Ended): Report => JSON.parse(out) as Report;
const about = ({ findings }: Report, name: string) => findings.filter((finding) => finding.about === name);

describe("the doctor", () => {
  it("finds nothing wrong with a fresh start, and says which store it would use and did use", async () => {
    // Not the hooks of whoever runs this.
    const ended = await runIn(base, "", local("fresh", { HOME: base }), "doctor", "--json");
    const found = report(ended);
    expect(ended.status).toBe(0);
    expect(found.healthy).toBe(true);
    expect(found.findings.filter(({ state }) => state !== "ok")).toEqual([]);
    expect(about(found, "engine")[0]?.found).toBe("not running; a start uses embedded engine");
    expect(about(found, "store")[0]?.found).toMatch(/^embedded engine answers a script in [\d.]+ ms$/);
    expect(about(found, "durability")[0]?.found).toMatch(/^D2/);
    expect(about(found, "runs")[0]?.found).toBe("0 runs alive in 0 processes");
    expect(found.trust).toContain("one trust domain");
  });

  it("says the same to people, with what the store does and does not protect", async () => {
    const { status, out } = await runIn(base, "", local("fresh", { HOME: base }), "doctor");
    expect(status).toBe(0);
    expect(out).toMatch(/^ok {4}node {10}Node\.js \d+/);
    expect(out).toMatch(/\nok {4}data {10}.*fresh \(mode 0700\), holds data of embedded engine\n/);
    expect(out).toContain("open this store directly are one trust domain");
    expect(out).toMatch(/\nAll is well\.\n$/);
  });

  it("names every wrong setting with what is allowed, and ends with status 1", async () => {
    const ended = await runWith(
      local("fresh", { LLM_MAILBOX_AGNT: "bob", LLM_MAILBOX_PORT: "http", LLM_MAILBOX_TIER: "D9" }),
      "doctor",
      "--json",
    );
    expect(ended.status).toBe(1);
    const settings = about(report(ended), "settings");
    expect(settings.map(({ state, found }) => [state, found])).toEqual([
      ["fail", "LLM_MAILBOX_AGNT is unknown; did you mean LLM_MAILBOX_AGENT?"],
      ["fail", "LLM_MAILBOX_TIER is malformed"],
      ["fail", "LLM_MAILBOX_PORT is malformed"],
    ]);
    expect(settings[1]?.remedy).toContain("D0, D1, D2");
    expect(about(report(ended), "store")[0]?.state).toBe("ok");
  });

  it("warns of a data directory that others can read and of a lock whose owner has ended", async () => {
    const dataDir = join(base, "open");
    mkdirSync(dataDir);
    chmodSync(dataDir, 0o755);
    writeFileSync(join(dataDir, "start.lock"), "left behind");
    const ended = await runWith(local("open"), "doctor", "--json");
    expect(ended.status).toBe(0);
    expect(about(report(ended), "data")[0]).toMatchObject({ state: "warn", remedy: `chmod 700 ${dataDir}` });
    expect(about(report(ended), "lock")[0]).toMatchObject({
      state: "warn",
      found: expect.stringContaining("start.lock was left by a process that has ended"),
    });
  });

  it("fails where the files are those of another engine, and says how to go on", async () => {
    await runWith(local("mine"), "queues", "create", "builds");
    const ended = await runWith(local("mine", { LLM_MAILBOX_ENGINE: "redis-server" }), "doctor", "--json");
    expect(ended.status).toBe(1);
    expect(about(report(ended), "store")[0]).toMatchObject({
      state: "fail",
      found: expect.stringContaining("LLM_MAILBOX_ENGINE=embedded"),
    });
  });

  it("fails within seconds where nothing answers, and shows no password", async () => {
    const ended = await runWith({ REDIS_URL: "redis://:secret@127.0.0.1:1" }, "doctor", "--json");
    expect(ended.status).toBe(1);
    expect(about(report(ended), "store")[0]).toMatchObject({
      state: "fail",
      found: expect.stringContaining("store.unavailable"),
      remedy: expect.stringContaining("REDIS_URL"),
    });
    expect(ended.out + ended.err).not.toContain("secret");
  });
});

describe("the doctor's look at hooks", () => {
  const place = (): { home: string; project: string; settings: Record<string, string> } => {
    const [home, project] = [mkdtempSync(join(base, "home-")), mkdtempSync(join(base, "project-"))];
    return { home, project, settings: local("fresh", { HOME: home }) };
  };
  const write = (path: string, text: string): string => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  };
  const hooks = (commands: Readonly<Record<string, string>>): string =>
    JSON.stringify({
      hooks: Object.fromEntries(
        Object.entries(commands).map(([event, command]) => [
          event,
          [{ hooks: [{ type: "command", command }] }],
        ]),
      ),
    });

  it("finds what init wrote in order, and says where it looked", async () => {
    const { home, project, settings } = place();
    await spawnIn(
      project,
      "",
      settings,
      "init",
      "--yes",
      "--hooks",
      "--policy-hook",
      "--client",
      "claude-code",
      "codex",
    );
    const ended = await runIn(project, "", settings, "doctor", "--json");
    expect(ended.status).toBe(0);
    expect(about(report(ended), "hooks").map(({ state, found }) => [state, found])).toEqual([
      ["ok", `5 hooks of Claude Code in ${project}/.claude/settings.local.json: what they start is there`],
      ["warn", expect.stringContaining(`Codex does not trust 5 hooks in ${home}/.codex/hooks.json yet`)],
    ]);
  });

  it("says of Codex's hooks which it does not trust yet, and that all is well once it does", async () => {
    const { home, project, settings } = place();
    await spawnIn(project, "", settings, "init", "--yes", "--policy-hook", "--hooks", "--client", "codex");
    const file = join(home, ".codex/hooks.json");
    const config = join(home, ".codex/config.toml");
    const trust = (...hooks: readonly string[]): void =>
      writeFileSync(
        config,
        `[hooks.state]\n${hooks.map((hook) => `[hooks.state."${hook}:0:0"]\ntrusted_hash = "sha256:0"\n`).join("")}`,
      );
    const look = async () => about(report(await runIn(project, "", settings, "doctor", "--json")), "hooks");
    const rest = ["post_tool_use", "session_start", "user_prompt_submit", "stop"].map(
      (event) => `${file}:${event}`,
    );
    trust(...rest);
    expect(await look()).toEqual([
      {
        about: "hooks",
        state: "warn",
        found: `Codex does not trust 1 hook in ${file} yet (PreToolUse): it goes on without it and says nothing`,
        remedy: "start Codex in a terminal, where it asks whether to trust it",
      },
    ]);
    trust(...rest, `${file}:pre_tool_use`);
    expect(await look()).toEqual([
      { about: "hooks", state: "ok", found: `5 hooks of Codex in ${file}: what they start is there` },
    ]);
    writeFileSync(config, "hooks = ");
    expect((await look())[0]).toMatchObject({ state: "ok" });
  });

  it("fails where the program of a policy's hook is gone, and init writes it anew as the remedy says", async () => {
    const { home, project, settings } = place();
    const file = join(home, ".codex/hooks.json");
    const init = ["init", "--yes", "--hooks", "--policy-hook", "--client", "codex"];
    await spawnIn(project, "", settings, ...init);
    const moved = join(base, "moved/main.js");
    write(file, readFileSync(file, "utf8").replaceAll(realpathSync(main), moved));
    const ended = await runIn(project, "", settings, "doctor", "--json");
    expect(ended.status).toBe(1);
    expect(about(report(ended), "hooks")).toEqual([
      {
        about: "hooks",
        state: "fail",
        found: `${moved} is not there, but hooks in ${file} start it (SessionStart, UserPromptSubmit, PostToolUse, Stop, PreToolUse): Codex goes on without them and says nothing`,
        remedy:
          "correct it in that file, or remove those hooks from it and have them written anew: llm-mailbox init --client codex --hooks --policy-hook",
      },
    ]);
    rmSync(file);
    await spawnIn(project, "", settings, ...init);
    expect((await runIn(project, "", settings, "doctor")).status).toBe(0);
  });

  it("warns where only reminders cannot run, and finds a name on PATH alone", async () => {
    const { project, settings } = place();
    const file = write(
      join(project, ".claude/settings.local.json"),
      hooks({ Stop: "llm-mailbox check --hook claude-code --agent coder" }),
    );
    const bin = join(project, "bin");
    const look = async () => {
      const ended = await runIn(project, "", { ...settings, PATH: bin }, "doctor", "--json");
      return { status: ended.status, hooks: about(report(ended), "hooks") };
    };
    expect(await look()).toEqual({
      status: 0,
      hooks: [
        expect.objectContaining({
          state: "warn",
          found: expect.stringContaining(
            `llm-mailbox is not on the PATH of this terminal, but hooks in ${file} start it`,
          ),
          remedy: expect.stringContaining("init --client claude-code --hooks"),
        }),
      ],
    });
    chmodSync(write(join(bin, "llm-mailbox"), "#!/bin/sh\n"), 0o755);
    expect((await look()).hooks[0]).toMatchObject({ state: "ok" });
  });

  it("finds guards in every file from which Claude Code reads hooks", async () => {
    const { home, project, settings } = place();
    const shared = write(
      join(project, ".claude/settings.json"),
      hooks({ PreToolUse: "no-such-llm-mailbox guard edit --take", Stop: "/nowhere/llm-mailbox guard stop" }),
    );
    const own = write(
      join(home, ".claude/settings.json"),
      hooks({ PreToolUse: "/nowhere/llm-mailbox guard edit" }),
    );
    const moved = write(
      join(home, "moved/settings.json"),
      hooks({ PreToolUse: `${process.execPath} guard edit` }),
    );
    const look = async (more: Record<string, string> = {}) => {
      const ended = await runIn(project, "", { ...settings, ...more }, "doctor", "--json");
      return [
        ended.status,
        ...about(report(ended), "hooks").map(
          ({ state, found }) => `${state} ${found.replace(/ start.*/, "")}`,
        ),
      ];
    };
    const ofProject = [
      `fail no-such-llm-mailbox is not on the PATH of this terminal, but hooks in ${shared}`,
      `warn /nowhere/llm-mailbox is not there, but hooks in ${shared}`,
    ];
    expect(await look()).toEqual([
      1,
      ...ofProject,
      `fail /nowhere/llm-mailbox is not there, but hooks in ${own}`,
    ]);
    expect(await look({ CLAUDE_CONFIG_DIR: dirname(moved) })).toEqual([
      1,
      ...ofProject,
      `ok 1 hook of Claude Code in ${moved}: what they`,
    ]);
    // Where the project is the home, one file is told of once.
    const ended = await runIn(home, "", settings, "doctor", "--json");
    expect(about(report(ended), "hooks")).toHaveLength(1);
  });

  it("finds a guard before commits that git passes over", async () => {
    const { project, settings } = place();
    const root = realpathSync(project);
    const git = (...args: string[]): unknown => execFileSync("git", args, { cwd: project });
    const look = async () => {
      const ended = await runIn(join(project, "src"), "", settings, "doctor", "--json");
      return about(report(ended), "hooks").map(({ state, found }) => `${state} ${found}`);
    };
    mkdirSync(join(project, "src"));
    expect(await look()).toEqual([]);
    git("init", "-q");
    const file = join(root, ".git/hooks/pre-commit");
    expect(await look()).toEqual([]);
    write(file, "#!/bin/sh\nexec llm-mailbox guard pre-commit --agent a\n");
    expect(await look()).toEqual([`fail ${file} is not executable: git commits without this guard`]);
    chmodSync(file, 0o755);
    expect(await look()).toEqual([`ok the guard before commits is in ${file}`]);
    git("config", "core.hooksPath", ".husky");
    expect(await look()).toEqual([
      `warn git looks for hooks in ${root}/.husky (core.hooksPath): the guard in ${file} never runs`,
    ]);
    chmodSync(write(join(root, ".husky/pre-commit"), "llm-mailbox guard pre-commit || exit 1\n"), 0o755);
    expect(await look()).toEqual([`ok the guard before commits is in ${root}/.husky/pre-commit`]);
  });

  it("fails where the whole file is passed over that has a guard or a policy in it", async () => {
    const { home, project, settings } = place();
    write(
      join(home, ".codex/hooks.json"),
      `// mine\n${hooks({ PreToolUse: "llm-mailbox guard edit --take" })}`,
    );
    write(join(project, ".claude/settings.local.json"), '{"hooks": {"Stop": "check --hook claude-code"');
    const ended = await runIn(project, "", settings, "doctor", "--json");
    expect(ended.status).toBe(1);
    expect(about(report(ended), "hooks").map(({ state, found }) => [state, found])).toEqual([
      ["warn", expect.stringContaining("it is not JSON (line 1)")],
      ["fail", expect.stringContaining("without comments and trailing commas; ")],
    ]);
  });

  it("says nothing of hooks that are not ours, and of shapes that are none", async () => {
    const { home, project, settings } = place();
    write(join(home, ".codex/hooks.json"), hooks({ Stop: "/nowhere/other" }));
    write(
      join(project, ".claude/settings.local.json"),
      '{"hooks":{"Stop":"policy hook","PreToolUse":[null,{"hooks":[3,{"command":1}]}]}}',
    );
    const ended = await runIn(project, "", settings, "doctor", "--json");
    expect(about(report(ended), "hooks")).toEqual([]);
    expect(ended.status).toBe(0);
  });

  it.each([
    ["/gone/node /gone/main.js policy hook claude-code", { missing: "/gone/node" }],
    ["NODE /gone/main.js policy hook claude-code", { missing: "/gone/main.js" }],
    ["'NODE' \"MAIN\" check --hook claude-code --agent a", "there"],
    ["  A=1 B=x/y NODE MAIN guard edit --take", "there"],
    ["/gone\\ node policy hook claude-code", { missing: "/gone node" }],
    ["'/it'\\''s/node' policy hook claude-code", { missing: "/it's/node" }],
    ["nowhere-on-path policy hook claude-code --closed || exit 2", { missing: "nowhere-on-path" }],
    ["node MAIN policy hook claude-code", "there"],
    ["FOLDER policy hook claude-code", { missing: "FOLDER" }],
    ['"$HOME"/x policy hook claude-code', "untold"],
    ["cd /x && node MAIN policy hook claude-code", "untold"],
    ["~/x policy hook claude-code", "untold"],
    ["./x policy hook claude-code", "untold"],
    ["npx llm-mailbox policy hook claude-code", "untold"],
    ["node --no-warnings MAIN policy hook claude-code", "untold"],
    ["`which x` policy hook claude-code", "untold"],
    ["policy hook claude-code", "untold"],
  ])("of %j", (line, found) => {
    const own = (text: string): string =>
      text.replace("NODE", process.execPath).replace("MAIN", main).replace("FOLDER", base);
    const around = { home: base, project: base, env: { PATH: dirname(process.execPath) } };
    expect(hookProgram(own(line), { ...around, platform: "linux" })).toEqual(
      typeof found === "string" ? found : { missing: own(found.missing) },
    );
  });
});

describe.runIf(hasRedisServer() || process.env.CI)("the doctor on a redis-server", () => {
  let store: Awaited<ReturnType<typeof startRedisServer>>;
  beforeAll(async () => {
    store = await startRedisServer();
  });
  afterAll(() => store.stop());

  it("starts one for a data directory, finds it running, and answers the other commands from it", async () => {
    const settings = local("server", {
      LLM_MAILBOX_ENGINE: "redis-server",
      LLM_MAILBOX_ENGINE_IDLE_SECONDS: "5",
    });
    const [first, created] = [
      await runIn(base, "", { ...settings, HOME: base }, "doctor", "--json"),
      await runWith(settings, "queues", "create", "q"),
    ];
    expect(report(first).findings.filter(({ state }) => state !== "ok")).toEqual([]);
    expect(created.out).toBe("queue:q is open.\n");
    const again = report(await runWith(settings, "doctor", "--json"));
    expect(about(again, "engine")[0]?.found).toMatch(/^redis-server [\d.]+ .*is running \(supervisor \d+\)$/);
    expect(about(again, "durability")[0]?.found).toMatch(/^D2/);
  });

  it("refuses a durability below the one that is demanded", async () => {
    const { Redis } = await import("ioredis");
    const redis = new Redis(store.url.replace("unix://", ""));
    await redis.config("SET", "appendfsync", "everysec");
    redis.disconnect();
    const demanding = { REDIS_URL: store.url, LLM_MAILBOX_TIER: "D2" };
    const [demanded, weaker] = [
      await runWith(demanding, "doctor", "--json"),
      await runWith({ REDIS_URL: store.url }, "doctor", "--json"),
    ];
    expect(demanded.status).toBe(1);
    expect(about(report(demanded), "durability")[0]).toMatchObject({ state: "fail" });
    expect(weaker.status).toBe(0);
    expect(about(report(weaker), "durability")[0]).toMatchObject({
      state: "warn",
      found: expect.stringMatching(/^D1/),
    });
  });
});
