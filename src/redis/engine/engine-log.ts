import { appendFileSync, readFileSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";

/** Two files of this size at most: the one being written and the one before. */
const limitBytes = 512 * 1024;

export const engineLogPath = (dataDir: string): string => join(dataDir, "engine.log");

export type EngineLog = (event: string, facts?: Record<string, unknown>) => void;

/** What the engine and its supervisor did, for people, a line of JSON each. Never fails: a full disk is no reason to stop. */
export function openEngineLog(dataDir: string): EngineLog {
  const path = engineLogPath(dataDir);
  return (event, facts = {}) => {
    try {
      const line = JSON.stringify({ time: new Date().toISOString(), pid: process.pid, event, ...facts });
      if (sizeOf(path) + line.length >= limitBytes) renameSync(path, `${path}.1`);
      appendFileSync(path, `${line}\n`, { mode: 0o600 });
    } catch {
      // There is nowhere to say it.
    }
  };
}

/** The last lines, for a message about an engine that did not start. */
export function tailOfEngineLog(dataDir: string, lines = 5): string {
  try {
    return readFileSync(engineLogPath(dataDir), "utf8").trimEnd().split("\n").slice(-lines).join("\n");
  } catch {
    return "";
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
