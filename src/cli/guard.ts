import { dirname } from "node:path";
import { isResourcePattern, parseResource } from "../addresses/index.js";
import { readConfig } from "../config/index.js";
import { isRefusal } from "../errors/index.js";
import { hookAnswer, readHookCall } from "./client-hook.js";
import { findingsOf, findOut, type GuardConfig, giveBack } from "./guard-findings.js";
import { type Findings, judge, type Manner, nothingFound, type Verdict } from "./guard-verdict.js";
import { outermostRepository } from "./outermost-repository.js";
import { printJson, printLine } from "./print.js";
import { realPath } from "./real-path.js";
import { repositoryAbove, repositoryPath } from "./repository-path.js";
import { stagedPaths } from "./staged-paths.js";
import { standardInput } from "./standard-input.js";
import { type ServerSwitches, type Switches, serverSettingsOf, settingsOf } from "./switches.js";
import { endWith, leave, terminal } from "./terminal.js";
import { UsageError } from "./usage-error.js";

/** Longest time that a client is held up, whatever happens. */
const patienceMs = 8_000;

const mostInput = 64 * 1024 * 1024;
const tooLong = "standard input is far longer than what a hook is told";

export interface GuardSwitches extends Switches, ServerSwitches, Manner {
  /** Put before each path, where several repositories share a namespace. */
  readonly prefix?: string;
  /** What the agent says it holds, as RESOURCE=TOKEN. */
  readonly token?: readonly string[];
}

/** Before a commit: whether another agent has reserved a file that it changes. Status 1 refuses the commit. */
export async function guardCommit(switches: GuardSwitches): Promise<void> {
  const config = configOf(switches);
  refuseOddPrefix(switches);
  const tokens = tokensOf(config, switches);
  const paths = await stagedPaths(terminal().folder);
  const verdict = judge(await findOut(() => find(config, switches, paths, { ...tokens })), switches);
  if (switches.json) {
    const { allowed, reserved, unnameable, untold, refused, away, stopped: agent, undecided } = verdict;
    printJson({
      ...{ allowed, reserved, unnameable, store_away: away !== undefined },
      ...(refused.length > 0 && { refused }),
      ...(untold.length > 0 && { untold }),
      ...(undecided !== undefined && { undecided }),
      ...(agent && { stopped: agent }),
    });
  } else tell(verdict);
  if (!verdict.allowed) endWith(1);
}

/** Before a client edits a file: the same, and with `take` the file is reserved for the client's session. */
export async function guardEdit(
  switches: GuardSwitches & {
    readonly take?: boolean;
    readonly leaseSeconds: number;
    readonly session?: string;
  },
): Promise<void> {
  const config = configOf(switches);
  refuseOddPrefix(switches);
  const answerBy = (found: Findings): void => {
    const answer = hookAnswer(judge(found, switches, switches.take === true));
    if (answer !== "") printLine(answer);
  };
  await inTime(
    () => answerBy({ ...nothingFound, away: whoIsAsked(config) }),
    async () => {
      const found = await editedFiles(config, switches);
      if (found) answerBy(found);
    },
  );
}

/** What is found of the files that a hook tells of; undefined where it tells of none. */
async function editedFiles(
  config: GuardConfig,
  switches: Parameters<typeof guardEdit>[0],
): Promise<Findings | undefined> {
  const call = readHookCall(await standardInput(mostInput, tooLong));
  if (!call)
    throw new UsageError("guard edit reads the JSON of a hook before a tool that edits from standard input");
  if (call.files.length === 0) return undefined;
  const session = switches.session ?? call.session;
  if (switches.take && session === undefined)
    throw new UsageError(
      "guard edit --take needs to know whose edit it is: the hook told no session_id; pass --session",
    );
  const tokens = tokensOf(config, switches);
  const take = switches.take ? { session: session!, lease_seconds: switches.leaseSeconds } : undefined;
  const folder = call.folder ?? terminal().folder;
  return findOut(async () =>
    find(config, switches, await pathsOf(folder, call.files), { ...tokens, ...(take && { take }) }),
  );
}

/** When the client's turn is over: gives back what `guard edit --take` reserved for its session. */
export async function guardStop(
  switches: Switches & ServerSwitches & { readonly session?: string },
): Promise<void> {
  const config = configOf(switches);
  const sayAway = (): void =>
    void terminal().stderr.write(
      `llm-mailbox guard: the ${whoIsAsked(config)} cannot be reached; what was reserved is free when its lease is over\n`,
    );
  await inTime(sayAway, async () => {
    const session = switches.session ?? readHookCall(await standardInput(mostInput, tooLong))?.session;
    if (session === undefined)
      throw new UsageError(
        "guard stop reads the JSON of a hook with a session_id from standard input, or pass --session",
      );
    if (!(await giveBack(config, session))) sayAway();
  });
}

/** Ends the process by itself where its client would be held up for too long, also by what it has still to be told. */
async function inTime(sayLate: () => void, work: () => Promise<void>): Promise<void> {
  const late = setTimeout(() => {
    sayLate();
    leave(0);
  }, patienceMs);
  try {
    await work();
  } finally {
    clearTimeout(late);
  }
}

function whoIsAsked({ server }: GuardConfig): "store" | "server" {
  return server === undefined ? "store" : "server";
}

function configOf(switches: Switches & ServerSwitches): GuardConfig {
  const config = readConfig(terminal().env, { ...settingsOf(switches), ...serverSettingsOf(switches) });
  const { agent } = config;
  if (agent === undefined)
    throw new UsageError(
      "guard needs to know who is about to change files: --agent NAME, or LLM_MAILBOX_AGENT in the environment",
    );
  return { ...config, agent };
}

/** A prefix by which no file has a name that can be reserved would let every edit pass. @throws {UsageError} */
function refuseOddPrefix({ prefix }: Pick<GuardSwitches, "prefix">): void {
  if (prefix === undefined) return;
  const odd = (problem: unknown): never => {
    throw new UsageError(`--prefix ${JSON.stringify(prefix)} can begin no name of a file: ${problem}`);
  };
  if (prefix !== prefix.trim()) odd("a lock has no blank where its name begins or ends");
  try {
    if (isResourcePattern(parseResource(prefix))) odd("it has a wildcard");
  } catch (error) {
    if (!isRefusal(error)) throw error;
    odd(error.facts.problem);
  }
}

/** By `--token`, or by the environment, parted by commas or line breaks. @throws {UsageError} */
function tokensOf(
  { guardTokens = "" }: GuardConfig,
  { token = [] }: Pick<GuardSwitches, "token">,
): Pick<Parameters<typeof findingsOf>[0], "tokens"> {
  // A name may have a comma in it: a part ends behind its token.
  const given = [...token, ...guardTokens.split(/(?<==\d{1,16})\s*[,\n]\s*/)]
    // What is split off ends behind its token; a comma at the very end is left.
    .map((text) => text.trim().replace(/,$/, ""))
    .filter((text) => text !== "");
  if (given.length === 0) return {};
  if (given.length > 100) throw new UsageError("a guard is told 100 fencing tokens at most");
  const tokens = given.map((text) => {
    const [, resource, number] = /^(.+)=(\d{1,16})$/s.exec(text) ?? [];
    if (resource === undefined || !Number.isSafeInteger(Number(number)))
      throw new UsageError(
        `${JSON.stringify(text)} is no RESOURCE=TOKEN, as in src/**=1785000000000000, for --token or LLM_MAILBOX_GUARD_TOKENS`,
      );
    return { resource, fencing_token: Number(number) };
  });
  return { tokens };
}

/** By the name that each has in the outermost repository it lies in; what lies in none is nobody's. */
async function pathsOf(folder: string, files: readonly string[]): Promise<readonly string[]> {
  const outermost = new Map<string, string>();
  const paths: string[] = [];
  for (const file of files) {
    const nearest = repositoryAbove(dirname(realPath(folder, file)));
    if (nearest === undefined) continue;
    const root = outermost.get(nearest) ?? (await outermostRepository(nearest));
    outermost.set(nearest, root);
    const path = repositoryPath(root, folder, file);
    if (path !== undefined) paths.push(path);
  }
  return paths;
}

/** Asks about files by the names under which they are locked, and tells of them by their own. */
async function find(
  config: GuardConfig,
  { prefix }: Pick<GuardSwitches, "prefix">,
  paths: readonly string[],
  more: Pick<Parameters<typeof findingsOf>[0], "take" | "tokens">,
): Promise<Findings> {
  const names = new Map(paths.map((path) => [prefix === undefined ? path : `${prefix}/${path}`, path]));
  const found = await findingsOf({ config, files: [...names.keys()], ...more });
  const own = (name: string): string => names.get(name) ?? name;
  const ownOf = <One extends { readonly path: string }>(files: readonly One[]): One[] =>
    files.map((file) => ({ ...file, path: own(file.path) }));
  return {
    ...found,
    reserved: ownOf(found.reserved),
    wanted: ownOf(found.wanted),
    refused: ownOf(found.refused),
    ...(found.lost && { lost: ownOf(found.lost) }),
    untold: found.untold.map(own),
    unnameable: found.unnameable.map(own),
  };
}

function tell({ text }: Verdict): void {
  if (text !== "") terminal().stderr.write(`${text}\n`);
}
