import { type ChildProcess, spawnSync } from "node:child_process";
import { join } from "node:path";
import { mendAppendFile } from "../../src/redis/engine/append-file.js";
import { launchUntil, type Medium, storeOfProcess, type TestStore } from "./test-store.js";

let found: boolean | undefined;

export function hasRedisServer(): boolean {
  found ??= spawnSync("redis-server", ["--version"]).status === 0;
  return found;
}

/** What a redis-server says once it serves. */
export const accepting = /ready to accept connections/i;

/** The settings the product gives a server it starts, apart from where it listens. */
export function durable(dataDir: string): string[] {
  return ["--dir", dataDir, "--appendonly", "yes", "--appendfsync", "always", "--save", ""];
}

/** Starts it as the product does, also after it was killed within a write. */
export function launchDurable(dataDir: string, args: readonly string[]): Promise<ChildProcess> {
  mendAppendFile(dataDir);
  return launchUntil(accepting, "redis-server", args);
}

/** A redis-server with fsync before each answer, on a unix socket. */
export function startRedisServer(medium: Medium = "memory"): Promise<TestStore> {
  return storeOfProcess(
    "redis-server",
    async (dataDir) => {
      const socketPath = join(dataDir, "engine.sock");
      const args = ["--port", "0", "--unixsocket", socketPath, "--loglevel", "notice", ...durable(dataDir)];
      return { url: `unix://${socketPath}`, launch: () => launchDurable(dataDir, args) };
    },
    medium,
  );
}
