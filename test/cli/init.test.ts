import { spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { addToJson, jsonAt, Unreadable } from "../../src/cli/edit-json.js";
import { addTomlTable, tomlBelow } from "../../src/cli/edit-toml.js";
import { hookPlaces } from "../../src/cli/hook-places.js";
import { hookCommand, withHooks } from "../../src/cli/hooks-file.js";
import { knownClients } from "../../src/cli/known-clients.js";
import { main } from "./command-line.js";

const base = realpathSync(mkdtempSync(join(tmpdir(), "mailbox-init-")));
afterAll(() => rmSync(base, { recursive: true, force: true }));

interface Place {
  readonly home: string;
  readonly project: string;
  /** What its programs find in their environment. */
  readonly env: Record<string, string>;
  write(path: string, text: string): string;
  run(...args: readonly string[]): Promise<{ status: number; out: string; err: string }>;
  /** The same at a terminal, at which these lines are typed. */
  type(lines: string, ...args: readonly string[]): Promise<string>;
}

function place(): Place {
  const [home, project] = [mkdtempSync(join(base, "home-")), mkdtempSync(join(base, "project-"))];
  const env: Record<string, string> = { PATH: process.env.PATH!, HOME: home };
  const ended = (command: string, args: readonly string[], input: string) =>
    new Promise<{ status: number; out: string; err: string }>((resolve) => {
      const child = spawn(command, args, { cwd: project, env });
      let [out, err] = ["", ""];
      child.stdout.on("data", (text) => (out += String(text)));
      child.stderr.on("data", (text) => (err += String(text)));
      child.on("close", (status) => resolve({ status: status ?? -1, out, err }));
      child.stdin.end(input);
    });
  return {
    home,
    project,
    env,
    write: (path, text) => {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
      return path;
    },
    run: (...args) => ended(process.execPath, [main, "init", ...args], ""),
    type: async (lines, ...args) => {
      const command = [process.execPath, main, "init", ...args].map((word) => `'${word}'`).join(" ");
      return (await ended("script", ["-qec", command, "/dev/null"], lines)).out;
    },
  };
}

const program = realpathSync(main);
const entry = (...words: string[]): object => ({
  command: process.execPath,
  args: [program, "stdio", ...words],
});
const files = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) =>
    lstatSync(join(folder, path)).isFile(),
  );

describe("init", () => {
  it("writes down which store or server the environment says, for a client has an environment of its own", async () => {
    const written = async (set: Record<string, string>): Promise<unknown> => {
      const { project, env, run } = place();
      Object.assign(env, set);
      const { status, out } = await run("--client", "claude-code", "--agent", "coder", "--yes");
      expect(status).toBe(0);
      const { mcpServers } = JSON.parse(readFileSync(join(project, ".mcp.json"), "utf8"));
      expect(out.includes("REDIS_URL is set here, and is not written")).toBe("REDIS_URL" in set);
      expect(JSON.stringify(mcpServers)).not.toContain("redis://");
      return mcpServers.mailbox;
    };
    const dataDir = join(base, "elsewhere");
    expect(await written({ LLM_MAILBOX_DATA_DIR: dataDir, LLM_MAILBOX_NAMESPACE: "team-b" })).toEqual(
      entry("--agent", "coder", "--data-dir", dataDir, "--namespace", "team-b"),
    );
    expect(await written({ LLM_MAILBOX_SERVER: "https://mail.example" })).toEqual(
      entry("--agent", "coder", "--server", "https://mail.example/mcp"),
    );
    expect(await written({ REDIS_URL: "redis://:secret@127.0.0.1:1" })).toEqual(entry("--agent", "coder"));
  });

  it("without a terminal shows what each client found needs, and writes nothing", async () => {
    const { home, project, run } = place();
    for (const folder of [".config/Claude", ".claude", ".codex", ".cursor"])
      mkdirSync(join(home, folder), { recursive: true });
    mkdirSync(join(project, ".vscode"));
    const { status, out, err } = await run();
    expect({ status, err }).toEqual({ status: 0, err: "" });
    for (const file of [
      join(home, ".config/Claude/claude_desktop_config.json"),
      join(project, ".mcp.json"),
      join(home, ".codex/config.toml"),
      join(home, ".cursor/mcp.json"),
      join(project, ".vscode/mcp.json"),
      join(project, ".claude/settings.local.json"),
      join(home, ".codex/hooks.json"),
    ])
      expect(out).toContain(file);
    expect(out).toContain("[mcp_servers.mailbox]");
    expect(out).toContain("claude mcp add --scope user mailbox -- ");
    expect(out).toContain("check --hook claude-code --agent coder");
    expect(out).toContain("check --hook claude-code --agent codex");
    expect(out).toContain("whether to trust a new hook");
    expect(out).toContain("Nothing was written: there is no terminal to ask at.");
    expect([...files(home), ...files(project)]).toEqual([]);
  });

  it("says what it knows when it finds none, and how any other client starts it", async () => {
    const { home, project, run } = place();
    const { out } = await run();
    expect(out).toContain("claude-desktop, claude-code, codex, cursor, vscode");
    expect(out).toContain(`${program} stdio --agent NAME`);
    expect([...files(home), ...files(project)]).toEqual([]);
  });

  it("with --yes writes each, for an agent of its own, and nothing the second time", async () => {
    const { home, project, run } = place();
    for (const folder of [".config/Claude", ".claude", ".codex", ".cursor"])
      mkdirSync(join(home, folder), { recursive: true });
    mkdirSync(join(project, ".vscode"));
    const { out } = await run("--yes");
    expect(out.match(/Not written: with --yes this one is written only if --hooks is given\./g)).toHaveLength(
      2,
    );
    expect(out).toContain("start those again that are running");
    const json = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));
    expect(json(join(home, ".config/Claude/claude_desktop_config.json"))).toEqual({
      mcpServers: { mailbox: entry("--agent", "desktop") },
    });
    expect(json(join(project, ".mcp.json"))).toEqual({ mcpServers: { mailbox: entry("--agent", "coder") } });
    expect(json(join(home, ".cursor/mcp.json"))).toEqual({
      mcpServers: { mailbox: entry("--agent", "cursor") },
    });
    expect(json(join(project, ".vscode/mcp.json"))).toEqual({
      servers: { mailbox: { type: "stdio", ...entry("--agent", "vscode") } },
    });
    expect(readFileSync(join(home, ".codex/config.toml"), "utf8")).toBe(
      `[mcp_servers.mailbox]\ncommand = "${process.execPath}"\nargs = ["${program}", "stdio", "--agent", "codex"]\n`,
    );
    const before = [home, project].flatMap((folder) =>
      files(folder).map((path) => [path, readFileSync(join(folder, path), "utf8")]),
    );
    expect(before).toHaveLength(5);
    const again = await run("--yes");
    expect(again.out.match(/An entry called mailbox is there already, and left as it is/g)).toHaveLength(5);
    expect(again.out).not.toContain("start those again");
    expect(
      [home, project].flatMap((folder) =>
        files(folder).map((path) => [path, readFileSync(join(folder, path), "utf8")]),
      ),
    ).toEqual(before);
  });

  it("keeps what is there byte for byte, the mode and a link too, and a copy of what was there before", async () => {
    const { home, project, run, write } = place();
    const real = write(
      join(home, "dotfiles/cursor.json"),
      '{\n\t"mcpServers": {\n\t\t"other": { "command": "x" } // mine\n\t}\n}\n',
    );
    chmodSync(real, 0o640);
    mkdirSync(join(home, ".cursor"));
    symlinkSync(real, join(home, ".cursor/mcp.json"));
    const before = readFileSync(real, "utf8");
    const { out } = await run("--yes", "--client", "cursor", "--agent", "me");
    expect(out).toContain(`what was there is kept as ${real}.before-mailbox`);
    expect(readFileSync(`${real}.before-mailbox`, "utf8")).toBe(before);
    const after = readFileSync(real, "utf8");
    expect(
      after.startsWith(
        '{\n\t"mcpServers": {\n\t\t"other": { "command": "x" }, // mine\n\t\t"mailbox": {\n\t\t\t"command": ',
      ),
    ).toBe(true);
    expect(jsonAt(after, ["mcpServers"])).toEqual({
      other: { command: "x" },
      mailbox: entry("--agent", "me"),
    });
    expect(lstatSync(join(home, ".cursor/mcp.json")).isSymbolicLink()).toBe(true);
    expect(statSync(real).mode & 0o777).toBe(0o640);
    expect(files(home).sort()).toEqual(["dotfiles/cursor.json", "dotfiles/cursor.json.before-mailbox"]);
    expect(files(project)).toEqual([]);
  });

  it("leaves a mailbox that is there, and a file that it cannot read, and says so", async () => {
    const { home, project, run, write } = place();
    const own = write(join(project, ".mcp.json"), '{"mcpServers":{"mailbox":{"command":"mine"}}}');
    const torn = write(join(home, ".cursor/mcp.json"), '{"mcpServers": {');
    const list = write(join(project, ".vscode/mcp.json"), '{"servers": []}');
    const toml = write(join(home, ".codex/config.toml"), "model = \nx");
    const texts = [own, torn, list, toml].map((path) => readFileSync(path, "utf8"));
    const { status, out } = await run("--yes");
    expect(status).toBe(0);
    expect(out).toContain("An entry called mailbox is there already, and left as it is");
    expect(out).toContain("Left alone: it is not JSON (line 1). Add this by hand:\n  {\n");
    expect(out).toContain("Left alone: servers is not an object.");
    expect(out).toContain(
      "Left alone: it is not TOML (line 1). Add this by hand:\n  [mcp_servers.mailbox]\n",
    );
    expect([own, torn, list, toml].map((path) => readFileSync(path, "utf8"))).toEqual(texts);
    expect(files(home).length + files(project).length).toBe(4);
  });

  it("asks at a terminal, file by file, and writes only where the answer was yes", async () => {
    const { home, project, type } = place();
    mkdirSync(join(home, ".cursor"), { recursive: true });
    mkdirSync(join(project, ".vscode"));
    const out = await type("n\ny\n");
    expect(out.match(/Write this\? \[y\/N\]/g)).toHaveLength(2);
    expect(out).toContain("Not written.");
    expect(existsSync(join(home, ".cursor/mcp.json"))).toBe(false);
    expect(existsSync(join(project, ".vscode/mcp.json"))).toBe(true);
  });

  it("connects to a server by a relay, and tells where the token goes without writing one", async () => {
    const { project, run } = place();
    const { out } = await run("--yes", "--client", "claude-code", "--server", "https://mail.example.org");
    expect(JSON.parse(readFileSync(join(project, ".mcp.json"), "utf8"))).toEqual({
      mcpServers: { mailbox: entry("--agent", "coder", "--server", "https://mail.example.org/mcp") },
    });
    expect(out).toContain("LLM_MAILBOX_TOKEN");
    expect(out).toContain("check --hook claude-code --agent coder --server https://mail.example.org/mcp");
    const plain = await run("--yes", "--client", "cursor", "--server", "http://mail.example.org");
    expect(plain).toMatchObject({ status: 2, err: expect.stringContaining("could be read on the way") });
  });

  it("adds the hooks of Claude Code beside those that are there, once", async () => {
    const { project, run, write } = place();
    const file = write(
      join(project, ".claude/settings.local.json"),
      '{\n  "model": "x",\n  "hooks": {\n    "Stop": [\n      { "hooks": [{ "type": "command", "command": "mine" }] }\n    ]\n  }\n}\n',
    );
    await run("--yes", "--hooks", "--client", "claude-code", "--namespace", "team");
    const text = readFileSync(file, "utf8");
    const command = `${process.execPath} ${program} check --hook claude-code --agent coder --namespace team`;
    const ours = { hooks: [{ type: "command", command, timeout: 10 }] };
    expect(JSON.parse(text)).toEqual({
      model: "x",
      hooks: {
        Stop: [{ hooks: [{ type: "command", command: "mine" }] }, ours],
        SessionStart: [ours],
        UserPromptSubmit: [ours],
        PostToolUse: [ours],
      },
    });
    expect(text).toContain('\n      { "hooks": [{ "type": "command", "command": "mine" }] },\n');
    await run("--yes", "--hooks", "--client", "claude-code");
    expect(readFileSync(file, "utf8")).toBe(text);
  });

  it.each([
    [
      "its switch",
      "claude-code",
      '{"mcpServers":{"mailbox":{"command":"x","args":["stdio","--agent","reviewer"]}}}',
    ],
    ["its switch in one word", "claude-code", '{"mcpServers":{"mailbox":{"args":["--agent=reviewer"]}}}'],
    ["a variable", "claude-code", '{"mcpServers":{"mailbox":{"env":{"LLM_MAILBOX_AGENT":"reviewer"}}}}'],
    [
      "an address",
      "claude-code",
      '{"mcpServers":{"mailbox":{"url":"http://127.0.0.1:1/mcp?x=1&agent=reviewer"}}}',
    ],
    [
      "a table",
      "codex",
      '[mcp_servers.mailbox]\nargs = ["stdio",\n  "--agent", "reviewer"]\n[mcp_servers.other]\nargs = ["--agent", "x"]\n',
    ],
    [
      "a table below",
      "codex",
      '[mcp_servers.mailbox]\nargs = []\n[mcp_servers.mailbox.env]\nLLM_MAILBOX_AGENT = "reviewer"\n',
    ],
  ])("adds hooks for the agent that the server there is for, told by %s", async (_, client, text) => {
    const { home, project, run, write } = place();
    write(client === "codex" ? join(home, ".codex/config.toml") : join(project, ".mcp.json"), text);
    const { out } = await run("--yes", "--hooks", "--policy-hook", "--client", client);
    const hooks =
      client === "codex" ? join(home, ".codex/hooks.json") : join(project, ".claude/settings.local.json");
    const written = readFileSync(hooks, "utf8");
    expect(written.match(/--agent [\w-]+/g)).toEqual(Array.from({ length: 5 }, () => "--agent reviewer"));
    expect(out).not.toContain("does not say for which agent");
  });

  it("says so where the server there names no agent", async () => {
    const { project, run, write } = place();
    write(join(project, ".mcp.json"), '{"mcpServers":{"mailbox":{"command":"mine"}}}');
    const { out } = await run("--yes", "--hooks", "--client", "claude-code");
    expect(out).toContain("does not say for which agent it is: these are for coder, --agent names another.");
    expect(readFileSync(join(project, ".claude/settings.local.json"), "utf8")).toContain("--agent coder");
  });

  it("adds the hook that asks the policy where it is asked for, once, and never for a server", async () => {
    const { project, run, write } = place();
    const file = write(
      join(project, ".claude/settings.local.json"),
      '{"hooks":{"PreToolUse":[{"matcher":"Edit","hooks":[{"type":"command","command":"mine"}]}]}}\n',
    );
    await run("--yes", "--policy-hook", "--client", "claude-code");
    const command = `${process.execPath} ${program} policy hook claude-code --agent coder`;
    const text = readFileSync(file, "utf8");
    expect(JSON.parse(text)).toEqual({
      hooks: {
        PreToolUse: [
          { matcher: "Edit", hooks: [{ type: "command", command: "mine" }] },
          {
            matcher: "Bash|PowerShell|Monitor|Edit|Write|MultiEdit|NotebookEdit|WebFetch|mcp__.*",
            hooks: [{ type: "command", command, timeout: 15 }],
          },
        ],
      },
    });
    await run("--yes", "--policy-hook", "--client", "claude-code");
    expect(readFileSync(file, "utf8")).toBe(text);
    const server = ["--server", "https://mail.example.org/mcp"];
    const before = files(project);
    expect(await run("--yes", "--policy-hook", "--client", "codex", "claude-code", ...server)).toMatchObject({
      status: 2,
      out: "",
      err: expect.stringContaining("policy-hooks.md"),
    });
    expect(files(project)).toEqual(before);
  });

  it("adds the hooks of Codex to its own file, beside those that are there, once", async () => {
    const { home, project, run, write } = place();
    const file = write(
      join(home, ".codex/hooks.json"),
      '{\n  "description": "mine",\n  "hooks": {\n    "PreToolUse": [\n      { "matcher": "Bash", "hooks": [{ "type": "command", "command": "mine" }] }\n    ]\n  }\n}\n',
    );
    const { status, out } = await run("--yes", "--hooks", "--policy-hook", "--client", "codex");
    expect(status).toBe(0);
    expect(out).toContain("whether to trust a new hook");
    const text = readFileSync(file, "utf8");
    const start = `${process.execPath} ${program}`;
    const remind = {
      hooks: [{ type: "command", command: `${start} check --hook claude-code --agent codex`, timeout: 10 }],
    };
    const ask = {
      matcher: "Bash|apply_patch|mcp__.*",
      hooks: [{ type: "command", command: `${start} policy hook claude-code --agent codex`, timeout: 15 }],
    };
    const mine = { matcher: "Bash", hooks: [{ type: "command", command: "mine" }] };
    // Codex reads no comments and no other members than these, and knows what it trusts by its place in the list.
    expect(JSON.parse(text)).toEqual({
      description: "mine",
      hooks: {
        PreToolUse: [mine, ask],
        SessionStart: [remind],
        UserPromptSubmit: [remind],
        PostToolUse: [remind],
        Stop: [remind],
      },
    });
    const again = await run("--yes", "--hooks", "--policy-hook", "--client", "codex");
    expect(again.out.match(/It is there already, and left as it is/g)).toHaveLength(2);
    expect(readFileSync(file, "utf8")).toBe(text);
    expect(files(project)).toEqual([]);
  });

  it("makes the file of Codex's hooks where there is none, in CODEX_HOME, and asks for each at a terminal", async () => {
    const { home, env, type } = place();
    env.CODEX_HOME = join(home, "elsewhere");
    mkdirSync(env.CODEX_HOME);
    const out = await type("n\nn\ny\n", "--policy-hook");
    expect(out.match(/Write this\? \[y\/N\]/g)).toHaveLength(3);
    expect(files(home)).toEqual(["elsewhere/hooks.json"]);
    const { hooks } = JSON.parse(readFileSync(join(env.CODEX_HOME, "hooks.json"), "utf8"));
    expect(Object.keys(hooks)).toEqual(["PreToolUse"]);
  });

  it.each([
    ['{"hooks":{} // mine\n}', "it is not JSON as Codex reads it, without comments and trailing commas"],
    ['{"hooks":{"Stop":[],}}', "it is not JSON as Codex reads it"],
    ['{"hooks":{},"model":"x"}', 'Codex passes over all of it, because it does not know "model"'],
    ["[]", "it is not an object"],
    ['{"hooks":{"PreToolUse":{},"Stop":{}}}', "is not a"],
  ])("leaves a file alone of which Codex would take no hooks: %j", async (text, why) => {
    const { home, run, write } = place();
    const file = write(join(home, ".codex/hooks.json"), text);
    const { status, out } = await run("--yes", "--hooks", "--policy-hook", "--client", "codex");
    expect(status).toBe(0);
    const left = out.split("Left alone: ").slice(1);
    expect(left).toHaveLength(2);
    for (const one of left) {
      expect(one).toContain(why);
      expect(one).toContain("Add this by hand:\n  at ");
    }
    expect(readFileSync(file, "utf8")).toBe(text);
  });

  it("writes no second file of hooks beside those in Codex's configuration, but beside what it trusts", async () => {
    const { home, run, write } = place();
    const file = join(home, ".codex/hooks.json");
    const config = (text: string): string => write(join(home, ".codex/config.toml"), text);
    const ended = async (): Promise<string> => (await run("--yes", "--hooks", "--client", "codex")).out;
    config('[[hooks.Stop]]\n[[hooks.Stop.hooks]]\ntype = "command"\ncommand = "mine"\n');
    expect(await ended()).toContain("Left alone: your hooks are in config.toml beside it");
    config("hooks = { Stop = [{ hooks = [{ command = 'x check --hook claude-code' }] }] }\n");
    expect(await ended()).toContain("It is there already, and left as it is");
    config("hooks = \n");
    expect(await ended()).toContain("Left alone: of config.toml beside it, it is not TOML (line 1)");
    expect(existsSync(file)).toBe(false);
    config(`[hooks.state."${file}:stop:0:0"]\ntrusted_hash = "sha256:0"\n`);
    await ended();
    expect(existsSync(file)).toBe(true);
  });

  it("says so where the system refuses to write, and goes on", async () => {
    const { home, project, run, write } = place();
    write(join(project, ".vscode"), "no folder");
    mkdirSync(join(home, ".cursor"));
    const { status, out } = await run("--yes", "--client", "vscode", "cursor");
    expect(status).toBe(0);
    expect(out).toMatch(/Not written: the system refuses it \(E\w+\)\./);
    expect(existsSync(join(home, ".cursor/mcp.json"))).toBe(true);
  });

  it("refuses to be asked for hooks of clients that have none", async () => {
    const { home, run } = place();
    mkdirSync(join(home, ".cursor"));
    for (const asked of ["--hooks", "--policy-hook"])
      expect(await run("--yes", asked)).toMatchObject({
        status: 2,
        out: "",
        err: expect.stringContaining(`${asked} is about clients whose hooks are known (claude-code, codex)`),
      });
    expect(files(home)).toEqual([]);
  });

  it("refuses one name for several clients, an unknown client, and an address that may hold a password", async () => {
    const { home, run } = place();
    for (const folder of [".codex", ".cursor"]) mkdirSync(join(home, folder), { recursive: true });
    expect(await run("--agent", "me")).toMatchObject({ status: 2, err: expect.stringContaining("--client") });
    expect(await run("--client", "emacs")).toMatchObject({
      status: 2,
      err: expect.stringContaining("known are"),
    });
    const secret = await run("--client", "codex", "--redis-url", "redis://:pa55@host");
    expect(secret).toMatchObject({ status: 2, out: "", err: expect.stringContaining("REDIS_URL_FILE") });
    expect(secret.err).not.toContain("pa55");
  });
});

describe("the places of the clients", () => {
  const at = (platform: NodeJS.Platform, env: NodeJS.ProcessEnv = {}): Record<string, string> =>
    Object.fromEntries(
      knownClients.map((client) => [client.name, client.file({ home: "/h", project: "/p", platform, env })]),
    );
  it("are those of each platform", () => {
    expect(at("linux")).toEqual({
      "claude-desktop": "/h/.config/Claude/claude_desktop_config.json",
      "claude-code": "/p/.mcp.json",
      codex: "/h/.codex/config.toml",
      cursor: "/h/.cursor/mcp.json",
      vscode: "/p/.vscode/mcp.json",
    });
    expect(at("darwin")["claude-desktop"]).toBe(
      "/h/Library/Application Support/Claude/claude_desktop_config.json",
    );
    expect(at("win32", { APPDATA: "/a" })["claude-desktop"]).toBe("/a/Claude/claude_desktop_config.json");
    expect(at("linux", { CODEX_HOME: "/c" }).codex).toBe("/c/config.toml");
  });

  it("and their hooks are where each looks for them", () => {
    const files = hookPlaces.map((place) =>
      place.file({ home: "/h", project: "/p", platform: "linux", env: {} }),
    );
    expect(files).toEqual(["/p/.claude/settings.local.json", "/h/.codex/hooks.json"]);
    const shells = hookPlaces.map((place) => [place.shell("linux"), place.shell("win32")]);
    expect(shells).toEqual([
      ["posix", "cmd"],
      ["posix", "powershell"],
    ]);
  });

  it("and the words of the hooks are quoted for the shell of each", () => {
    const start = { command: "/opt/my node", args: ["/it's/main.js"] };
    expect(hookCommand("remind", start, "a", "posix")).toBe(
      `'/opt/my node' '/it'\\''s/main.js' check --hook claude-code --agent a`,
    );
    const windows = { command: "C:\\my node", args: ["C:\\it's.js", "--data-dir", "C:\\a b"] };
    expect(hookCommand("policy", windows, "a", "cmd")).toBe(
      `"C:\\my node" "C:\\it's.js" policy hook claude-code --agent a --data-dir "C:\\a b"`,
    );
    expect(hookCommand("policy", windows, "a", "powershell")).toBe(
      `& 'C:\\my node' 'C:\\it''s.js' policy hook claude-code --agent a --data-dir 'C:\\a b'`,
    );
    expect(hookCommand("remind", { command: "C:\\node.exe", args: ["C:\\m.js"] }, "a", "powershell")).toBe(
      "C:\\node.exe C:\\m.js check --hook claude-code --agent a",
    );
    expect(() => withHooks('{"hooks":{"Stop":{}}}', "x")).toThrow(Unreadable);
  });
});

describe("adding to JSON", () => {
  it.each([
    ["", '{\n  "a": {\n    "k": 1\n  }\n}\n'],
    ["{}", '{\n  "a": {\n    "k": 1\n  }\n}'],
    ['{"a":{}}', '{"a":{\n  "k": 1\n}}'],
    ['{"a":{"x":0}}', '{"a":{"x":0,\n  "k": 1\n}}'],
    [
      '{\r\n    "a": {\r\n        "x": 0\r\n    }\r\n}',
      '{\r\n    "a": {\r\n        "x": 0,\r\n        "k": 1\r\n    }\r\n}',
    ],
    ['{\n "a": {\n  "x": 0, // last\n }\n}', '{\n "a": {\n  "x": 0, // last\n  "k": 1,\n }\n}'],
    ['{ // first\n  "a": { /* none */ } }', '{ // first\n  "a": { /* none */\n    "k": 1\n  } }'],
    ['\ufeff{"b":[]}', '\ufeff{"b":[],\n  "a": {\n    "k": 1\n  }\n}'],
  ])("to %j makes %j", (before, after) => {
    expect(addToJson(before, ["a"], "k", 1)).toBe(after);
    expect(jsonAt(after, ["a", "k"])).toBe(1);
  });

  it.each([
    "{",
    "{]",
    '{"a":1,,}',
    '{"a" 1}',
    "[1 2]",
    '{"a":{}} x',
    "{'a':1}",
    '{"a":01}',
    '{"a":"\n"}',
    "nul",
  ])("refuses %j", (text) => {
    expect(() => addToJson(text, ["a"], "k", 1)).toThrow(Unreadable);
  });

  it.each(['{"a":[]}', '{"a":null}', "[]", '"a"', '{"a":{},"a":{}}'])("refuses the shape of %j", (text) => {
    expect(() => addToJson(text, ["a"], "k", 1)).toThrow(Unreadable);
  });

  it("keeps whatever was there, as values and as bytes, for any JSON in any form", () => {
    let looked = 0;
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.constantFrom(undefined, 1, 2, 4, "\t"),
        (value, indent) => {
          const { a: _, ...rest } = value;
          const before = { ...rest, a: { inner: value.a ?? 0 } };
          const text = JSON.stringify(before, null, indent);
          const after = addToJson(text, ["a"], "mailbox", { args: [1] });
          expect(JSON.parse(after)).toEqual(
            JSON.parse(JSON.stringify({ ...before, a: { ...before.a, mailbox: { args: [1] } } })),
          );
          // Nothing was taken away: the old text is the new one with some left out.
          let at = 0;
          for (const unit of after.split("")) if (unit === text[at]) at++;
          expect(at).toBe(text.length);
          looked++;
        },
      ),
      { numRuns: 300 },
    );
    expect(looked).toBe(300);
  });
});

describe("adding to TOML", () => {
  const add = (text: string) =>
    addTomlTable(text, ["mcp_servers", "mailbox"], { command: "node", args: ["a b"] });
  const table = '[mcp_servers.mailbox]\ncommand = "node"\nargs = ["a b"]\n';

  it.each([
    "",
    'model = "gpt"\n',
    "# only words",
    '[mcp_servers.other]\ncommand = "x"\nargs = [\n  "a", # one\n  "b",\n]\n',
    "[a]\nb = 'c:\\d'\nc = \"\"\"\n[mcp_servers.mailbox]\n\"\"\"\nd = '''x'''\n[[list]]\nn = 1_000\nt = 1979-05-27 07:32:00Z\nf = -1.5e3\ni = { a.b = true, c = [1, 2] }\n",
    "[mcp_servers]\nother = { command = 'x' }\n\"quoted key\" = 1\n",
    'x = "\\u00e9"\r\n',
  ])("appends to %j and keeps every byte", (before) => {
    const after = add(before)!;
    expect(after.startsWith(before)).toBe(true);
    expect(after.replaceAll("\r\n", "\n").endsWith(table)).toBe(true);
    expect(add(after)).toBeUndefined();
  });

  it.each([
    "[mcp_servers.mailbox]\n",
    "[ mcp_servers . 'mailbox' ]\ncommand = 'x'",
    "[mcp_servers.mailbox.env]\nA = '1'",
    "[mcp_servers]\nmailbox = { command = 'x' }",
    "[mcp_servers]\nmailbox.command = 'x'",
    "mcp_servers.mailbox.command = 'x'",
    "mcp_servers = { mailbox = { command = 'x' } }",
  ])("finds the mailbox in %j", (text) => {
    expect(add(text)).toBeUndefined();
  });

  it.each([
    "x",
    "x =",
    "[a",
    "= 1",
    "x = 'a",
    'x = "a\n"',
    "x = [1",
    "x = { a = 1",
    "x = 1 y = 2",
    "x = tru",
    '"""',
    "a b = 1",
  ])("refuses %j", (text) => {
    expect(() => add(text)).toThrow(Unreadable);
  });

  it.each(["mcp_servers = {}", "[[mcp_servers]]\na = 1", "mcp_servers = 1"])(
    "refuses the form of %j",
    (text) => {
      expect(() => add(text)).toThrow(Unreadable);
    },
  );

  it.each([
    ["", []],
    ["[hooks.state.'a:0']\nx = 1\n[hooks.state.b]\n", ["state"]],
    ["[[hooks.Stop]]\n[[hooks.Stop.hooks]]\n[hooks.state]\n", ["Stop", "state"]],
    ["hooks.Stop = []\nhooked = 1\n", ["Stop"]],
    ["hooks = { Stop = [], PreToolUse = [] }\n", ["Stop", "PreToolUse"]],
  ])("below hooks finds in %j %j", (text, names) => {
    expect(tomlBelow(text, ["hooks"])).toEqual(names);
  });
});
