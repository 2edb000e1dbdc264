import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";

/**
 * Where a process lives, so that a neighbour on the same machine can see at once that it is gone. The start time
 * tells a process from a later one with the same id.
 */
export interface ProcessPlace {
  readonly host: string;
  readonly pid: number;
  /** In clock ticks since boot; empty where the system does not tell. */
  readonly started: string;
}

export const processId: string = randomBytes(9).toString("base64url");

let ownStart: string | undefined;

export function thisPlace(): ProcessPlace {
  ownStart ??= startTime(process.pid);
  return { host: hostId(), pid: process.pid, started: ownStart };
}

/** `undefined` when it cannot be seen from here: another machine, or another process-id namespace. */
export function isRunning(place: ProcessPlace): boolean | undefined {
  if (place.host !== hostId()) return undefined;
  try {
    process.kill(place.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  const started = startTime(place.pid);
  return started === "" || place.started === "" || started === place.started;
}

let host: string | undefined;

/** Machine, boot and process-id namespace: a container must not judge the processes of its neighbour. */
function hostId(): string {
  host ??= [hostname(), read("/proc/sys/kernel/random/boot_id"), namespaceOf()].join("/");
  return host;
}

function namespaceOf(): string {
  const line = /NSpid:.*/.exec(read("/proc/self/status"))?.[0] ?? "";
  return line.split(/\s+/).length > 2 ? line : "";
}

function startTime(pid: number): string {
  const stat = read(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(") ") + 2).split(" ")[19] ?? "";
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}
