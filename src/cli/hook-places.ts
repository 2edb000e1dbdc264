import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type HookSpot, isTrustedByCodex } from "./codex-trust.js";
import { Unreadable } from "./edit-json.js";
import { tomlBelow } from "./edit-toml.js";
import type { HookShell } from "./hooks-file.js";
import { codexFolder } from "./known-clients.js";
import type { Surroundings } from "./surroundings.js";

/** Where a client keeps its hooks, and what is its own about them. */
export interface HookPlace {
  /** The client's name, and what people call it. */
  readonly client: string;
  readonly title: string;
  /** For what its hooks hold, as it is said of them. */
  readonly reach: string;
  /** Tools that change something or reach out. Reading is left out: a process is started at each call. */
  readonly policyMatcher: string;
  /** What the person has to do besides. */
  readonly note?: string;
  file(around: Surroundings): string;
  /** Other files in which the client looks for hooks: people may have written some there. */
  otherFiles(around: Surroundings): readonly string[];
  shell(platform: NodeJS.Platform): HookShell;
  /** @throws {Unreadable} when the client would pass over a file of this text, whatever hooks are in it */
  refuse(text: string): void;
  /**
   * Whether the client has a hook of this sign in another file beside it.
   *
   * @throws {Unreadable} when that file has others, so that both are not to have some
   */
  hasElsewhere(sign: string, around: Surroundings): boolean;
  /** Whether it has not been told yet that it may run this hook. */
  isUntrusted(hook: HookSpot, around: Surroundings): boolean;
}

/** The clients whose hooks are known, and the one file of each to which hooks are added. */
export const hookPlaces: readonly HookPlace[] = [
  {
    client: "claude-code",
    title: "Claude Code",
    reach: "in this project",
    policyMatcher: "Bash|PowerShell|Monitor|Edit|Write|MultiEdit|NotebookEdit|WebFetch|mcp__.*",
    // Settings of this project that are this person's alone: the command names a place on this machine.
    file: ({ project }) => join(project, ".claude", "settings.local.json"),
    // Shared with all who work in this project, and this person's in every project.
    otherFiles: ({ home, project, env }) => [
      join(project, ".claude", "settings.json"),
      join(env.CLAUDE_CONFIG_DIR || join(home, ".claude"), "settings.json"),
    ],
    shell: (platform) => (platform === "win32" ? "cmd" : "posix"),
    refuse: () => {},
    hasElsewhere: () => false,
    isUntrusted: () => false,
  },
  {
    client: "codex",
    title: "Codex",
    reach: "in every project",
    policyMatcher: "Bash|apply_patch|mcp__.*",
    note: "Codex asks at its next start in a terminal whether to trust a new hook; until then it passes over it and says nothing.",
    file: (around) => join(codexFolder(around), "hooks.json"),
    otherFiles: () => [],
    // It runs them by the shell of its sessions, which on Windows is PowerShell.
    shell: (platform) => (platform === "win32" ? "powershell" : "posix"),
    refuse: refuseWhatCodexRefuses,
    hasElsewhere: isInCodexConfig,
    isUntrusted: (hook, around) => !isTrustedByCodex(join(codexFolder(around), "hooks.json"), hook),
  },
];

/** Codex passes over the whole file when anything else is in it than it knows, comments too. */
function refuseWhatCodexRefuses(text: string): void {
  if (text.trim() === "") return;
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    throw new Unreadable("it is not JSON as Codex reads it, without comments and trailing commas");
  }
  const other = Object.keys(given ?? {}).find((key) => key !== "hooks" && key !== "description");
  if (other !== undefined)
    throw new Unreadable(`Codex passes over all of it, because it does not know ${JSON.stringify(other)}`);
}

/** Codex reads hooks from its configuration too, and complains at each start where both have some. */
function isInCodexConfig(sign: string, around: Surroundings): boolean {
  const file = join(codexFolder(around), "config.toml");
  if (!existsSync(file)) return false;
  const text = readFileSync(file, "utf8");
  // What it trusts is kept below hooks.state.
  if (!eventsIn(text).some((name) => name !== "state")) return false;
  if (text.includes(sign)) return true;
  throw new Unreadable("your hooks are in config.toml beside it, and Codex warns where both files have some");
}

function eventsIn(config: string): readonly string[] {
  try {
    return tomlBelow(config, ["hooks"]);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    throw new Unreadable(`of config.toml beside it, ${error.message}`);
  }
}
