import { visible } from "../addresses/index.js";
import { isRefusal } from "../errors/index.js";
import { remind } from "../mcp/index.js";
import { lookForMail, settingsForLook } from "./look-for-mail.js";
import { printJson } from "./print.js";
import { ServerRefused } from "./server-refused.js";
import { standardInput } from "./standard-input.js";
import type { ServerSwitches, Switches } from "./switches.js";
import { leave, terminal } from "./terminal.js";
import { UsageError } from "./usage-error.js";

/** What Claude Code says to a hook; all of it is foreign and only looked at. */
interface HookInput {
  readonly session_id?: unknown;
  readonly hook_event_name?: unknown;
  readonly stop_hook_active?: unknown;
  /** There only when the event is one of a sub-agent. */
  readonly agent_id?: unknown;
}

/** Events whose hooks may add to what the model reads. */
const contextEvents: readonly unknown[] = ["SessionStart", "UserPromptSubmit", "PostToolUse"];

/** Longest time the client is held up. */
const patienceMs = 8_000;

const mostInputBytes = 64 * 1024 * 1024;

/**
 * A hook of Claude Code: reads the event on standard input, and when there is unread mail of which this session was not
 * yet reminded, answers as that event expects. Otherwise it says nothing. It never ends with 2, which would block the
 * client: a store that is away is 0, a wrong setting 1, each told on standard error.
 */
export async function checkHook(switches: Switches & ServerSwitches): Promise<void> {
  const late = setTimeout(
    () => leaveSaying(0, `no answer from the store in ${patienceMs / 1000} s`),
    patienceMs,
  );
  try {
    await answer(switches);
  } catch (error) {
    leaveSaying(isOfTheStore(error) ? 0 : 1, (error as Error).message);
  } finally {
    clearTimeout(late);
  }
}

async function answer(switches: Switches & ServerSwitches): Promise<void> {
  const config = settingsForLook(switches);
  const {
    session_id: session,
    hook_event_name: event,
    stop_hook_active: stopping,
    agent_id: sub,
  } = await hookInput();
  if (typeof session !== "string" || session === "")
    throw new UsageError(
      "check --hook reads the event of a hook on standard input; its session_id is missing",
    );
  const isStop = event === "Stop";
  // Mail is the main agent's. And whoever goes on because of a hook is not held up by it again.
  if (sub !== undefined || (isStop && stopping !== false && stopping !== undefined)) return;
  if (!isStop && !contextEvents.includes(event)) return;
  if (config.server === undefined) {
    // Where there is nothing to look into, nothing is to be remembered either.
    const { holdsStore } = await import("./with-house.js");
    if (!holdsStore(config)) return;
  }
  const { Reminders } = await import("./reminders.js");
  const reminders = new Reminders(config, config.agent, session);
  await reminders.alone(async () => {
    const found = await lookForMail(config);
    if (!found) return;
    const last = reminders.last();
    const { isNews, reminded } = remind(last, found);
    // Remembered first: rather no reminder than the same one twice.
    if (reminded.unread !== last?.unread || reminded.until !== last.until) reminders.remember(reminded);
    if (isNews) printJson(isStop ? block(found.line) : context(String(event), found.line), 0);
  });
}

function context(event: string, line: string): object {
  return { hookSpecificOutput: { hookEventName: event, additionalContext: line } };
}

function block(line: string): object {
  return { decision: "block", reason: `${line} Stop when you have seen to it.` };
}

async function hookInput(): Promise<HookInput> {
  if (terminal().stdin.isTTY)
    throw new UsageError(
      "check --hook reads the event of a hook on standard input; see docs/guides/client-hooks.md",
    );
  const text = await standardInput(mostInputBytes, "the event on standard input is too large");
  try {
    const input = JSON.parse(text) as unknown;
    if (typeof input === "object" && input !== null) return input;
  } catch {
    // Told below, without the words of the input.
  }
  throw new UsageError(
    "check --hook reads the event of a hook on standard input, which is not an object of JSON",
  );
}

/** What a person cannot mend by correcting the hook. */
function isOfTheStore(error: unknown): boolean {
  if (error instanceof ServerRefused) return error.isAway;
  if (isRefusal(error)) return error.kind !== "INVALID_ARGUMENT";
  return !(error instanceof UsageError);
}

function leaveSaying(status: 0 | 1, message: string): void {
  terminal().stderr.write(`llm-mailbox: ${visible(message, "\n")}\n`);
  leave(status);
}
