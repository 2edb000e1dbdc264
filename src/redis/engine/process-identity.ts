import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** Which process: a number alone is given again to another after its end. */
export interface ProcessIdentity {
  readonly pid: number;
  /** when it began, in the units of the system; null where that cannot be told */
  readonly startedAt: string | null;
  /** where its number means something: machine, boot and process namespace */
  readonly host: string;
}

export function thisProcess(procDirectory = "/proc"): ProcessIdentity {
  return { pid: process.pid, startedAt: startOf(process.pid, procDirectory), host: thisHost(procDirectory) };
}

/**
 * Whether that process still runs; `undefined` when it ran on another machine or in another container.
 *
 * Where the system does not tell when a process began, one that has the number is taken for it.
 */
export function isRunning(identity: ProcessIdentity, procDirectory = "/proc"): boolean | undefined {
  if (identity.host !== thisHost(procDirectory)) return undefined;
  try {
    process.kill(identity.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  const startedAt = startOf(identity.pid, procDirectory);
  return startedAt === null || identity.startedAt === null || startedAt === identity.startedAt;
}

/** Field 22 of `stat`; a zombie is over, whatever its number says. */
function startOf(pid: number, procDirectory: string): string | null {
  const stat = readOr(null, () => readFileSync(`${procDirectory}/${pid}/stat`, "latin1"));
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (!fields) return null;
  return fields[0] === "Z" ? "over" : (fields[19] ?? null);
}

let host: string | undefined;

function thisHost(procDirectory: string): string {
  host ??= [
    hostname(),
    readOr("", () => readFileSync(`${procDirectory}/sys/kernel/random/boot_id`, "latin1").trim()),
    readOr("", () => readlinkSync(`${procDirectory}/self/ns/pid`)),
  ].join(" ");
  return host;
}

function readOr<T>(otherwise: T, read: () => T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
