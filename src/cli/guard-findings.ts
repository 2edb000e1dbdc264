import type { House } from "../compose.js";
import type { Config } from "../config/index.js";
import { isRefusal, type MailboxError } from "../errors/index.js";
import type { RunId } from "../identity/index.js";
import { type GuardFiles, type GuardStop, guardFiles, guardRun, releaseRun } from "../locks/index.js";
import { guardAtServer, type ServerGuard } from "../mcp/index.js";
import { loadLog } from "../observability/index.js";
import { type Findings, nothingFound } from "./guard-verdict.js";
import { ServerRefused } from "./server-refused.js";
import { terminal } from "./terminal.js";
import { packageVersion } from "./version.js";

/** A person or a model waits for a hook: a store that does not answer by then is away. */
const callTimeoutMs = 2_000;

/** A server may itself wait for its store, and an engine of this machine has perhaps to start. */
const serverMs = 7_000;
const engineTimeoutMs = 7_000;

/** Files of one question, and how long their names may be together: a server reads no more than that at once. */
const mostFiles = 500;
const mostLetters = 100_000;

export type GuardConfig = Config & { readonly agent: string };

/** Whom a guard asks, and how: the store of this machine, or the server that owns another one. */
interface Question {
  readonly config: GuardConfig;
  /** What is asked of files: none have more than that in one question. */
  readonly files: readonly string[];
  readonly take?: NonNullable<GuardFiles["take"]>;
  readonly tokens?: NonNullable<GuardFiles["tokens"]>;
}

/**
 * What a store or a server that can be reached refuses is told by its words, and so is whatever else goes wrong, because a
 * hook that ends with an error lets its call pass.
 *
 * @throws what is set wrongly, so that no store can ever be asked: it ends with status 2, which lets none pass
 */
export async function findOut(find: () => Promise<Findings>): Promise<Findings> {
  try {
    return await find();
  } catch (error) {
    if (isSetWrongly(error)) throw error;
    return notFound(error);
  }
}

/** What is known of files where they are locked. */
export async function findingsOf(question: Question): Promise<Findings> {
  const { config, files, take, tokens } = question;
  if (files.length === 0) return nothingFound;
  // Where nothing was ever stored nobody can have reserved anything, and no engine has to be started to see that.
  if (take === undefined && tokens === undefined && (await isEmpty(config))) return nothingFound;
  return config.server === undefined ? findingsHere(question) : findingsThere(question, config.server);
}

/** Gives back what was taken for a session; false where nobody could be asked. */
export async function giveBack(config: GuardConfig, session: string): Promise<boolean> {
  if (await isEmpty(config)) return true;
  try {
    if (config.server !== undefined) await askServer(config, config.server, { stop: { session } });
    else
      await withGuardHouse(config, async (house) => {
        await releaseRun(house.locks, config.namespace, guardRun(config.agent, session), true);
      });
    return true;
  } catch (error) {
    if (isAway(error)) return false;
    throw error;
  }
}

async function isEmpty(config: GuardConfig): Promise<boolean> {
  if (config.server !== undefined) return false;
  const { holdsStore } = await import("./with-house.js");
  return !holdsStore(config);
}

async function findingsHere({ config, files, take, tokens }: Question): Promise<Findings> {
  const { onlookerOf } = await import("./with-house.js");
  const { principal } = onlookerOf(config, config.agent);
  const caller = { principal, run: { id: guardRun(config.agent, take?.session ?? "") } };
  return withGuardHouse(config, async (house) => {
    const { stopped } = await house.access.rules(config.namespace);
    if (stopped.has(config.agent)) return { ...nothingFound, stopped: config.agent };
    // Without a run: an agent that was never here has no mailbox to record it by.
    const onRefused = (resource: string, error: MailboxError): Promise<void> =>
      house.recorder.refused(
        { principal, run: { id: "" as RunId } },
        { action: "lock.acquire", resource },
        error,
      );
    const options = {
      onRefused,
      ...(tokens && { tokens }),
      ...(take && { takeSeconds: take.lease_seconds }),
    };
    return guardFiles(house.locks, caller, files, options);
  });
}

async function withGuardHouse<T>(config: GuardConfig, work: (house: House) => Promise<T>): Promise<T> {
  const { openHouse } = await import("../compose.js");
  const house = await openHouse(config, await loadLog("silent"), { callTimeoutMs, engineTimeoutMs });
  try {
    return await work(house);
  } finally {
    await house.close();
  }
}

async function findingsThere({ config, files, take, tokens }: Question, server: string): Promise<Findings> {
  let all: Findings = nothingFound;
  for (const some of portions(files)) {
    // Tokens are asked once, with the first of the files.
    const asked = all === nothingFound ? tokens : undefined;
    const found = await askServer(config, server, {
      files: some,
      ...(take && { take }),
      ...(asked && { tokens: asked }),
    });
    if ("stopped" in found) return { ...nothingFound, stopped: config.agent };
    if (asked && found.tokens !== asked.length)
      throw new ServerRefused("the server is too old to look at fencing tokens of guards", "server.refused");
    all = {
      reserved: [...all.reserved, ...found.reserved],
      wanted: [...all.wanted, ...found.wanted],
      refused: [...all.refused, ...found.refused],
      lost: [...(all.lost ?? []), ...(found.lost ?? [])],
      untold: [...all.untold, ...found.untold],
      unnameable: [...all.unnameable, ...found.unnameable],
    };
  }
  return all;
}

function portions(files: readonly string[]): string[][] {
  const all: string[][] = [[]];
  let letters = 0;
  for (const file of files) {
    letters += file.length;
    if (all.at(-1)!.length >= mostFiles || (letters > mostLetters && all.at(-1)!.length > 0)) {
      all.push([]);
      letters = file.length;
    }
    all.at(-1)!.push(file);
  }
  return all;
}

/** @throws {ServerRefused} in the words of the server, or in ours where it did not answer */
async function askServer(
  { agent, token }: GuardConfig,
  server: string,
  asked: GuardFiles | GuardStop,
): Promise<Exclude<ServerGuard, { readonly refused: string; readonly code: string }>> {
  const options = {
    ...{ url: new URL(server), agent, version: packageVersion(), quietMs: serverMs },
    ...(token === undefined ? {} : { token }),
  };
  const found = await guardAtServer(options, asked, AbortSignal.timeout(serverMs));
  if ("code" in found) throw new ServerRefused(found.refused, found.code);
  return found;
}

function notFound(error: unknown): Findings {
  if (isAway(error)) return { ...nothingFound, away: error instanceof ServerRefused ? "server" : "store" };
  // A bug shows whole to whoever looks for it, and stops the hook all the same.
  if (!isRefusal(error) && !(error instanceof ServerRefused))
    terminal().stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  return { ...nothingFound, undecided: error instanceof Error ? error.message : String(error) };
}

function isSetWrongly(error: unknown): boolean {
  return isRefusal(error, "config.invalid") || (error instanceof Error && error.name === "SetupError");
}

function isAway(error: unknown): boolean {
  if (error instanceof ServerRefused) return error.isAway || error.code === "store.outcome_unknown";
  if (isRefusal(error)) return error.code === "store.unavailable" || error.code === "store.outcome_unknown";
  return error instanceof Error && error.name === "EngineError";
}
