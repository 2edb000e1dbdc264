import { addToJson, jsonAt, Unreadable } from "./edit-json.js";
import type { Start } from "./known-clients.js";

/** The events at which there is a place to remind a model of its mail. */
const events = ["SessionStart", "UserPromptSubmit", "PostToolUse", "Stop"] as const;

/** By what hooks of ours are known, in whatever form they are written. */
export const signs = { remind: "check --hook claude-code", policy: "policy hook claude-code" } as const;

/** The shell of a client that reads the command line of a hook. */
export type HookShell = "posix" | "cmd" | "powershell";

/** The command line of the hooks that remind, or of the one that asks the policy, quoted for the shell that runs it. */
export function hookCommand(
  what: keyof typeof signs,
  { command, args: [program, ...more] }: Start,
  agent: string,
  shell: HookShell,
): string {
  const words = [command, program!].map((word) => quoted(word, shell));
  // To PowerShell a line that begins with a quoted text is that text, and no call.
  const call = shell === "powershell" && words[0] !== command ? ["&"] : [];
  return [...call, ...words, signs[what], "--agent", agent, ...more.map((word) => quoted(word, shell))].join(
    " ",
  );
}

/** The settings with the hooks that remind in them; undefined when they have been added before, in whatever form. */
export function withHooks(text: string, command: string): string | undefined {
  const there = hooksIn(text);
  if (JSON.stringify(there).includes(signs.remind)) return undefined;
  const entry = { hooks: [{ type: "command", command, timeout: 10 }] };
  let changed = text;
  for (const event of events) {
    const list = (there as Record<string, unknown>)[event];
    if (list !== undefined && !Array.isArray(list)) throw new Unreadable(`hooks.${event} is not a list`);
    changed = addToJson(changed, ["hooks", event], undefined, entry);
  }
  return changed;
}

/**
 * The settings with the hook that asks the policy before a tool; undefined when it has been added before, in whatever
 * form.
 *
 * @param matcher the tools that are asked about
 */
export function withPolicyHook(text: string, command: string, matcher: string): string | undefined {
  if (JSON.stringify(hooksIn(text)).includes(signs.policy)) return undefined;
  const entry = { matcher, hooks: [{ type: "command", command, timeout: 15 }] };
  return addToJson(text, ["hooks", "PreToolUse"], undefined, entry);
}

function hooksIn(text: string): unknown {
  return (text.trim() === "" ? undefined : jsonAt(text, ["hooks"])) ?? {};
}

const plain: Readonly<Record<HookShell, RegExp>> = {
  posix: /^[\w./:@%+=,-]+$/,
  cmd: /^[\w./:@%+=,-]+$/,
  powershell: /^[\w./:\\+=-]+$/,
};

function quoted(word: string, shell: HookShell): string {
  if (plain[shell].test(word)) return word;
  if (shell === "cmd") return `"${word}"`;
  return `'${word.replaceAll("'", shell === "posix" ? `'\\''` : "''")}'`;
}
