import { realpathSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { visible } from "../addresses/index.js";
import { type Config, readConfig } from "../config/index.js";
import { Unreadable } from "./edit-json.js";
import { type HookPlace, hookPlaces } from "./hook-places.js";
import { hookCommand, signs, withHooks, withPolicyHook } from "./hooks-file.js";
import { type KnownClient, knownClients, type Start } from "./known-clients.js";
import { printLine } from "./print.js";
import { type Surroundings, surroundings } from "./surroundings.js";
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
  /** What to know of it besides, before it is written. */
  readonly note?: string;
  /** What is there already, when nothing is to be added. */
  readonly already: string;
  /** Whether `--yes` stands for this one too. */
  readonly meant: boolean;
  /** The new text; undefined when what is to be added is there already. */
  apply(text: string): string | undefined;
}

/** What became of one: `untouched` when there was nobody to ask. */
type Outcome = "written" | "left" | "untouched";

/**
 * Shows, for each client that seems to be used here, what connects it, and writes it after asking. Nothing that is
 * there is changed: an entry called mailbox is left as it is, and so is a file that cannot be read for what it is.
 */
export async function init(switches: InitSwitches): Promise<void> {
  const around = surroundings();
  const clients = chosen(switches, around);
  refuseHooksForNobody(clients, switches);
  if (clients.length === 0) {
    const names = knownClients.map(({ name }) => name).join(", ");
    printLine(
      `None of the clients known here was found (${names}). --client NAME shows what one of them needs all the same.`,
    );
    printLine("Any other client can start this, with a name for its agent:");
    printLine(`  ${asTyped(start(switches, "NAME"))}`);
    return;
  }
  const ask = switches.yes || !terminal().stdin.isTTY ? undefined : asker();
  const outcomes = new Set<Outcome>();
  for (const change of changesFor(clients, switches, around))
    outcomes.add(await offer(change, switches, ask));
  ask?.close();
  printRest(outcomes, switches);
}

/** What holds for all of it, said once at the end. */
function printRest(outcomes: ReadonlySet<Outcome>, switches: InitSwitches): void {
  if (outcomes.has("untouched"))
    printLine(
      "\nNothing was written: there is no terminal to ask at. --yes writes what is shown above, hooks that remind of mail only with --hooks.",
    );
  if (outcomes.has("written"))
    printLine("\nA client reads this when it starts: start those again that are running.");
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

/** Before anything is written: of what is asked for in vain, nothing is to be found out halfway. */
function refuseHooksForNobody(clients: readonly KnownClient[], switches: InitSwitches): void {
  const { hooks, policyHook } = switches;
  const have = hookPlaces.map(({ client }) => client);
  if ((hooks || policyHook) && clients.length > 0 && !clients.some(({ name }) => have.includes(name)))
    throw new UsageError(
      `--${policyHook ? "policy-hook" : "hooks"} is about clients whose hooks are known (${have.join(", ")}), and there is none of them here: name one by --client`,
    );
  if (policyHook && configOf(switches).server !== undefined)
    throw new UsageError(
      "the policy hook asks a store, and here a server has it; Claude Code can ask a server by a hook of type http, see docs/guides/policy-hooks.md",
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
    `init knows no client ${JSON.stringify(name)}; known are ${knownClients.map((one) => one.name).join(", ")}`,
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
      title: `${client.title}, as agent ${agent}`,
      file: client.file(around),
      shown: client.shown(how),
      ...(client.name === "claude-code"
        ? { note: `For every project instead: claude mcp add --scope user mailbox -- ${asTyped(how)}` }
        : {}),
      already:
        "An entry called mailbox is there already, and left as it is; to have it written anew, remove it.",
      meant: true,
      apply: (text) => client.added(text, how),
    };
    const place = hookPlaces.find((one) => one.client === client.name);
    if (place) yield* hooksFor(place, whoseHooks(client, agent, around), how, switches, around);
  }
}

interface Whose {
  readonly agent: string;
  readonly note?: string;
}

/** Hooks look after the mailbox of the agent that the client is started as, which may be there under another name. */
function whoseHooks(client: KnownClient, agent: string, around: Surroundings): Whose {
  try {
    const there = client.agentThere(textOf(client.file(around)) ?? "");
    if (there !== null) return { agent: there ?? agent };
    return {
      agent,
      note: `The entry called mailbox that is there does not say for which agent it is: these are for ${agent}, --agent names another.`,
    };
  } catch {
    // Of a file that cannot be read more is said where the entry is offered.
    return { agent };
  }
}

function* hooksFor(
  place: HookPlace,
  { agent, note }: Whose,
  { command }: Start,
  switches: InitSwitches,
  around: Surroundings,
): Generator<Change> {
  const line = (what: keyof typeof signs): string =>
    hookCommand(
      what,
      { command, args: [program(), ...where(switches)] },
      agent,
      place.shell(around.platform),
    );
  const [remind, ask] = [line("remind"), line("policy")];
  const apply =
    (sign: string, add: Change["apply"]): Change["apply"] =>
    (text) => {
      place.refuse(text);
      return place.hasElsewhere(sign, around) ? undefined : add(text);
    };
  const common = {
    file: place.file(around),
    ...((place.note ?? note) ? { note: [note, place.note].filter(Boolean).join("\n") } : {}),
    already: "It is there already, and left as it is; to have it written anew, remove it.",
  };
  yield {
    ...common,
    title: `The hook of ${place.title} that reminds of unread mail, ${place.reach}`,
    shown: `at SessionStart, UserPromptSubmit, PostToolUse and Stop:\n${remind}`,
    meant: switches.hooks ?? false,
    apply: apply(signs.remind, (text) => withHooks(text, remind)),
  };
  if (!switches.policyHook) return;
  yield {
    ...common,
    title: `The hook of ${place.title} that asks the policy before a tool, ${place.reach}`,
    shown: `at PreToolUse, for the tools ${place.policyMatcher}:\n${ask}`,
    meant: true,
    apply: apply(signs.policy, (text) => withPolicyHook(text, ask, place.policyMatcher)),
  };
}

/** Tells what would be written, and writes it if it may. */
async function offer(change: Change, { yes }: InitSwitches, ask: Asker | undefined): Promise<Outcome> {
  const { title, file, note, meant } = change;
  printLine(`\n${title}: ${visible(file)}`);
  const changed = attempt(change);
  if (typeof changed !== "string") return leave(changed);
  printLine(indented(change.shown));
  if (note !== undefined) printLine(note);
  if (yes && !meant)
    return leave({ left: "Not written: with --yes this one is written only if --hooks is given." });
  if (!yes && !ask) return "untouched";
  if (ask && !(await ask.yes("Write this? [y/N] "))) return leave({ left: "Not written." });
  // It may have changed while the question stood there.
  const now = attempt(change);
  if (typeof now !== "string") return leave(now);
  try {
    const backup = writeWhole(file, now);
    printLine(backup === undefined ? "Written." : `Written; what was there is kept as ${visible(backup)}`);
    return "written";
  } catch (error) {
    return leave({ left: `Not written: the system refuses it (${codeOf(error)}).` });
  }
}

/** Why nothing is added. */
interface Left {
  readonly left: string;
}

function leave({ left }: Left): Outcome {
  printLine(left);
  return "left";
}

function attempt({ file, shown, already, apply }: Change): string | Left {
  const byHand = `Add this by hand:\n${indented(shown)}`;
  try {
    return apply(textOf(file) ?? "") ?? { left: already };
  } catch (error) {
    if (error instanceof Unreadable) return { left: `Left alone: ${error.message}. ${byHand}` };
    return { left: `Left alone: it cannot be read (${codeOf(error)}). ${byHand}` };
  }
}

function codeOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined) throw error;
  return code;
}

function indented(text: string): string {
  return text.replace(/^/gm, "  ");
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
