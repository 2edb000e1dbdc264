import { patchedFiles } from "../policy/index.js";

/** What a client says of itself when it calls a hook. */
export interface HookCall {
  readonly session?: string;
  /** The folder in which the client works. */
  readonly folder?: string;
  /** The files that the tool is about to change; none for a tool that changes no file. */
  readonly files: readonly string[];
}

/** Where each tool that edits names its file. */
const fileArguments: Readonly<Record<string, string>> = {
  Edit: "file_path",
  MultiEdit: "file_path",
  Write: "file_path",
  NotebookEdit: "notebook_path",
};

/**
 * Reads the JSON that Claude Code writes to the standard input of a hook
 * (https://docs.anthropic.com/en/docs/claude-code/hooks), and Codex likewise. A tool that is not known to edit names no file.
 *
 * @returns undefined when it is not such JSON, or an edit that does not say of what
 */
export function readHookCall(text: string): HookCall | undefined {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (given === null || typeof given !== "object" || Array.isArray(given)) return undefined;
  const { session_id, cwd, tool_name, tool_input } = given as Record<string, unknown>;
  const argument = typeof tool_name === "string" ? own(fileArguments, tool_name) : undefined;
  const files: string[] = [];
  if (tool_name === "apply_patch") {
    const patch = own(tool_input, "command");
    const { written, deleted } = patchedFiles(typeof patch === "string" ? patch : "");
    files.push(...new Set([...written, ...deleted]));
    if (files.length === 0) return undefined;
  }
  if (typeof argument === "string") {
    const file = own(tool_input, argument);
    if (typeof file !== "string" || file === "") return undefined;
    files.push(file);
  }
  return {
    ...(typeof session_id === "string" && session_id !== "" ? { session: session_id } : {}),
    ...(typeof cwd === "string" && cwd !== "" ? { folder: cwd } : {}),
    files,
  };
}

function own(object: unknown, name: string): unknown {
  if (object === null || typeof object !== "object" || !Object.hasOwn(object, name)) return undefined;
  return (object as Record<string, unknown>)[name];
}

/**
 * What Claude Code reads from the standard output of a hook before a tool: a refusal is shown to the model, a warning to
 * the person, and silence leaves the decision to the client's own rules.
 */
export function hookAnswer(verdict: { readonly allowed: boolean; readonly text: string }): string {
  if (verdict.text === "") return "";
  if (verdict.allowed) return JSON.stringify({ systemMessage: verdict.text });
  return JSON.stringify({
    hookSpecificOutput: {
      hookEventName: "PreToolUse",
      permissionDecision: "deny",
      permissionDecisionReason: verdict.text,
    },
  });
}
