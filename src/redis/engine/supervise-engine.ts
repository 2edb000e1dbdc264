import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Claim, tryClaim } from "./claim.js";
import { EngineError } from "./engine-error.js";
import { type EngineLog, openEngineLog } from "./engine-log.js";
import {
  type EngineChoice,
  type EnginePlan,
  labelOf,
  planEngine,
  recordOf,
  writeRecord,
} from "./engine-record.js";
import { ping } from "./ping.js";
import type { RunningServer } from "./redis-server.js";
import { ownDirectory, socketPathFor } from "./socket-path.js";

export interface SuperviseOptions {
  readonly dataDir: string;
  readonly engine: EngineChoice;
  /** The engine is stopped when nobody has been connected for this long. */
  readonly idleMs: number;
}

/** What a supervisor's claim says to those who want the engine. */
export interface SupervisedFacts {
  readonly kind: "embedded" | "redis-server";
  readonly label: string;
  readonly socketPath: string;
}

export const supervisorClaimPath = (dataDir: string): string => join(dataDir, "supervisor.lock");

const refreshClaimMs = 10_000;
/** A server that ends this often within this time is not started again. */
const restartLimit = 5;
const restartWindowMs = 10_000;

/** The engine, as its supervisor sees it. */
interface Served {
  connections(): Promise<number>;
  /** resolves when the engine has ended by itself */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

/**
 * Owns the engine of a data directory until nobody needs it: the whole life of a supervisor process.
 *
 * Returns at once when a living supervisor has the directory. Otherwise starts the engine, or adopts the server that
 * outlived its supervisor, and returns when it has been idle long enough or was told to end, with socket and claim
 * taken away.
 *
 * It sets the umask and the signal handlers of its process, which has no other work.
 *
 * @throws {EngineError} when no engine could be started; the directory's `engine.log` says it too
 */
export async function superviseEngine(options: SuperviseOptions): Promise<void> {
  process.umask(0o077); // what the engine writes is its owner's alone, whatever the directory lets others do
  ownDirectory(options.dataDir);
  const log = openEngineLog(options.dataDir);
  const plan = planEngine(options.dataDir, options.engine);
  const facts: SupervisedFacts = {
    kind: plan.kind,
    label: labelOf(recordOf(plan)) + (plan.kind === "redis-server" ? ` (${plan.server.path})` : ""),
    socketPath: socketPathFor(options.dataDir),
  };
  const claim = await claimDirectory(options.dataDir, facts);
  if (!claim) return;
  const told = untilTold();
  try {
    writeRecord(options.dataDir, recordOf(plan));
    await keepServing(options, plan, facts, claim, told, log);
  } catch (error) {
    log("the engine could not be kept running", { error: (error as Error).message });
    throw error;
  } finally {
    claim.release();
  }
}

/** Waits out a supervisor that is just ending: it holds its claim until everything else is gone. */
async function claimDirectory(dataDir: string, facts: SupervisedFacts): Promise<Claim | undefined> {
  for (;;) {
    const claim = tryClaim(supervisorClaimPath(dataDir), facts);
    if (claim) return claim;
    if ((await ping(facts.socketPath)) !== "absent") return undefined;
    await delay(25);
  }
}

async function keepServing(
  options: SuperviseOptions,
  plan: EnginePlan,
  facts: SupervisedFacts,
  claim: Claim,
  told: Promise<void>,
  log: EngineLog,
): Promise<void> {
  const startedAt: number[] = [];
  for (;;) {
    startedAt.push(Date.now());
    const recent = startedAt.filter((at) => at > Date.now() - restartWindowMs);
    if (recent.length > restartLimit) throw new EngineError("the engine ends again and again; see redis.log");
    const served =
      plan.kind === "embedded"
        ? await serveHere(options, facts, log)
        : await serveByServer(options, plan, facts, log);
    const reason = await Promise.race([
      untilIdle(served, options.idleMs, claim),
      told.then(() => "told to end" as const),
      served.ended.then(() => "ended" as const),
    ]);
    if (reason !== "ended") {
      log(`stopping the engine: ${reason}`);
      await served.stop();
      if (facts.kind === "embedded" && process.platform !== "win32")
        rmSync(facts.socketPath, { force: true });
      log("stopped");
      return;
    }
    log("the engine ended unexpectedly; starting it again");
  }
}

async function serveHere(options: SuperviseOptions, facts: SupervisedFacts, log: EngineLog): Promise<Served> {
  const { serveEmbedded } = await import("./embedded/index.js");
  if ((await ping(facts.socketPath)) !== "absent") {
    throw new EngineError(
      `something else answers on ${facts.socketPath}; end it, or use another data directory`,
    );
  }
  if (process.platform !== "win32") rmSync(facts.socketPath, { force: true });
  const engine = await serveEmbedded({
    dataDir: options.dataDir,
    socketPath: facts.socketPath,
    log,
    onFatal: (error) => {
      log("nothing more can be made durable here; ending, to start again from what is", {
        error: error.message,
      });
      process.exit(1); // the claim of a dead process is nobody's: the next client brings the engine back
    },
  });
  log("serving", { engine: facts.label, socket: facts.socketPath });
  return {
    connections: async () => engine.connections,
    ended: new Promise(() => {}),
    stop: () => engine.close(),
  };
}

async function serveByServer(
  options: SuperviseOptions,
  plan: Extract<EnginePlan, { kind: "redis-server" }>,
  facts: SupervisedFacts,
  log: EngineLog,
): Promise<Served> {
  const { runServer, stopServer } = await import("./redis-server.js");
  const server: RunningServer = await runServer(options.dataDir, facts.socketPath, plan.server);
  log(server.adopted ? "adopted the running server" : "serving", {
    engine: facts.label,
    socket: facts.socketPath,
    server: server.pid,
  });
  return {
    connections: async () => (await server.connection.others()) ?? 1,
    ended: server.connection.lost,
    stop: () => stopServer(server, options.dataDir, facts.socketPath),
  };
}

/** Looks now and then whether anyone is connected; ends also when the data directory was taken away. */
async function untilIdle(served: Served, idleMs: number, claim: Claim): Promise<string> {
  const everyMs = Math.max(20, Math.min(1_000, idleMs / 4));
  let ended = false;
  void served.ended.then(() => {
    ended = true;
  });
  let busyAt = Date.now();
  let refreshedAt = Date.now();
  while (!ended) {
    await delay(everyMs);
    if ((await served.connections()) > 0) busyAt = Date.now();
    if (Date.now() - busyAt >= idleMs) return `nobody was connected for ${idleMs} ms`;
    if (!claim.holds()) return "the data directory is no longer ours";
    if (Date.now() - refreshedAt > refreshClaimMs) {
      refreshedAt = Date.now();
      claim.refresh();
    }
  }
  return "ended";
}

function untilTold(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
    process.on("SIGHUP", () => {}); // the terminal it was started from may go
  });
}
