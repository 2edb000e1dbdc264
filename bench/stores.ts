import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { accepting, hasRedisServer } from "../test/stores/redis-server.js";
import { launchUntil, storeOfProcess } from "../test/stores/test-store.js";

export const storeNames = ["embedded", "redis everysec", "redis always"] as const;
export type StoreName = (typeof storeNames)[number];

/** An empty store of its own on a unix socket. */
export interface BenchStore {
  readonly name: StoreName;
  readonly url: string;
  readonly socketPath: string;
  readonly pid: number;
  stop(): Promise<void>;
}

export function availableStores(): readonly StoreName[] {
  if (hasRedisServer()) return storeNames;
  process.stderr.write("redis-server is not on PATH: only the embedded engine is measured\n");
  return ["embedded"];
}

const embedded = fileURLToPath(new URL("../test/stores/embedded-process.mjs", import.meta.url));

export async function startStore(name: StoreName): Promise<BenchStore> {
  let pid = 0;
  let socketPath = "";
  const store = await storeOfProcess(name === "embedded" ? "embedded" : "redis-server", async (dataDir) => {
    socketPath = join(dataDir, "engine.sock");
    const sync = name === "redis always" ? "always" : "everysec";
    const files = ["--dir", dataDir, "--appendonly", "yes", "--appendfsync", sync, "--save", ""];
    const launch = async (): Promise<ChildProcess> => {
      const child =
        name === "embedded"
          ? await launchUntil(/^ready$/m, process.execPath, [embedded, dataDir, socketPath])
          : await launchUntil(accepting, "redis-server", [
              ...["--port", "0", "--unixsocket", socketPath, "--loglevel", "notice"],
              ...files,
            ]);
      pid = child.pid!;
      return child;
    };
    return { url: `unix://${socketPath}`, launch };
  });
  return { name, url: store.url, socketPath, pid, stop: () => store.stop() };
}
