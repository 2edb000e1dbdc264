import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Loaded, loadedBy, tellingLoads } from "../protocol/loaded-modules.js";
import { startStore, type TestStore } from "../stores/index.js";
import { type Office, openOffice, spawnOn } from "./command-line.js";

/** Clients wait for a process to start, for those of their hooks at every call of a tool. */
describe("the built command line loads what it needs and no more", () => {
  const home = mkdtempSync(join(tmpdir(), "mailbox-start-"));
  let store: TestStore;
  let office: Office;
  beforeAll(async () => {
    // What lies in no repository is not guarded.
    mkdirSync(join(home, "work", ".git"), { recursive: true });
    store = await startStore("embedded");
    office = await openOffice(store.url);
    await office.as("bob");
  });
  afterAll(async () => {
    await office.close();
    await store.stop();
    rmSync(home, { recursive: true, force: true });
  });

  async function loaded(event: object, ...args: readonly string[]): Promise<Loaded> {
    const settings = { ...office.settings, HOME: home, XDG_STATE_HOME: home, NODE_OPTIONS: tellingLoads };
    const { status, err } = await spawnOn(JSON.stringify(event), settings, ...args);
    expect(status).toBe(0);
    return loadedBy(err);
  }

  const heavy = [
    "ioredis",
    "zod",
    "pino",
    "yaml",
    "re2js",
    "@marcbachmann/cel-js",
    "jose",
    "js-redis-server",
  ];
  const sdk = "@modelcontextprotocol/server";
  const heavyOf = ({ packages }: Loaded): readonly string[] =>
    packages.filter((name) => name === sdk || heavy.includes(name));
  const before = { session_id: "s", hook_event_name: "PreToolUse", cwd: home };

  it("for its help, nothing but the syntax", async () => {
    const { sources, packages } = await loaded({}, "--help");
    expect(packages).toEqual(["commander"]);
    expect(sources).toContain("src/cli/program.ts");
    expect(sources.filter((source) => !/^src\/(main|cli|addresses|errors|identity)/.test(source))).toEqual(
      [],
    );
  });

  it.each([
    ["check", { session_id: "s", hook_event_name: "UserPromptSubmit" }, "check --hook claude-code"],
    [
      "guard",
      { ...before, tool_name: "Edit", tool_input: { file_path: join(home, "work", "a") } },
      "guard edit",
    ],
  ])("for the hook of %s, the store alone", async (_, event, words) => {
    const found = await loaded(event, ...words.split(" "), "--agent", "bob");
    expect(found.sources).toContain("src/compose.ts");
    expect(heavyOf(found)).toEqual(["ioredis"]);
  });

  it("for the hook of the policy, the store and the languages of rules", async () => {
    const event = { ...before, tool_name: "Bash", tool_input: { command: "ls" } };
    const found = await loaded(event, "policy", "hook", "claude-code", "--agent", "bob");
    expect(found.sources).toContain("src/policy/compile-rules.ts");
    expect(heavyOf(found)).toEqual(["@marcbachmann/cel-js", "ioredis", "re2js", "yaml", "zod"]);
  });

  it("for a client, no language of rules and no engine", async () => {
    const found = await loaded({}, "stdio", "--agent", "bob");
    expect(found.sources).toContain("src/mcp/toolbox.ts");
    expect(heavyOf(found)).toEqual([sdk, "ioredis", "pino", "zod"]);
  });
});

const inRoot = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));

/** Whoever updates the package while servers run takes their files away. */
it("a server that a client has started goes on when its program is replaced", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mailbox-replaced-"));
  const store = await startStore("embedded");
  cpSync(inRoot("dist"), join(folder, "dist"), { recursive: true });
  for (const name of ["package.json", "node_modules"]) symlinkSync(inRoot(name), join(folder, name));
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [join(folder, "dist", "main.js"), "stdio", "--agent", "bob"],
    env: { PATH: process.env.PATH!, REDIS_URL: store.url, LLM_MAILBOX_ALLOW_UNVERIFIED: "1" },
    stderr: "ignore",
  });
  const client = new Client({ name: "test", version: "0" });
  try {
    await client.connect(transport);
    await delay(4_000);
    rmSync(join(folder, "dist"), { recursive: true });
    const { isError, content } = await client.callTool({
      name: "send_message",
      arguments: { to: ["bob"], body: "still here" },
    });
    expect(isError ?? false, JSON.stringify(content)).toBe(false);
  } finally {
    await client.close();
    await store.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}, 30_000);
