import { realpathSync } from "node:fs";
import { homedir } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { visible } from "../addresses/index.js";
import { type Config, readConfig } from "../config/index.js";
import { hookCommand, hooksFile, policyHookCommand, withHooks, withPolicyHook } from "./claude-code-hooks.js";
import { Unreadable } from "./edit-json.js";
import { type KnownClient, knownClients, type Start, type Surroundings } from "./known-clients.js";
import { printLine } from "./print.js";
import { type ServerSwitches, type Switches, serverSettingsOf, settingsOf } from "./switches.js";
import { terminal } from "./terminal.js";
import { UsageError } from "./usage-error.js";
import { textOf, writeWhole } from "./write-whole.js";

export interface InitSwitches extends Switches, ServerSwitches {
  readonly client?: readonly string[];
  readonly hooks?: boolean;
  readonly policyHook?: boolean;
  readonly yes?: boolean;
}

/** One file that may be changed, and how. */
interface Change {
  readonly title: string;
  readonly file: string;
  readonly shown: string;
  /** Whether `--yes` stands for this one too. */
  readonly meant: boolean;
  /** The new text; undefined when what is to be added is there already. */
  apply(text: string): string | undefined;
}

/**
 * Shows, for each client that seems to be used here, what connects it, and writes it after asking. Nothing that is
 * there is changed: an entry called mailbox is left as it is, and so is a file that cannot be read for what it is.
 */
export async function init(switches: InitSwitches): Promise<void> {
  const around: Surroundings = {
    home: homedir(),
    project: terminal().folder,
    platform: process.platform,
    env: terminal().env,
  };
  const clients = chosen(switches, around);
  if (clients.length === 0) {
    const names = knownClients.map(({ name }) => name).join(", ");
    printLine(
      `None of the clients known here was found (${names}). Name one by --client to see what it needs,`,
    );
    printLine("or start for any other:");
    printLine(`  ${[start(switches, "NAME").command, ...start(switches, "NAME").args].join(" ")}`);
    return;
  }
  const ask = switches.yes || !terminal().stdin.isTTY ? undefined : asker();
  let untouched = 0;
  for (const change of changesFor(clients, switches, around)) {
    if (!(await offer(change, switches, ask))) untouched++;
  }
  ask?.close();
  if (untouched > 0 && !switches.yes && !ask)
    printLine("\nNothing was written: there is no terminal to ask at. --yes writes what is shown above.");
  const { server, redisUrl } = configOf(switches);
  if (server === undefined && redisUrl !== undefined)
    printLine(
      "\nREDIS_URL is set here, and is not written because it may hold a password: give the client's process, and its hooks, REDIS_URL or REDIS_URL_FILE; without it they use the store of this machine.",
    );
  if (server !== undefined)
    printLine(
      "\nA server asks each agent for its token: give it to the client's process, and to its hooks, as LLM_MAILBOX_TOKEN or LLM_MAILBOX_TOKEN_FILE.",
    );
}

function chosen({ client, agent }: InitSwitches, around: Surroundings): readonly KnownClient[] {
  const named = client?.map((name) => {
    const known = knownClients.find((one) => one.name === name);
    return known ?? unknown(name);
  });
  const clients = named ?? knownClients.filter((one) => one.isThere(around));
  if (agent !== undefined && clients.length > 1)
    throw new UsageError(
      `one agent's name cannot be that of ${clients.length} clients (${clients.map(({ name }) => name).join(", ")}), because they would take each other's mail: name one by --client`,
    );
  return clients;
}

function unknown(name: string): never {
  throw new UsageError(
    `there is no client ${JSON.stringify(name)} here; known are ${knownClients.map((one) => one.name).join(", ")}`,
  );
}

function* changesFor(
  clients: readonly KnownClient[],
  switches: InitSwitches,
  around: Surroundings,
): Generator<Change> {
  for (const client of clients) {
    const agent = switches.agent ?? client.agent;
    const how = start(switches, agent);
    yield {
      title: client.title,
      file: client.file(around),
      shown: client.shown(how),
      meant: true,
      apply: (text) => client.added(text, how),
    };
    if (client.name !== "claude-code") continue;
    printLine(
      `\nClaude Code in every project instead: claude mcp add --scope user mailbox -- ${asTyped(how)}`,
    );
    const hook = { command: how.command, args: [program(), ...where(switches)] };
    const command = hookCommand(hook, agent, around.platform);
    yield {
      title: "Claude Code's hooks, in this project: reminders of unread mail",
      file: hooksFile(around),
      shown: `at SessionStart, UserPromptSubmit, PostToolUse and Stop:\n${command}`,
      meant: switches.hooks ?? false,
      apply: (text) => withHooks(text, command),
    };
    if (!switches.policyHook) continue;
    if (configOf(switches).server !== undefined)
      throw new UsageError(
        "the policy hook asks a store; of a server, give Claude Code a hook of type http, see docs/guides/policy-hooks.md",
      );
    const asking = policyHookCommand(hook, agent, around.platform);
    yield {
      title: "Claude Code's hook that asks the policy before a tool, in this project",
      file: hooksFile(around),
      shown: `at PreToolUse:\n${asking}`,
      meant: true,
      apply: (text) => withPolicyHook(text, asking),
    };
  }
}

/** Tells what would be written, and writes it if it may. True when there is nothing left to do for it. */
async function offer(
  { title, file, shown, meant, apply }: Change,
  { yes }: InitSwitches,
  ask: Asker | undefined,
): Promise<boolean> {
  printLine(`\n${title}: ${visible(file)}`);
  const changed = attempt(file, apply);
  if (typeof changed !== "string") {
    printLine(changed.left);
    return true;
  }
  printLine(shown.replace(/^/gm, "  "));
  if (yes && !meant) {
    printLine("Not written: --hooks asks for it.");
    return true;
  }
  if (!yes && !ask) return false;
  if (ask && !(await ask.yes("Write this? [y/N] "))) {
    printLine("Not written.");
    return true;
  }
  // It may have changed while the question stood there.
  const now = attempt(file, apply);
  if (typeof now !== "string") {
    printLine(now.left);
    return true;
  }
  const backup = writeWhole(file, now);
  printLine(backup === undefined ? "Written." : `Written; what was there is kept as ${visible(backup)}`);
  return true;
}

function attempt(file: string, apply: Change["apply"]): string | { readonly left: string } {
  try {
    const changed = apply(textOf(file) ?? "");
    return changed ?? { left: "It has a mailbox already, which is left as it is." };
  } catch (error) {
    if (error instanceof Unreadable)
      return { left: `Left alone: ${error.message}. Add by hand what it needs.` };
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return { left: `Left alone: it cannot be read (${code}).` };
  }
}

/** This very program, by places that hold whatever PATH and folder the client starts it with. */
function start(switches: InitSwitches, agent: string): Start {
  const words = ["stdio", "--agent", agent, ...where(switches)];
  return { command: process.execPath, args: [program(), ...words] };
}

/** The words that name the store, or the server that has it; checked while somebody is there to read a refusal. */
function where(switches: InitSwitches): string[] {
  if (switches.redisUrl !== undefined)
    throw new UsageError(
      "init writes no address of a Redis, because it may hold a password: give the client's process REDIS_URL or REDIS_URL_FILE instead",
    );
  const { dataDir, namespace, server, plainHttp } = configOf(switches);
  // A client is started with an environment of its own: what this one says has to be written down.
  const said = (flag: string | undefined, name: string): boolean =>
    flag !== undefined || (terminal().env[name] ?? "").trim() !== "";
  if (server !== undefined) return ["--server", server, ...(plainHttp ? ["--plain-http"] : [])];
  return [
    ...(said(switches.dataDir, "LLM_MAILBOX_DATA_DIR") ? ["--data-dir", dataDir] : []),
    ...(said(switches.namespace, "LLM_MAILBOX_NAMESPACE") ? ["--namespace", namespace] : []),
  ];
}

function configOf(switches: InitSwitches): Config {
  return readConfig(terminal().env, { ...settingsOf(switches), ...serverSettingsOf(switches) });
}

function program(): string {
  return realpathSync(fileURLToPath(new URL("../main.js", import.meta.url)));
}

function asTyped({ command, args }: Start): string {
  return [command, ...args].map((word) => (/\s/.test(word) ? JSON.stringify(word) : word)).join(" ");
}

interface Asker {
  yes(question: string): Promise<boolean>;
  close(): void;
}

/** What was typed before its question was asked counts for it; who types no more says no. */
function asker(): Asker {
  const lines = createInterface({ input: terminal().stdin, output: terminal().stdout });
  const typed = lines[Symbol.asyncIterator]();
  return {
    yes: async (question) => {
      terminal().stdout.write(question);
      const { value, done } = await typed.next();
      return !done && /^y(es)?$/i.test(String(value).trim());
    },
    close: () => lines.close(),
  };
}
