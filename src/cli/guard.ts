import { createHash } from "node:crypto";
import { dirname } from "node:path";
import type { House } from "../compose.js";
import { type Config, readConfig } from "../config/index.js";
import { isRefusal } from "../errors/index.js";
import type { Caller, RunId } from "../identity/index.js";
import {
  acquireLock,
  conflictsOf,
  parseResource,
  type Resource,
  releaseLock,
  releaseRun,
} from "../locks/index.js";
import { loadLog } from "../observability/index.js";
import { holdsData } from "../redis/engine/index.js";
import { hookAnswer, readHookCall } from "./client-hook.js";
import { type Findings, judge, type Manner, type Reserved, type Verdict } from "./guard-verdict.js";
import { printJson, printLine } from "./print.js";
import { realPath } from "./real-path.js";
import { repositoryAbove, repositoryPath } from "./repository-path.js";
import { stagedPaths } from "./staged-paths.js";
import { standardInput } from "./standard-input.js";
import { endWith, terminal } from "./terminal.js";
import { UsageError } from "./usage-error.js";
import { onlookerOf, type Switches, settingsOf } from "./with-house.js";

/** A person or a model waits for a hook: a store that does not answer by then is away. */
const callTimeoutMs = 2_000;
const pathsAtOnce = 100;
const mostInput = 64 * 1024 * 1024;
const tooLong = "standard input is far longer than what a hook is told";

export interface GuardSwitches extends Switches, Manner {
  /** Put before each path, where several repositories share a namespace. */
  readonly prefix?: string;
}

/** Before a commit: whether another agent has reserved a file that it changes. Status 1 refuses the commit. */
export async function guardCommit(switches: GuardSwitches): Promise<void> {
  const config = configOf(switches);
  const folder = terminal().folder;
  const paths = await stagedPaths(folder);
  const verdict = judge(await find(config, switches, paths, callerOf(config), false, 0), switches);
  if (switches.json) {
    const { allowed, reserved, unnameable, away, stopped: agent } = verdict;
    printJson({ allowed, reserved, unnameable, store_away: away, ...(agent && { stopped: agent }) });
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
  const call = readHookCall(await standardInput(mostInput, tooLong));
  if (!call)
    throw new UsageError("guard edit reads the JSON of a hook before a tool that edits from standard input");
  const folder = call.folder ?? terminal().folder;
  const paths = call.files.flatMap((file) => {
    const root = repositoryAbove(dirname(realPath(folder, file))) ?? folder;
    return repositoryPath(root, folder, file) ?? [];
  });
  if (paths.length === 0) return;
  const session = switches.session ?? call.session;
  if (switches.take && session === undefined)
    throw new UsageError(
      "guard edit --take needs to know whose edit it is: the hook told no session_id; pass --session",
    );
  const caller = callerOf(config, session);
  const take = switches.take ?? false;
  const verdict = judge(await find(config, switches, paths, caller, take, switches.leaseSeconds), switches);
  const answer = hookAnswer(verdict);
  if (answer !== "") printLine(answer);
}

/** When the client's turn is over: gives back what `guard edit --take` reserved for its session. */
export async function guardStop(switches: Switches & { readonly session?: string }): Promise<void> {
  const config = configOf(switches);
  const session = switches.session ?? readHookCall(await standardInput(mostInput, tooLong))?.session;
  if (session === undefined)
    throw new UsageError(
      "guard stop reads the JSON of a hook with a session_id from standard input, or pass --session",
    );
  if (isEmpty(config)) return;
  const { run } = callerOf(config, session);
  const given = await asked(config, (house) => releaseRun(house.locks, config.namespace, run.id, true));
  if (given === away)
    terminal().stderr.write(
      "llm-mailbox guard: the store cannot be reached; what was reserved is free when its lease is over\n",
    );
}

function configOf(switches: Switches): Config & { readonly agent: string } {
  const config = readConfig(terminal().env, settingsOf(switches));
  const { agent } = config;
  if (agent === undefined)
    throw new UsageError(
      "guard needs to know who is about to change files: --agent NAME, or LLM_MAILBOX_AGENT in the environment",
    );
  return { ...config, agent };
}

/** A session of a client is a run of its agent that lives in the store alone: each hook is a process of its own. */
function callerOf(config: Config & { readonly agent: string }, session?: string): Caller {
  const caller = onlookerOf(config, config.agent);
  if (session === undefined) return caller;
  const name = createHash("sha256").update(session).digest("base64url").slice(0, 16);
  return { ...caller, run: { id: `${config.agent}/guard-${name}` as RunId } };
}

function isEmpty(config: Config): boolean {
  return config.redisUrl === undefined && !holdsData(config.dataDir);
}

async function find(
  config: Config,
  { prefix }: { readonly prefix?: string },
  paths: readonly string[],
  caller: Caller,
  take: boolean,
  leaseSeconds: number,
): Promise<Findings> {
  const unnameable: string[] = [];
  const named: { path: string; resource: Resource }[] = [];
  for (const path of paths) {
    const resource = resourceOf(prefix === undefined ? path : `${prefix}/${path}`);
    if (resource) named.push({ path, resource });
    else unnameable.push(path);
  }
  // Where nothing was ever stored nobody can have reserved anything, and no engine has to be started to see that.
  if (named.length === 0 || (isEmpty(config) && !take)) return { reserved: [], unnameable, away: false };
  const { agent } = caller.principal;
  const reserved = await asked(config, async (house) => {
    if ((await house.access.rules(config.namespace)).stopped.has(agent)) return stopped;
    const found: Reserved[] = [];
    for (let n = 0; n < named.length; n += pathsAtOnce)
      found.push(...(await reservedBy(house, caller, named.slice(n, n + pathsAtOnce), take, leaseSeconds)));
    return found;
  });
  if (reserved === away) return { reserved: [], unnameable, away: true };
  if (reserved === stopped) return { reserved: [], unnameable, away: false, stopped: agent };
  return { reserved, unnameable, away: false };
}

async function reservedBy(
  { locks }: House,
  caller: Caller,
  named: readonly { readonly path: string; readonly resource: Resource }[],
  take: boolean,
  leaseSeconds: number,
): Promise<readonly Reserved[]> {
  const all = named.map(({ resource }) => resource);
  const standing = await conflictsOf(locks, caller, all, "exclusive");
  const found: Reserved[] = [];
  for (const { path, resource } of named) {
    // One look at all tells whether there is anything; which file it is about is asked only then.
    const holders = standing.length === 0 ? [] : await conflictsOf(locks, caller, [resource], "exclusive");
    const other = holders.find(({ agent }) => agent !== caller.principal.agent);
    if (other) found.push({ path, agent: other.agent, until: other.until });
    else if (take && holders.length === 0) {
      const taken = await takeLease(locks, caller, resource, leaseSeconds);
      if (taken) found.push({ path, ...taken });
    }
  }
  return found;
}

/** Reserves a file or prolongs that; what somebody else got a moment earlier is not queued for. */
async function takeLease(
  locks: House["locks"],
  caller: Caller,
  resource: Resource,
  leaseSeconds: number,
): Promise<Omit<Reserved, "path"> | undefined> {
  const answer = await acquireLock(locks, caller, { resources: [resource], lease_seconds: leaseSeconds });
  if (answer.state === "already_held")
    await acquireLock(locks, caller, { lock_id: answer.lock_id!, lease_seconds: leaseSeconds });
  if (answer.state !== "queued") return undefined;
  await releaseLock(locks, caller, { ticket: answer.ticket! });
  const [holder] = answer.holders ?? [];
  return holder
    ? { agent: holder.agent, until: holder.until }
    : { agent: "somebody", until: "a moment from now" };
}

function resourceOf(path: string): Resource | undefined {
  try {
    return parseResource(path);
  } catch (error) {
    if (isRefusal(error, "lock.resource_invalid")) return undefined;
    throw error;
  }
}

const away = Symbol("the store is away");
const stopped = Symbol("the asker was stopped");

/** What the store says, or that it is away. */
async function asked<T>(config: Config, ask: (house: House) => Promise<T>): Promise<T | typeof away> {
  const { openHouse } = await import("../compose.js");
  try {
    const house = await openHouse(config, await loadLog("silent"), { callTimeoutMs });
    try {
      return await ask(house);
    } finally {
      await house.close();
    }
  } catch (error) {
    const isAway =
      (isRefusal(error) && error.code.startsWith("store.")) ||
      (error instanceof Error && error.name === "EngineError");
    if (isAway) return away;
    throw error;
  }
}

function tell({ text }: Verdict): void {
  if (text !== "") terminal().stderr.write(`${text}\n`);
}
