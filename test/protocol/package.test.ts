import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { afterAll, beforeAll, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

const folder = mkdtempSync(join(tmpdir(), "mailbox-package-"));
const clients: Client[] = [];

beforeAll(() => {
  // The tests run on a built tree, so that packing must not build again under the feet of other tests.
  execFileSync("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder], { cwd: root });
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"))!;
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "user", private: true }));
  execFileSync(
    "npm",
    ["install", "--prefer-offline", "--no-audit", "--no-fund", "--silent", `./${tarball}`],
    {
      cwd: folder,
      stdio: "pipe",
    },
  );
}, 120_000);

afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
});

async function connect(agent: string): Promise<Client> {
  const client = new Client({ name: agent, version: "1" });
  await client.connect(
    new StdioClientTransport({
      command: join(folder, "node_modules", ".bin", "llm-mailbox"),
      args: ["stdio", "--agent", agent, "--data-dir", join(folder, "data")],
      env: {
        PATH: process.env.PATH!,
        HOME: folder,
        LLM_MAILBOX_ENGINE: "embedded",
        LLM_MAILBOX_ENGINE_IDLE_SECONDS: "2",
      },
    }),
  );
  clients.push(client);
  return client;
}

function texts(result: Awaited<ReturnType<Client["callTool"]>>): string {
  return (result.content as { text: string }[]).map((block) => block.text).join("\n");
}

it("works as installed from its tarball in an empty folder: one agent writes, another reads", async () => {
  const [alice, bob] = await Promise.all([connect("alice"), connect("bob")]);
  const sent = await alice!.callTool({
    name: "send_message",
    arguments: { to: "bob", body: "from the package" },
  });
  expect(texts(sent)).toMatch(/^sent [0-9a-z-]+ to bob/);
  const inbox = await bob!.callTool({ name: "read_inbox", arguments: { wait_seconds: 10 } });
  expect(texts(inbox)).toContain("from the package");
});

it("carries no development files", () => {
  const installed = readdirSync(join(folder, "node_modules", "llm-mailbox"));
  expect(installed).toContain("dist");
  expect(installed).not.toContain("src");
  expect(installed).not.toContain("test");
});
