import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { readClaim } from "./claim.js";
import { EngineError } from "./engine-error.js";
import { type EngineChoice, labelOf, planEngine, readRecord, recordOf } from "./engine-record.js";
import { type Pulse, ping } from "./ping.js";
import { socketPathFor } from "./socket-path.js";
import { type SupervisedFacts, supervisorClaimPath } from "./supervise-engine.js";

/** What can be said about a data directory and its engine without starting or changing anything. */
export interface EngineReport {
  readonly directory: "absent" | "present";
  /** Permission bits such as 0o700; undefined where there is no directory, or the system has none. */
  readonly mode?: number;
  /** False when the directory belongs to another user of this machine. */
  readonly own: boolean;
  /** Which engine wrote its files; undefined while nothing was ever stored there. */
  readonly holds?: string;
  readonly running?: { readonly label: string; readonly supervisor: number };
  readonly pulse: Pulse;
  /** What a start would use; or, in `refusal`, why there would be none. */
  readonly wouldUse?: string;
  readonly refusal?: string;
  readonly socketPath?: string;
  /** Locks left by processes that have ended; the next start takes them away. */
  readonly staleLocks: readonly string[];
}

export async function inspectEngine(dataDir: string, choice: EngineChoice): Promise<EngineReport> {
  if (!existsSync(dataDir))
    return { directory: "absent", own: true, pulse: "absent", staleLocks: [], ...plan(dataDir, choice) };
  const found = statSync(dataDir);
  const { mode, uid } = found;
  const claim = readClaim<SupervisedFacts>(supervisorClaimPath(dataDir));
  const socketPath = claim?.facts.socketPath ?? socketPathFor(dataDir);
  return {
    directory: "present",
    ...(process.getuid && found.isDirectory() ? { mode: mode & 0o777 } : {}),
    own: !process.getuid || uid === process.getuid(),
    ...held(dataDir),
    ...(claim ? { running: { label: claim.facts.label, supervisor: claim.owner.pid } } : {}),
    pulse: await ping(socketPath),
    ...plan(dataDir, choice),
    socketPath,
    staleLocks: [
      join(realpathSync(dataDir), "start.lock"),
      supervisorClaimPath(realpathSync(dataDir)),
    ].filter(isStale),
  };
}

/**
 * Whether anything was ever stored in this data directory.
 *
 * @throws {EngineError} when it cannot be looked into, or what it holds cannot be read
 */
export function holdsData(dataDir: string): boolean {
  return readRecord(dataDir) !== undefined;
}

function held(dataDir: string): { holds?: string } {
  try {
    const record = readRecord(dataDir);
    return record ? { holds: labelOf(record) } : {};
  } catch {
    return {}; // plan() says why
  }
}

function plan(dataDir: string, choice: EngineChoice): { wouldUse?: string; refusal?: string } {
  try {
    const found = planEngine(dataDir, choice);
    const label = labelOf(recordOf(found));
    return { wouldUse: found.kind === "redis-server" ? `${label} (${found.server.path})` : label };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return { refusal: error.message };
  }
}

function isStale(path: string): boolean {
  if (readClaim(path)) return false;
  try {
    readFileSync(path);
    return true;
  } catch {
    return false;
  }
}
