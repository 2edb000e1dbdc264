import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findServers, type ServerBinary } from "./server-binary.js";
import { directoryError, nameAnother, SetupError } from "./setup-error.js";

/** What the operator may ask for (LLM_MAILBOX_ENGINE). */
export type EngineChoice = "auto" | "embedded" | "redis-server";

/** What wrote the files of a data directory: they are readable by that kind, and that family of servers, alone. */
export interface EngineRecord {
  readonly format: 1;
  readonly kind: "embedded" | "redis-server";
  readonly family?: "redis" | "valkey";
  readonly version?: string;
}

/** What to start: the embedded engine, or this server. */
export type EnginePlan = { kind: "embedded" } | { kind: "redis-server"; server: ServerBinary };

const recordPath = (dataDir: string): string => join(dataDir, "engine.json");

export function readRecord(dataDir: string): EngineRecord | undefined {
  let text: string;
  try {
    text = readFileSync(recordPath(dataDir), "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return recordFromFiles(dataDir);
    if (code === "ENOTDIR") throw new SetupError(`${dataDir} is not a directory; ${nameAnother}`);
    throw directoryError(`${dataDir} cannot be looked into`, error);
  }
  let record: EngineRecord;
  try {
    record = Object(JSON.parse(text)) as EngineRecord;
    if (typeof record.format !== "number") throw new TypeError("no format");
  } catch {
    throw new SetupError(`${recordPath(dataDir)} is not readable; restore it, or use another data directory`);
  }
  if (record.format !== 1) {
    throw new SetupError(
      `${dataDir} was written by a newer llm-mailbox (format ${String(record.format)}); update, or use another data directory`,
    );
  }
  return record;
}

/** Without a record (it was deleted, or lost with the power), what is there still tells whose it is. */
function recordFromFiles(dataDir: string): EngineRecord | undefined {
  if (existsSync(join(dataDir, "journal"))) return { format: 1, kind: "embedded" };
  if (existsSync(join(dataDir, "appendonlydir"))) return { format: 1, kind: "redis-server" };
  return undefined;
}

export function writeRecord(dataDir: string, record: EngineRecord): void {
  const text = `${JSON.stringify(record)}\n`;
  const draft = `${recordPath(dataDir)}.${process.pid}`;
  writeFileSync(draft, text, { mode: 0o600, flush: true });
  renameSync(draft, recordPath(dataDir));
}

export function recordOf(plan: EnginePlan): EngineRecord {
  if (plan.kind === "embedded") return { format: 1, kind: "embedded" };
  return { format: 1, kind: "redis-server", family: plan.server.family, version: plan.server.version };
}

export function labelOf(record: EngineRecord): string {
  return record.kind === "embedded"
    ? "embedded engine"
    : `${record.family === "valkey" ? "valkey-server" : "redis-server"} ${record.version ?? ""}`.trim();
}

/**
 * What to start for this data directory. A directory that has an engine keeps it.
 *
 * @throws {SetupError} when the choice or the machine does not fit what wrote its files
 */
export function planEngine(dataDir: string, choice: EngineChoice): EnginePlan {
  const record = readRecord(dataDir);
  if (record && choice !== "auto" && choice !== record.kind) {
    throw new SetupError(
      `${dataDir} holds the files of ${labelOf(record)}, and "${choice}" was asked for: ` +
        `start with LLM_MAILBOX_ENGINE=${record.kind}, or use another data directory`,
    );
  }
  const kind = record?.kind ?? choice;
  if (kind === "embedded") return { kind: "embedded" };
  const servers = findServers();
  const server = record ? servers.find((candidate) => canRead(candidate, record)) : servers[0];
  if (server) return { kind: "redis-server", server };
  if (kind === "auto") return { kind: "embedded" };
  throw new SetupError(
    record
      ? `${dataDir} holds the files of ${labelOf(record)}, and there is no server on PATH that reads them: ` +
          `install ${labelOf(record)} or newer, or use another data directory`
      : "there is no valkey-server or redis-server on PATH: install one, or start with LLM_MAILBOX_ENGINE=embedded",
  );
}

/** Servers read what older ones of their family wrote, and Valkey what Redis wrote before 7.4; nothing else. */
function canRead(server: ServerBinary, record: EngineRecord): boolean {
  const [served, written] = [ordinal(server.version), ordinal(record.version ?? "0.0")];
  if (!record.family) return true; // the record was lost: the server itself refuses what it cannot read
  if (server.family === record.family) return served >= written;
  return server.family === "valkey" && written < ordinal("7.4");
}

function ordinal(version: string): number {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major * 1000 + minor;
}
