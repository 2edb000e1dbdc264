import { join } from "node:path";
import { addToJson, jsonAt, Unreadable } from "./edit-json.js";
import type { Start, Surroundings } from "./known-clients.js";

/** The events at which there is a place to remind a model of its mail. */
const events = ["SessionStart", "UserPromptSubmit", "PostToolUse", "Stop"] as const;

const sign = "check --hook claude-code";

/** Settings of this project that are this person's alone: the command names a place on this machine. */
export function hooksFile({ project }: Surroundings): string {
  return join(project, ".claude", "settings.local.json");
}

/** The command line of the hooks, quoted for the shell that runs them. */
export function hookCommand({ command, args }: Start, agent: string, platform: NodeJS.Platform): string {
  const words = [command, args[0]!].map((word) => quoted(word, platform));
  const more = args.slice(1).map((word) => quoted(word, platform));
  return [...words, sign, "--agent", agent, ...more].join(" ");
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

function quoted(word: string, platform: NodeJS.Platform): string {
  if (/^[\w./:@%+=,-]+$/.test(word)) return word;
  return platform === "win32" ? `"${word}"` : `'${word.replaceAll("'", `'\\''`)}'`;
}
