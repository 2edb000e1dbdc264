import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname } from "node:path";
import { visible } from "../addresses/index.js";
import type { House } from "../compose.js";
import { type Config, readConfig } from "../config/index.js";
import { isRefusal, MailboxError } from "../errors/index.js";
import type { Principal } from "../identity/index.js";
import { loadLog } from "../observability/index.js";
import { denial, type HookAnswer, type HookEvent, readHookEvent } from "../policy/index.js";
import { realPath } from "./real-path.js";
import { aroundFolder, repositoryAbove, repositoryPath } from "./repository-path.js";
import { standardInput } from "./standard-input.js";
import { endWith, fromFolder, leave, terminal } from "./terminal.js";
import { UsageError } from "./usage-error.js";
import { onlookerOf, type Switches, settingsOf } from "./with-house.js";

/** A model waits for a hook: a store that does not answer by then is away. */
const callTimeoutMs = 2_000;

/** Longest time the client is held up, whatever happens. */
const patienceMs = 8_000;

const mostInput = 64 * 1024 * 1024;

export interface PolicyHookSwitches extends Switches {
  readonly ask?: boolean;
  readonly closed?: boolean;
  readonly root?: string;
}

/**
 * A hook of Claude Code before a tool: reads the event on standard input, asks the rules of the namespace, and prints
 * what stops the call, or nothing. What could not be decided passes with a line on standard error, or with `--closed`
 * is refused. It never ends with 2, by which the client would take standard error for the reason.
 */
export async function policyHook(switches: PolicyHookSwitches): Promise<void> {
  const late = setTimeout(
    () => leave(undecided(switches, `no answer from the store in ${patienceMs / 1000} s`)),
    patienceMs,
  );
  try {
    await answer(switches);
  } catch (error) {
    if (isRefusal(error, "access.stopped")) print(denial(error.message));
    else endWith(undecided(switches, (error as Error).message, isOfTheStore(error)));
  } finally {
    clearTimeout(late);
  }
}

async function answer(switches: PolicyHookSwitches): Promise<void> {
  const config = configOf(switches);
  const root = rootOf(switches);
  const event = await eventGiven();
  if (!event) return;
  const { openHouse } = await import("../compose.js");
  const house = await openHouse(config, await loadLog("silent"), { callTimeoutMs });
  try {
    const principal = await principalOf(house, config);
    print(
      await house.rooms.policy.hook(principal, event, {
        ask: switches.ask ?? false,
        pathOf: (path) => pathIn(event.folder, path, root),
      }),
    );
  } finally {
    await house.close();
  }
}

function configOf(switches: PolicyHookSwitches): Config {
  const config = readConfig(terminal().env, settingsOf(switches));
  if (config.agent === undefined && config.token === undefined)
    throw new UsageError(
      "policy hook needs to know whose tools it is about: --agent NAME or LLM_MAILBOX_AGENT, or a token in LLM_MAILBOX_TOKEN",
    );
  return config;
}

/** Whoever its token proves; without one whoever it says, of whom nobody knows whether it is true. */
async function principalOf({ credentials }: House, config: Config): Promise<Principal> {
  if (config.token !== undefined) return credentials.verify(config.token);
  return { ...onlookerOf(config, config.agent!).principal, verified: false };
}

async function eventGiven(): Promise<HookEvent | undefined> {
  const text = await standardInput(mostInput, "the event on standard input is too large");
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    throw new UsageError("policy hook reads the JSON of a hook before a tool from standard input");
  }
  const event = readHookEvent(given);
  return event && { ...event, folder: event.folder === "" ? terminal().folder : event.folder };
}

/** @throws {UsageError} where there is no such folder: paths would be told relative to nothing that rules speak of */
function rootOf({ root }: PolicyHookSwitches): string | undefined {
  if (root === undefined) return undefined;
  const folder = fromFolder(root);
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new UsageError(`--root ${root} is no folder`);
  return folder;
}

/**
 * Relative to the root, or without one to the repository that a file lies in, links followed; outside of it, the whole path.
 * `.` is the root or the client's repository itself, and `..` a folder in which that lies.
 */
function pathIn(folder: string, given: string, root: string | undefined): string {
  const atHome = fromHome(given);
  // Of a person that this machine does not know.
  if (atHome.startsWith("~")) return atHome;
  const whole = realPath(folder, atHome);
  const own = root ?? repositoryAbove(folder);
  const around = own && aroundFolder(own, whole);
  if (around) return around;
  const above = root ?? repositoryAbove(dirname(whole));
  const path = (above === undefined ? undefined : repositoryPath(above, folder, whole)) ?? whole;
  return path.replaceAll("\\", "/");
}

/** What `~` and `~NAME` stand for, as far as this machine knows the name. */
function fromHome(given: string): string {
  const [, name, behind] = /^~([^/]*)(.*)$/s.exec(given) ?? [];
  const home = name === undefined ? undefined : name === "" ? homedir() : homeOf(name);
  return home === undefined ? given : `${home}${behind!}`;
}

function homeOf(name: string): string | undefined {
  try {
    const own = readFileSync("/etc/passwd", "utf8")
      .split("\n")
      .find((line) => line.startsWith(`${name}:`));
    return own?.split(":")[5];
  } catch {
    return undefined;
  }
}

function print(answer: HookAnswer): void {
  if (answer.hookSpecificOutput) terminal().stdout.write(`${JSON.stringify(answer)}\n`);
}

/** @returns the status to end with */
function undecided({ closed }: PolicyHookSwitches, why: string, isAway = true): 0 | 1 {
  if (closed) {
    print(denial(`nothing could be decided, and this client was told to refuse then: ${why}`));
    return 0;
  }
  terminal().stderr.write(`llm-mailbox policy hook: ${visible(why, "\n")}; going on without it\n`);
  return isAway ? 0 : 1;
}

/** What a person cannot mend by correcting the hook. */
function isOfTheStore(error: unknown): boolean {
  if (error instanceof MailboxError) return error.code.startsWith("store.");
  return error instanceof Error && error.name === "EngineError";
}
