import { visible } from "../addresses/index.js";
import { isRefusal, refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { boundedContext } from "./bounded-context.js";
import { checkTogether, type TogetherAnswer } from "./check-together.js";
import type { PolicyContext } from "./context.js";
import { isObject } from "./is-object.js";
import { maxResourceLength } from "./name-pattern.js";
import { isWhole, pathsByLetters } from "./path-by-letters.js";
import { whereToReadWhy } from "./refused-before.js";
import { named } from "./shown-step.js";
import type { ToolStep } from "./tool-step.js";
import { namingArgument, type ToolCall, toolSteps } from "./tool-steps.js";

/** What a client says to a hook before it calls a tool. */
export interface HookEvent extends ToolCall {
  /** Whether its user is asked when it is told to ask. Codex does not: it makes the call. */
  readonly asksUser: boolean;
  /** The folder in which the client works, which a model may change. */
  readonly folder: string;
}

export interface HookOptions {
  /** The whole path of the folder that paths are told relative to, wherever the client works. */
  readonly root?: string | undefined;
  /** The name under which a path is known to rules; else what its letters tell. */
  readonly pathOf?: (path: string) => string;
  /** What needs a person is left to the client's user, where it asks them, instead of being refused until it was approved here. */
  readonly ask?: boolean;
}

/** What a client reads; an empty object leaves the decision to its own rules. */
export interface HookAnswer {
  readonly hookSpecificOutput?: {
    readonly hookEventName: "PreToolUse";
    readonly permissionDecision?: "deny" | "ask";
    readonly permissionDecisionReason?: string;
    readonly additionalContext?: string;
  };
}

const mostReason = 2_000;
const speaker = "LLM Mailbox policy: ";

/** Steps of a call that an answer names. */
const mostNamed = 5;
const longestName = 300;

/** What a model brings about by what it calls, and how often. */
const unaskable: readonly string[] = [
  "input.invalid",
  "approval.too_large",
  "approval.too_many",
  "approval.in_use",
];

/**
 * Reads the event of a hook of Claude Code (https://code.claude.com/docs/en/hooks).
 *
 * @returns undefined for an event at which no tool is about to be called
 * @throws {MailboxError} `input.invalid`
 */
export function readHookEvent(given: unknown): HookEvent | undefined {
  const event = (isObject(given) ? given : {}) as Readonly<Record<string, unknown>>;
  const { hook_event_name: name = "PreToolUse", tool_name: tool, tool_input: input, cwd } = event;
  if (name !== "PreToolUse" && typeof name === "string") return undefined;
  if (typeof tool !== "string" || tool === "" || !isObject(input))
    refuse("input.invalid", { problem: "an event of PreToolUse has a tool_name and a tool_input" });
  // Events of Codex name the turn they belong to, those of Claude Code do not.
  return {
    tool,
    input,
    folder: typeof cwd === "string" ? cwd : "",
    asksUser: !Object.hasOwn(event, "turn_id"),
  };
}

/**
 * Asks the rules of the namespace about a tool that a client is about to call, as `check_policy` would, and answers in
 * the client's form. What is allowed is not answered: the client's own rules and its user go on deciding.
 *
 * @throws {MailboxError} `input.invalid` for a root that is no whole path; `access.denied`, `auth.*`, `store.*`
 */
export async function answerHook(
  context: PolicyContext,
  caller: Caller,
  event: HookEvent,
  { ask = false, root, pathOf = pathsFrom(event.folder, root) }: HookOptions = {},
): Promise<HookAnswer> {
  const { tool, input } = event;
  if (root !== undefined && !isWhole(root))
    refuse("input.invalid", { problem: "root is the whole path of a folder, such as /srv/project" });
  const why = typeof input.description === "string" ? input.description.slice(0, 1_000) : "";
  try {
    const { steps, isRead } = toolSteps(event, pathOf);
    const beside = { tool: tool.slice(0, 200) };
    const given = { arguments: boundedContext(input, beside), ...beside };
    const found = await checkTogether(context, caller, steps, {
      asked: given,
      why,
      naming: namingArgument(event),
    });
    return told(found, ask && event.asksUser, isRead);
  } catch (error) {
    // A call that rules or people cannot be asked about must not pass because of it.
    if (!isRefusal(error) || !unaskable.includes(error.code)) throw error;
    return denial(`the policy could not be asked about this call: ${error.message}`);
  }
}

/** What paths are called by their letters. From a folder that is too long for rules, all of them are too. */
function pathsFrom(folder: string, root: string | undefined): (path: string) => string {
  return folder.length > maxResourceLength
    ? () => folder.slice(0, maxResourceLength + 1)
    : pathsByLetters({ folder, root });
}

/** The answer that stops a call. */
export function denial(reason: string): HookAnswer {
  return decided("deny", reason);
}

/** What is told of a call that was asked about as all that one of its kind may do. */
const tooLong =
  ". It is too long or too tangled to be read, so this is all that it might do: give what it does in several shorter ones";

/** @param isRead whether what was asked about is what the call does */
function told({ steps, answer }: TogetherAnswer, ask: boolean, isRead: boolean): HookAnswer {
  const { decision, reasons, approval, known, nearest } = answer;
  const what = listed(steps);
  // That it runs at all no shorter one changes.
  const unread = isRead || steps.every(({ action }) => action === "shell.run") ? "" : tooLong;
  const [is, needs] = steps.length === 1 ? ["is", "needs"] : ["are", "need"];
  const said = reasons.map(
    ({ by, reason, guidance }) =>
      `${unstopped(reason)} (${by})${guidance === undefined ? "" : `. Instead: ${unstopped(guidance)}`}`,
  );
  const limits = answer.limits
    .filter(({ exceeded }) => exceeded)
    .map(({ id, used, most, window_ends_at }) => `${id}: ${used} of ${most} used until ${window_ends_at}`);
  const unknown = known
    ? []
    : [`no rule knows ${what}${nearest.length > 0 ? `; near it: ${nearest.join(", ")}` : ""}`];
  const why = [...new Set([...said, ...limits, ...unknown])].join("; ");
  switch (decision) {
    case "allow": {
      const duties = answer.obligations.filter((one) => !one.startsWith("notify "));
      if (duties.length === 0) return {};
      return {
        hookSpecificOutput: {
          hookEventName: "PreToolUse",
          additionalContext: sentence(`${speaker}with ${what}, you have to: ${duties.join("; ")}`),
        },
      };
    }
    case "deny":
      return denial(around(`${what} ${is} not allowed: `, why || "no rule allows it", unread));
    case "require_approval": {
      const needed = `${what} ${needs} a person: `;
      const because = why || "no rule allows it by itself";
      const before = whereToReadWhy(approval?.before);
      if (ask)
        return decided(
          "ask",
          around(
            needed,
            because,
            `${before}. It waits as ${approval?.id ?? ""} too: once that is approved, this call passes, unchanged or with the arguments that were approved${unread}`,
          ),
        );
      return denial(
        around(
          needed,
          because,
          `${before}. Call check_policy of the mailbox with approval_id ${approval?.id ?? ""} and wait_seconds 50; once it is approved, repeat this call unchanged, or with the arguments that it shows${unread}`,
        ),
      );
    }
  }
}

/** Where the reasons are many, they are cut short, and not what is to be done about them. */
function around(before: string, why: string, behind: string): string {
  const [begin, reasons, end] = [before, why, behind].map((text) => visible(text)) as [
    string,
    string,
    string,
  ];
  const room = Math.max(mostReason - speaker.length - begin.length - end.length, 1);
  return `${begin}${reasons.length <= room ? reasons : `${reasons.slice(0, room - 1)}…`}${end}`;
}

/** The steps by name, as far as a sentence takes them. */
function listed(steps: readonly ToolStep[]): string {
  const names = steps.slice(0, mostNamed).map(named).map(cut);
  const more = steps.length - names.length;
  return `${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** So that there is room for what is said of it. */
function cut(name: string): string {
  return name.length <= longestName ? name : `${name.slice(0, longestName)}…`;
}

function decided(permissionDecision: "deny" | "ask", reason: string): HookAnswer {
  return {
    hookSpecificOutput: {
      hookEventName: "PreToolUse",
      permissionDecision,
      permissionDecisionReason: sentence(`${speaker}${reason}`),
    },
  };
}

/** Rules are written as sentences, and stand in the middle of one here. */
function unstopped(text: string): string {
  return text.replace(/\.+$/, "");
}

function sentence(text: string): string {
  return visible(text).slice(0, mostReason);
}
