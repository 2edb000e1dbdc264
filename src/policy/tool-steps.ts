import type { ClientAction } from "./client-actions.js";
import { shellSteps, type ToolStep, webResource } from "./shell-steps.js";

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
  if (tool === "Bash") return [{ action: "shell.run", resource: "" }, ...shellSteps(text("command"), pathOf)];
  if (tool === "WebFetch") return [{ action: "web.fetch", resource: webResource(text("url")) }];
  const [, server, name] = /^mcp__(.+?)__(.+)$/.exec(tool) ?? [];
  if (server !== undefined) return [{ action: `mcp.${level(server)}.${level(name!)}`, resource: "" }];
  return [{ action: `tool.${level(tool)}`, resource: "" }];
}

/** The argument from which the resources of a tool's steps are taken; undefined for a tool that names none. */
export function namingArgument(tool: string): string | undefined {
  if (Object.hasOwn(fileTools, tool)) return fileTools[tool]![1];
  return tool === "Bash" ? "command" : tool === "WebFetch" ? "url" : undefined;
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
