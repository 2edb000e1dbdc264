import type { ClientAction } from "./client-actions.js";
import { isObject } from "./is-object.js";
import { filesOfPatch, patchSteps } from "./patch-steps.js";
import { anything, pathNames } from "./places.js";
import { powershellCommands } from "./powershell-words.js";
import { readWhole } from "./reading.js";
import { anyStep, shellSteps } from "./shell-steps.js";
import { shellCommands } from "./shell-words.js";
import type { ToolStep } from "./tool-step.js";
import { webResource } from "./web-resource.js";

/** What a client says of a tool that it is about to call. */
export interface ToolCall {
  readonly tool: string;
  readonly input: Readonly<Record<string, unknown>>;
}

type Steps = readonly [ToolStep, ...ToolStep[]];

/** What a call of a tool is in the words of rules. */
export interface ToolSteps {
  /** The general step first and what it plainly does besides behind it. */
  readonly steps: Steps;
  /** Whether they are what it does. Else that takes too long to tell, and they are all that such a call may do. */
  readonly isRead: boolean;
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

/** What a patch may do that takes too long to read. */
const anyPatchStep: Steps = [
  { action: "file.write", resource: anything },
  { action: "file.delete", resource: anything },
];

/** Characters of a path that is looked up. A longer one no system takes, and no rule: it is asked about as it is, and denied. */
const longestPath = 4_096;

/** Characters of a command that is read; reading takes time, and a server asks for many agents. */
const longestCommand = 64 * 1024;

/**
 * What a call of a tool is in the words of rules.
 *
 * @param nameOf the name under which a path is known to rules
 */
export function toolSteps({ tool, input }: ToolCall, nameOf: (path: string) => string): ToolSteps {
  const pathOf = (path: string): string =>
    path.length > longestPath ? path.slice(0, longestPath) : nameOf(path);
  const text = (name: string): string => (typeof input[name] === "string" ? input[name] : "");
  if (Object.hasOwn(fileTools, tool)) {
    const [action, argument] = fileTools[tool]!;
    return read([{ action, resource: text(argument) === "" ? "" : pathOf(text(argument)) }]);
  }
  if (tool === "Monitor" && text("command") === "")
    return read([{ action: "web.fetch", resource: webResource(own(input.ws, "url")) }]);
  if (shells.has(tool)) {
    const commands = tool === "PowerShell" ? powershellCommands : shellCommands;
    const isShort = text("command").length <= longestCommand;
    const steps = isShort ? shellSteps(text("command"), pathOf, commands) : anyStep;
    return { steps: [{ action: "shell.run", resource: "" }, ...steps], isRead: steps !== anyStep };
  }
  if (tool === "apply_patch") {
    const files = readWhole((reading) => filesOfPatch(text("command"), reading));
    if (!files) return { steps: anyPatchStep, isRead: false };
    return read(patchSteps(files, (path, action) => pathNames(path, action, pathOf)));
  }
  if (tool === "WebFetch") return read([{ action: "web.fetch", resource: webResource(text("url")) }]);
  const [, server, name] = /^mcp__(.+?)__(.+)$/.exec(tool) ?? [];
  if (server !== undefined) return read([{ action: `mcp.${level(server)}.${level(name!)}`, resource: "" }]);
  return read([{ action: `tool.${level(tool)}`, resource: "" }]);
}

function read(steps: Steps): ToolSteps {
  return { steps, isRead: true };
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
