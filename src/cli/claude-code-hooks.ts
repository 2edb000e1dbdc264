import { join } from "node:path";
import { addToJson, jsonAt, Unreadable } from "./edit-json.js";
import type { Start, Surroundings } from "./known-clients.js";

/** The events at which there is a place to remind a model of its mail. */
const events = ["SessionStart", "UserPromptSubmit", "PostToolUse", "Stop"] as const;

const sign = "check --hook claude-code";
const policySign = "policy hook claude-code";

/** Tools that change something or reach out. Reading is left out: a process is started at each call. */
const policyMatcher = "Bash|PowerShell|Monitor|Edit|Write|MultiEdit|NotebookEdit|WebFetch|mcp__.*";

/** Settings of this project that are this person's alone: the command names a place on this machine. */
export function hooksFile({ project }: Surroundings): string {
  return join(project, ".claude", "settings.local.json");
}

/** The command line of the hooks that remind, quoted for the shell that runs them. */
export function hookCommand(start: Start, agent: string, platform: NodeJS.Platform): string {
  return commandOf(sign, start, agent, platform);
}

/** That of the hook that asks the policy before a tool. */
export function policyHookCommand(start: Start, agent: string, platform: NodeJS.Platform): string {
  return commandOf(policySign, start, agent, platform);
}

/** The settings with that hook in them; undefined when it has been added before, in whatever form. */
export function withPolicyHook(text: string, command: string): string | undefined {
  const there = text.trim() === "" ? undefined : jsonAt(text, ["hooks"]);
  if (JSON.stringify(there ?? {}).includes(policySign)) return undefined;
  const entry = { matcher: policyMatcher, hooks: [{ type: "command", command, timeout: 15 }] };
  return addToJson(text, ["hooks", "PreToolUse"], undefined, entry);
}

/** The settings with the hooks in them; undefined when they have been added before, in whatever form. */
export function withHooks(text: string, command: string): string | undefined {
  const there = text.trim() === "" ? undefined : jsonAt(text, ["hooks"]);
  if (JSON.stringify(there ?? {}).includes(sign)) return undefined;
  const entry = { hooks: [{ type: "command", command, timeout: 10 }] };
  let changed = text;
  for (const event of events) {
    const list = (there as Record<string, unknown> | undefined)?.[event];
    if (list !== undefined && !Array.isArray(list)) throw new Unreadable(`hooks.${event} is not a list`);
    changed = addToJson(changed, ["hooks", event], undefined, entry);
  }
  return changed;
}

function commandOf(what: string, { command, args }: Start, agent: string, platform: NodeJS.Platform): string {
  const words = [command, args[0]!].map((word) => quoted(word, platform));
  const more = args.slice(1).map((word) => quoted(word, platform));
  return [...words, what, "--agent", agent, ...more].join(" ");
}

function quoted(word: string, platform: NodeJS.Platform): string {
  if (/^[\w./:@%+=,-]+$/.test(word)) return word;
  return platform === "win32" ? `"${word}"` : `'${word.replaceAll("'", `'\\''`)}'`;
}
