import { type ChildProcess, spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { mendAppendFile } from "./append-file.js";
import { EngineError } from "./engine-error.js";
import { ping } from "./ping.js";
import type { ServerBinary } from "./server-binary.js";
import { connectServer, type ServerConnection } from "./server-connection.js";

const startWithinMs = 60_000;
const stopWithinMs = 10_000;
const isServer = /(redis|valkey)-server/;
const logLimitBytes = 1024 * 1024;

/** A redis-server of this data directory that answers, started by us or found running. */
export interface RunningServer {
  readonly pid: number;
  readonly adopted: boolean;
  readonly connection: ServerConnection;
}

/**
 * The one server of this data directory: the running one if there is one, else a new one.
 *
 * Two servers on one socket would both append to one file, so a server that runs without being reachable is stopped
 * first. The caller holds the supervisor's claim.
 */
export async function runServer(
  dataDir: string,
  socketPath: string,
  binary: ServerBinary,
): Promise<RunningServer> {
  const pulse = await settle(socketPath);
  if (pulse === "pong") {
    const connection = await connectServer(socketPath);
    return { pid: await connection.serverPid(), adopted: true, connection };
  }
  await stopUnreachable(dataDir, socketPath);
  rmSync(socketPath, { force: true });
  mendAppendFile(dataDir);
  const config = writeConfig(dataDir, socketPath, binary);
  const child = spawnServer(dataDir, binary, config);
  try {
    await untilReady(child, socketPath, dataDir);
    return { pid: child.pid!, adopted: false, connection: await connectServer(socketPath) };
  } catch (error) {
    child.kill("SIGKILL"); // nobody would find it again
    throw error;
  }
}

/** Has the server end, and returns when it has. What it acknowledged is on disk at any moment, so it may also be killed. */
export async function stopServer(server: RunningServer, dataDir: string, socketPath: string): Promise<void> {
  const ended = await Promise.race([
    server.connection.shutdown(),
    delay(stopWithinMs, false, { ref: false }),
  ]);
  server.connection.close();
  if (!ended && isAlive(server.pid)) process.kill(server.pid, "SIGKILL");
  await untilGone(server.pid);
  rmSync(socketPath, { force: true });
  rmSync(pidPath(dataDir), { force: true });
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return readStat(pid)?.startsWith("Z") !== true;
  } catch {
    return false;
  }
}

const configPath = (dataDir: string): string => join(dataDir, "redis.conf");
const serverLogPath = (dataDir: string): string => join(dataDir, "redis.log");
const pidPath = (dataDir: string): string => join(dataDir, "engine.pid");

function writeConfig(dataDir: string, socketPath: string, { version }: ServerBinary): string {
  const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`;
  const lines = [
    "port 0",
    `unixsocket ${quoted(socketPath)}`,
    "unixsocketperm 700",
    `dir ${quoted(dataDir)}`,
    `pidfile ${quoted(pidPath(dataDir))}`,
    "daemonize no",
    "loglevel notice",
    "appendonly yes",
    "appendfsync always",
    // Since 7.0 the file has parts, of which mendAppendFile cuts the last one where it has to be cut.
    `aof-load-truncated ${Number.parseInt(version, 10) >= 7 ? "no" : "yes"}`,
    "aof-use-rdb-preamble yes",
    'save ""',
    "maxmemory-policy noeviction",
  ];
  writeFileSync(configPath(dataDir), `${lines.join("\n")}\n`, { mode: 0o600 });
  return configPath(dataDir);
}

function spawnServer(dataDir: string, binary: ServerBinary, config: string): ChildProcess {
  const log = serverLogPath(dataDir);
  if ((statSync(log, { throwIfNoEntry: false })?.size ?? 0) > logLimitBytes) truncateSync(log);
  const output = openSync(log, "a", 0o600);
  const child = spawn(binary.path, [config], {
    cwd: dataDir,
    detached: true, // it outlives a supervisor that is killed, and is adopted by the next
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  child.on("error", () => {}); // seen by untilReady as an exit
  child.unref();
  return child;
}

async function untilReady(child: ChildProcess, socketPath: string, dataDir: string): Promise<void> {
  const until = Date.now() + startWithinMs;
  for (;;) {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
      throw new EngineError(`the server did not start; its log ends with:\n${tail(serverLogPath(dataDir))}`);
    }
    if ((await ping(socketPath)) === "pong") return;
    if (!existsSync(configPath(dataDir))) throw new EngineError(`${dataDir} was taken away`);
    if (Date.now() > until)
      throw new EngineError(`the server was not ready within ${startWithinMs / 1000} s`);
    await delay(10);
  }
}

/** Whether anyone serves this socket, once a server that is loading or busy has made up its mind. */
async function settle(socketPath: string): Promise<"pong" | "absent"> {
  const until = Date.now() + startWithinMs;
  for (;;) {
    const pulse = await ping(socketPath);
    if (pulse === "pong" || pulse === "absent") return pulse;
    if (Date.now() > until) throw new EngineError(`something listens on ${socketPath} and does not answer`);
    await delay(100);
  }
}

/** A server whose socket file was taken away still appends to the files of this directory. */
async function stopUnreachable(dataDir: string, socketPath: string): Promise<void> {
  let pid: number;
  try {
    pid = Number(readFileSync(pidPath(dataDir), "utf8"));
  } catch {
    return;
  }
  if (!pid || !isAlive(pid) || !looksLikeOurs(pid, dataDir, socketPath)) return;
  process.kill(pid, "SIGTERM");
  await untilGone(pid);
}

/** The number in the pid file may by now be another process's; a server of ours works in this directory. */
function looksLikeOurs(pid: number, dataDir: string, socketPath: string): boolean {
  let command: string;
  try {
    command = readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    const { spawnSync } = process.getBuiltinModule("node:child_process");
    command = spawnSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "latin1" }).stdout ?? "";
  }
  try {
    if (readlinkSync(`/proc/${pid}/cwd`) === realpathSync(dataDir)) return isServer.test(command);
  } catch {
    // No /proc, so by its title: its socket once it listens, its configuration file before that.
  }
  return isServer.test(command) && [configPath(dataDir), socketPath].some((path) => command.includes(path));
}

async function untilGone(pid: number): Promise<void> {
  for (const until = Date.now() + startWithinMs; isAlive(pid); await delay(10)) {
    if (Date.now() > until) throw new EngineError(`process ${pid} does not end`);
  }
}

function readStat(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2);
  } catch {
    return undefined;
  }
}

function tail(path: string): string {
  try {
    return readFileSync(path, "utf8").trimEnd().split("\n").slice(-5).join("\n");
  } catch {
    return "(no log)";
  }
}
