import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Claim, readClaim, tryClaim } from "./claim.js";
import { EngineError } from "./engine-error.js";
import { engineLogPath, engineLogSize, quoteEngineLog } from "./engine-log.js";
import { type EngineChoice, labelOf, planEngine, readRecord } from "./engine-record.js";
import { ping } from "./ping.js";
import { directoryError } from "./setup-error.js";
import { ownDirectory, socketPathFor } from "./socket-path.js";
import { type SupervisedFacts, supervisorClaimPath } from "./supervise-engine.js";

/** A store that answers. */
export interface Engine {
  readonly kind: "embedded" | "redis-server" | "remote";
  /** for people, such as `embedded engine` or `redis-server 7.0.15 (/usr/bin/redis-server)` */
  readonly label: string;
  readonly socketPath: string;
}

export interface EnsureOptions {
  readonly dataDir: string;
  readonly engine: EngineChoice;
  /** How long the engine stays when nobody is connected, in milliseconds; the first to start it decides. */
  readonly idleMs: number;
  /** The program that runs `superviseEngine`; `--data-dir DIR --engine E --idle-ms N` is appended. */
  readonly supervisorCommand: readonly string[];
  /** What the supervisor gets to see of our environment (all of it); it outlives us, so secrets do not belong there. */
  readonly supervisorEnvironment?: NodeJS.ProcessEnv;
  readonly log: (event: string, facts?: Record<string, unknown>) => void;
  /** How long to wait for an engine that is starting; 15,000 by default. */
  readonly timeoutMs?: number;
}

/**
 * The engine of this data directory, answering: found running, or started.
 *
 * However many processes ask at once, one engine comes of it. Recovers by itself from a killed engine, a killed
 * supervisor and what they left behind, so it is also what to call when a connection was lost.
 *
 * @throws {SetupError} when the directory cannot be used, or does not fit what was asked for
 * @throws {EngineError} when no engine answers in time
 */
export async function ensureEngine(options: EnsureOptions): Promise<Engine> {
  ownDirectory(options.dataDir);
  refuseMismatch(options);
  const until = Date.now() + (options.timeoutMs ?? 15_000);
  const logFrom = engineLogSize(options.dataDir);
  for (;;) {
    const found = await findEngine(options);
    if (found?.supervised) return found.engine;
    const lock = tryStart(options.dataDir);
    if (found) {
      // It answers, but whoever would stop it some day is gone: someone new, in the background.
      if (lock) await startSupervisor(options).finally(() => lock.release());
      return found.engine;
    }
    if (lock) {
      try {
        return await startEngine(options, until, logFrom);
      } finally {
        lock.release();
      }
    }
    if (Date.now() > until) throw noEngine(options, "no engine answered in time", logFrom);
    await delay(15 + Math.random() * 20);
  }
}

/** The right to start an engine here, unless somebody else has it just now. */
function tryStart(dataDir: string): Claim | undefined {
  try {
    return tryClaim(join(dataDir, "start.lock"));
  } catch (error) {
    throw directoryError(`${dataDir} cannot be written to`, error);
  }
}

/** One connect and one PING, and a look at the supervisor's claim. */
async function findEngine(
  options: EnsureOptions,
): Promise<{ engine: Engine; supervised: boolean } | undefined> {
  const claim = readClaim<SupervisedFacts>(supervisorClaimPath(options.dataDir));
  const socketPath = claim?.facts.socketPath ?? socketPathFor(options.dataDir);
  if ((await ping(socketPath)) !== "pong") return undefined;
  if (claim) return { engine: { ...claim.facts }, supervised: true };
  const record = readRecord(options.dataDir);
  if (!record) return undefined;
  return { engine: { kind: record.kind, label: labelOf(record), socketPath }, supervised: false };
}

/** Under the start lock. Another may have started it while we waited for the lock, or its supervisor be restarting it. */
async function startEngine(options: EnsureOptions, until: number, logFrom: number): Promise<Engine> {
  let supervisor: Started | undefined;
  for (;;) {
    const found = await findEngine(options);
    if (found?.supervised) return found.engine;
    if (!readClaim(supervisorClaimPath(options.dataDir)) && (!supervisor || supervisor.exit)) {
      if (supervisor?.exit && supervisor.exit !== "0") {
        throw noEngine(options, "the engine did not start", logFrom);
      }
      planEngine(options.dataDir, options.engine); // refuses here, where the caller hears it
      supervisor = await startSupervisor(options);
    }
    if (Date.now() > until) throw noEngine(options, "no engine answered in time", logFrom);
    await delay(10);
  }
}

interface Started {
  exit: string | undefined;
}

async function startSupervisor(options: EnsureOptions): Promise<Started> {
  const { spawn } = await import("node:child_process");
  const [command, ...args] = options.supervisorCommand;
  const output = openSync(engineLogPath(options.dataDir), "a", 0o600);
  const child = spawn(
    command!,
    [...args, "--data-dir", options.dataDir, "--engine", options.engine, "--idle-ms", String(options.idleMs)],
    {
      detached: true,
      stdio: ["ignore", output, output],
      windowsHide: true,
      env: options.supervisorEnvironment ?? process.env,
    },
  );
  closeSync(output);
  const started: Started = { exit: undefined };
  child.on("error", (error) => {
    started.exit = error.message;
  });
  child.on("exit", (code, signal) => {
    started.exit = String(code ?? signal);
  });
  child.unref();
  options.log("started a supervisor", { supervisor: child.pid, dataDir: options.dataDir });
  return started;
}

/** What the directory holds decides; asking for something else is refused even while the other runs. */
function refuseMismatch(options: EnsureOptions): void {
  const record = readRecord(options.dataDir);
  if (record && options.engine !== "auto" && options.engine !== record.kind) {
    planEngine(options.dataDir, options.engine);
  }
}

function noEngine(options: EnsureOptions, what: string, logFrom: number): EngineError {
  const said = quoteEngineLog(options.dataDir, logFrom);
  return new EngineError(`${what} (${engineLogPath(options.dataDir)})${said && `:\n${said}`}`);
}
