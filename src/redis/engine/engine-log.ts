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

/** How long the log is now, to quote later only what was added since. */
export function engineLogSize(dataDir: string): number {
  return sizeOf(engineLogPath(dataDir));
}

/** What went wrong, as the log tells it from there on: its entries that name an error, or else its last lines. */
export function quoteEngineLog(dataDir: string, from: number): string {
  let added: string[];
  try {
    added = readFileSync(engineLogPath(dataDir)).subarray(from).toString().trimEnd().split("\n");
  } catch {
    return "";
  }
  const errors = added.flatMap((line) => {
    try {
      const { event, error } = JSON.parse(line) as { event: string; error?: string };
      return error === undefined ? [] : [`${event}: ${error}`];
    } catch {
      return [];
    }
  });
  return (errors.length > 0 ? errors : added).slice(-5).join("\n");
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
