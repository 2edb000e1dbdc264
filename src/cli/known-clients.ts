import { existsSync } from "node:fs";
import { join } from "node:path";
import { addToJson, jsonAt } from "./edit-json.js";
import { addTomlTable, tomlBelow, tomlValue } from "./edit-toml.js";
import type { Surroundings } from "./surroundings.js";

/** How a client starts the mailbox. */
export interface Start {
  readonly command: string;
  readonly args: readonly string[];
}

export interface KnownClient {
  readonly name: string;
  readonly title: string;
  /** The agent that it is when nobody says otherwise. */
  readonly agent: string;
  /** Whether it seems to be used here. */
  isThere(around: Surroundings): boolean;
  file(around: Surroundings): string;
  /** What is added, as it is shown. */
  shown(start: Start): string;
  /** The text with the mailbox in it; undefined when it has one already. */
  added(text: string, start: Start): string | undefined;
  /** Whom the mailbox is started for that is there: null where it says no name, undefined where there is none. */
  agentThere(text: string): string | null | undefined;
}

const entryName = "mailbox";

/** By the switch, the variable or the address that names an agent, in an entry as it is written. */
const namesAgent =
  /"--agent(?:=|"\s*,\s*")([^"]+)"|\bLLM_MAILBOX_AGENT"?\s*[:=]\s*"([^"]+)"|[?&]agent=([^"&]+)/;

function agentIn(entry: string): string | null {
  return (
    namesAgent
      .exec(entry)
      ?.slice(1)
      .find((name) => name !== undefined) ?? null
  );
}

function jsonClient(
  list: string,
  entry: (start: Start) => object,
  rest: Omit<KnownClient, "shown" | "added" | "agentThere">,
): KnownClient {
  return {
    ...rest,
    shown: (start) => JSON.stringify({ [list]: { [entryName]: entry(start) } }, null, 2),
    added: (text, start) =>
      jsonAt(text.trim() === "" ? "{}" : text, [list, entryName]) === undefined
        ? addToJson(text, [list], entryName, entry(start))
        : undefined,
    agentThere: (text) => {
      const there = text.trim() === "" ? undefined : jsonAt(text, [list, entryName]);
      return there === undefined ? undefined : agentIn(JSON.stringify(there));
    },
  };
}

const plainEntry = ({ command, args }: Start): object => ({ command, args });

/** The clients whose configuration is known, where they keep it on each platform, and how it is written. */
export const knownClients: readonly KnownClient[] = [
  jsonClient("mcpServers", plainEntry, {
    name: "claude-desktop",
    title: "Claude Desktop",
    agent: "desktop",
    isThere: (around) => existsSync(desktopFolder(around)),
    file: (around) => join(desktopFolder(around), "claude_desktop_config.json"),
  }),
  jsonClient("mcpServers", plainEntry, {
    name: "claude-code",
    title: "Claude Code, in this project",
    agent: "coder",
    isThere: ({ home, project }) =>
      [join(home, ".claude"), join(home, ".claude.json"), join(project, ".mcp.json")].some(existsSync),
    file: ({ project }) => join(project, ".mcp.json"),
  }),
  {
    name: "codex",
    title: "Codex",
    agent: "codex",
    isThere: (around) => existsSync(codexFolder(around)),
    file: (around) => join(codexFolder(around), "config.toml"),
    shown: ({ command, args }) =>
      `[mcp_servers.${entryName}]\ncommand = ${tomlValue(command)}\nargs = ${tomlValue(args)}`,
    added: (text, { command, args }) => addTomlTable(text, ["mcp_servers", entryName], { command, args }),
    agentThere: (text) => {
      if (!tomlBelow(text, ["mcp_servers"]).includes(entryName)) return undefined;
      // As `init` writes it, and most people do: the table, and those below it.
      const [, ...tables] = text.split(new RegExp(`^[ \\t]*\\[[ \\t]*mcp_servers\\.${entryName}\\b`, "m"));
      return agentIn(tables.map((table) => table.split(/^[ \t]*\[/m)[0]).join("\n"));
    },
  },
  jsonClient("mcpServers", plainEntry, {
    name: "cursor",
    title: "Cursor",
    agent: "cursor",
    isThere: ({ home }) => existsSync(join(home, ".cursor")),
    file: ({ home }) => join(home, ".cursor", "mcp.json"),
  }),
  jsonClient("servers", (start) => ({ type: "stdio", ...plainEntry(start) }), {
    name: "vscode",
    title: "VS Code, in this project",
    agent: "vscode",
    isThere: ({ project }) => existsSync(join(project, ".vscode")),
    file: ({ project }) => join(project, ".vscode", "mcp.json"),
  }),
];

function desktopFolder({ home, platform, env }: Surroundings): string {
  if (platform === "darwin") return join(home, "Library", "Application Support", "Claude");
  if (platform === "win32") return join(env.APPDATA ?? join(home, "AppData", "Roaming"), "Claude");
  return join(env.XDG_CONFIG_HOME || join(home, ".config"), "Claude");
}

/** Where Codex keeps what is this person's. */
export function codexFolder({ home, env }: Surroundings): string {
  return env.CODEX_HOME || join(home, ".codex");
}
