import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { buildProgram } from "../src/cli/program.js";
import { readConfig, settings } from "../src/config/index.js";
import { defaultHttpLimits } from "../src/http/index.js";
import { defaultLockLimits } from "../src/locks/index.js";
import { defaultMailboxLimits } from "../src/mailbox/index.js";
import { toolbox } from "../src/mcp/toolbox.js";
import { defaultPolicyLimits } from "../src/policy/index.js";
import { defaultStateLimits } from "../src/state/index.js";
import { doorSentence } from "./architecture/rules.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const pages = ["README.md", ...below("docs").filter((path) => path.endsWith(".md"))];

function below(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((path) => `${folder}/${path.replaceAll("\\", "/")}`)
    .sort();
}

/** The part of a page that is written from the code; UPDATE_DOCS=1 writes it anew, for the diff to show. */
function generatedPart(page: string, name: string, text: string): string {
  const form = new RegExp(`(<!-- generated: ${name} -->\n)([\\s\\S]*?)(\n?<!-- end -->)`);
  const before = read(page);
  if (process.env.UPDATE_DOCS)
    writeFileSync(
      join(root, page),
      before.replace(form, (_, open: string) => `${open}\n${text}\n\n<!-- end -->`),
    );
  return form.exec(read(page))?.[2]?.trim() ?? `${page} has no part called ${name}`;
}

/** Every variable that is read: a secret may also come from a file. */
const variablesRead: readonly string[] = Object.values(settings).flatMap((setting) => [
  setting.env,
  ...("secret" in setting ? [`${setting.env}_FILE`] : []),
]);

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

describe("the README", () => {
  it("has the two commands, each on a line of its own", () => {
    const lines = read("README.md").split("\n");
    expect(lines.filter((line) => line === "npm ci && npm start").length).toBe(1);
    expect(lines.filter((line) => line === "npm ci && npm test").length).toBe(1);
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(["start", "test", "lint", "types", "build"]));
  });

  it("lists the tools an agent has, in the words the agent reads", () => {
    const rows = toolbox.map(({ name, description }) => [`\`${name}\``, description]);
    expect(rows.length).toBeGreaterThan(5);
    const text = table(["tool", "what the agent is told"], rows);
    expect(generatedPart("README.md", "tools", text)).toBe(text);
  });

  it("lists the commands a person has, in the words of their help", () => {
    const program = buildProgram("0");
    const rows = program
      .createHelp()
      .visibleCommands(program)
      .flatMap((command) => [
        [`\`${command.name()}\``, command.description()],
        ...command.commands.map((below) => [`\`${command.name()} ${below.name()}\``, below.description()]),
      ]);
    expect(rows.length).toBeGreaterThan(5);
    const text = table(["command", "what it does"], rows);
    expect(generatedPart("README.md", "commands", text)).toBe(text);
  });
});

describe("docs/architecture.md", () => {
  it("has the sentence of each room, as its door has it", () => {
    const doors = below("src").filter((path) => path.endsWith("/index.ts"));
    const rows = doors.map((path) => [`\`${dirname(path)}/\``, doorSentence(read(path)) ?? "no sentence"]);
    expect(rows.length).toBeGreaterThan(8);
    const text = table(["room", "what lives there"], rows);
    expect(generatedPart("docs/architecture.md", "rooms", text)).toBe(text);
  });
});

describe("docs/operations.md", () => {
  const page = "docs/operations.md";
  const names = Object.keys(settings) as (keyof typeof settings)[];
  const config = readConfig({ XDG_DATA_HOME: "~/.local/share" });

  const shown: Partial<Record<keyof typeof settings, string>> = {
    dataDir: "see [below](#the-data-directory)",
    engineIdleSeconds: String(config.engineIdleMs / 1_000),
    structured: config.structured ? "1" : "0",
    allowUnverified: config.allowUnverified ? "1" : "0",
    allowedHosts: config.allowedHosts.join(",") || "none",
    allowedOrigins: config.allowedOrigins.join(",") || "none",
    historySeconds: String(defaultMailboxLimits.historyMs / 1_000),
    claimSeconds: String(defaultMailboxLimits.claimMs / 1_000),
    lockDelaySeconds: String(defaultLockLimits.delayMs / 1_000),
    // A server over HTTP has a limit of the same name for bodies of requests.
    bodyBytes: String(defaultMailboxLimits.bodyBytes),
    stateValueBytes: String(defaultStateLimits.valueBytes),
    stateGroupEntries: String(defaultStateLimits.groupEntries),
    stateNamespaceBytes: String(defaultStateLimits.namespaceBytes),
    stateVersions: String(defaultStateLimits.versions),
    reservationSeconds: String(defaultPolicyLimits.reservationMs / 1_000),
  };
  const standard = (name: keyof typeof settings): string => {
    const values: Record<string, unknown> = { ...defaultMailboxLimits, ...defaultHttpLimits, ...config };
    return shown[name] ?? (values[name] === undefined ? "none" : String(values[name]));
  };
  const row = /^\| `([A-Z_]+)` \| ([^|]*) \| ([^|]*) \| (.*) \|$/gm;
  if (process.env.UPDATE_DOCS)
    writeFileSync(
      join(root, page),
      read(page).replace(/^\| `([A-Z_]+)` \|[^|]*\|[^|]*\| (.*) \|$/gm, (line, env: string, what: string) => {
        const name = names.find((one) => settings[one].env === env);
        return name ? `| \`${env}\` | ${settings[name].allowed} | ${standard(name)} | ${what} |` : line;
      }),
    );
  const rows = [...read(page).matchAll(row)].map(([, env, allowed, value, what]) => ({
    env: env!,
    allowed,
    value,
    what,
  }));

  it("lists every setting there is and no other", () => {
    expect(rows.map(({ env }) => env).sort()).toEqual(names.map((name) => settings[name].env).sort());
  });

  it.each(names)("says of %s what is allowed and what is meant without it", (name) => {
    const found = rows.find(({ env }) => env === settings[name].env);
    expect(found).toMatchObject({ allowed: settings[name].allowed, value: standard(name) });
    expect(found?.what?.length).toBeGreaterThan(10);
  });
});

describe("mcp.json.example", () => {
  const examples = JSON.parse(read("mcp.json.example")) as Record<string, unknown>;
  const text = JSON.stringify(examples);

  it("has each client, over stdio and over HTTP", () => {
    expect(Object.keys(examples)).toEqual(
      expect.arrayContaining([
        "claude-desktop",
        "claude-code",
        "claude-code-http",
        "codex",
        "codex-http",
        "any-client-stdio",
        "any-client-http",
      ]),
    );
  });

  it("starts the program with words it knows, at the address it listens on", () => {
    const program = buildProgram("0");
    const commands = program.commands.map((command) => command.name());
    const options = program.options.map((option) => option.long);
    const starts = [...text.matchAll(/dist\/main\.js[\\"]+,\s*[\\"]+(\w+)[\\"]+,\s*[\\"]+(--\w+)/g)];
    expect(starts.length).toBeGreaterThanOrEqual(4);
    for (const [, command, option] of starts) {
      expect(commands).toContain(command);
      expect(options).toContain(option);
    }
    const { host, port } = readConfig({});
    const addresses = [...`${text}${read("README.md")}`.matchAll(/http:\/\/127\.0\.0\.1:\d+/g)];
    expect(addresses.length).toBeGreaterThanOrEqual(3);
    for (const [address] of addresses) expect(address).toBe(`http://${host}:${port}`);
  });

  it("sets only variables that exist", () => {
    const variables = [...text.matchAll(/LLM_MAILBOX_[A-Z_]+/g)].map(([variable]) => variable);
    for (const variable of variables) expect(variablesRead).toContain(variable);
  });
});

describe("the decisions", () => {
  const records = below("docs/decisions");

  it("are numbered without a gap, each in its own words: context, decision, consequences", () => {
    expect(records.length).toBeGreaterThan(5);
    records.forEach((path, n) => {
      const number = String(n + 1).padStart(4, "0");
      expect(posix.basename(path)).toMatch(new RegExp(`^${number}-[a-z0-9-]+\\.md$`));
      const text = read(path);
      expect(text.startsWith(`# ${number}. `)).toBe(true);
      expect([...text.matchAll(/^## (.*)$/gm)].map(([, title]) => title)).toEqual([
        "Context",
        "Decision",
        "Consequences",
      ]);
      expect(text).toMatch(/^Status: (accepted|superseded by \d{4})$/m);
    });
  });
});

describe.each(pages)("%s", (page) => {
  const text = read(page);

  it("speaks only of files that are there", () => {
    const named = [...text.matchAll(/`((?:src|test|docs|bench)\/[\w./-]*)`/g)].map(([, path]) => path!);
    for (const path of named) expect([path, existsSync(join(root, path))]).toEqual([path, true]);
  });

  it("links only to pages and headings that are there", () => {
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
    for (const link of links.filter((target) => !/^[a-z]+:/.test(target))) {
      const [path, heading] = link.split("#");
      const target = path ? posix.join(dirname(page), path) : page;
      expect([link, existsSync(join(root, target))]).toEqual([link, true]);
      if (heading) expect(headings(read(target))).toContain(heading);
    }
  });

  it("speaks only of settings and refusals that are there", () => {
    const variables = [...text.matchAll(/`(LLM_MAILBOX_[A-Z_]*[A-Z])[=`]/g)].map(([, variable]) => variable!);
    for (const variable of variables) expect(variablesRead).toContain(variable);
  });
});

/** Anchors as they are made from headings. */
function headings(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}
