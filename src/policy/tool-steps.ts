import type { ClientAction } from "./client-actions.js";
import { isObject } from "./is-object.js";
import { filesOfPatch, patchSteps } from "./patch-steps.js";
import { pathNames } from "./places.js";
import { powershellCommands } from "./powershell-words.js";
import { anyStep, shellSteps } from "./shell-steps.js";
import { shellCommands } from "./shell-words.js";
import type { ToolStep } from "./tool-step.js";
import { webResource } from "./web-resource.js";

/** What a client says of a tool that it is about to call. */
export interface ToolCall {
  readonly tool: string;
  readonly input: Readonly<Record<string, unknown>>;
}

/** Tools of clients that touch one file: what they do, and where they name it. */
const fileTools: Readonly<Record<string, readonly [action: ClientAction, argument: string]>> = {
  Read: ["file.read", "file_path"],
  NotebookRead: ["file.read", "notebook_path"],
  Edit: ["file.write", "file_path"],
  MultiEdit: ["file.write", "file_path"],
  Write: ["file.write", "file_path"],
  NotebookEdit: ["file.write", "notebook_path"],
};

/**
 * Tools that run a command. Claude Code shows `Monitor`, which runs one in the background or watches an address, to hooks
 * for `Bash` as `Bash`, and to any other under its own name.
 */
const shells: ReadonlySet<string> = new Set(["Bash", "PowerShell", "Monitor"]);

/** Characters of a command that is read; reading takes time, and a server asks for many agents. */
const longestCommand = 64 * 1024;

/**
 * What a call of a tool is in the words of rules, the general step first and what it plainly does besides behind it.
 *
 * @param pathOf the name under which a path is known to rules
 */
export function toolSteps(
  { tool, input }: ToolCall,
  pathOf: (path: string) => string,
): readonly [ToolStep, ...ToolStep[]] {
  const text = (name: string): string => (typeof input[name] === "string" ? input[name] : "");
  if (Object.hasOwn(fileTools, tool)) {
    const [action, argument] = fileTools[tool]!;
    return [{ action, resource: text(argument) === "" ? "" : pathOf(text(argument)) }];
  }
  if (tool === "Monitor" && text("command") === "")
    return [{ action: "web.fetch", resource: webResource(own(input.ws, "url")) }];
  if (shells.has(tool)) {
    if (text("command").length > longestCommand) return [{ action: "shell.run", resource: "" }, ...anyStep()];
    const read = tool === "PowerShell" ? powershellCommands : shellCommands;
    return [{ action: "shell.run", resource: "" }, ...shellSteps(text("command"), pathOf, read)];
  }
  if (tool === "apply_patch")
    return patchSteps(filesOfPatch(text("command")), (path, action) => pathNames(path, action, pathOf));
  if (tool === "WebFetch") return [{ action: "web.fetch", resource: webResource(text("url")) }];
  const [, server, name] = /^mcp__(.+?)__(.+)$/.exec(tool) ?? [];
  if (server !== undefined) return [{ action: `mcp.${level(server)}.${level(name!)}`, resource: "" }];
  return [{ action: `tool.${level(tool)}`, resource: "" }];
}

/** The argument from which the resources of a tool's steps are taken; undefined for a tool that names none. */
export function namingArgument({ tool, input }: ToolCall): string | undefined {
  if (Object.hasOwn(fileTools, tool)) return fileTools[tool]![1];
  if (tool === "Monitor" && !input.command) return "ws";
  if (shells.has(tool) || tool === "apply_patch") return "command";
  return tool === "WebFetch" ? "url" : undefined;
}

function own(object: unknown, name: string): string {
  const value = isObject(object) && Object.hasOwn(object, name) ? object[name] : undefined;
  return typeof value === "string" ? value : "";
}

/** One level of an action, in the alphabet that actions have. */
function level(name: string): string {
  return (
    name
      .toLowerCase()
      .replace(/[^a-z0-9_@:/+-]/g, "_")
      .slice(0, 100) || "_"
  );
}
