import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type StoreName = "embedded" | "redis-server" | "redis-cluster";

export interface TestStore {
  readonly name: StoreName;
  /** as in REDIS_URL: `unix:///…/engine.sock`, `redis+cluster://127.0.0.1:PORT` */
  readonly url: string;
  readonly dataDir: string;
  /** Ends it as `kill -9` does, and returns when it is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same data and the same address; ends it first, as `kill` does, when it runs. */
  restart(): Promise<void>;
  /** Ends it and deletes its data. */
  stop(): Promise<void>;
}

/** Where the files of a store are. */
export type Medium = "memory" | "disk";

/** Far more than a test ever stores. */
const roomBytes = 2 * 1024 ** 3;

/**
 * A file system in memory where there is a roomy one: every answer still waits until its write was synced, as on a disk,
 * but the sync costs nothing. What a killed process had written is there afterwards on either.
 */
function folderOn(medium: Medium): string {
  if (medium === "memory")
    try {
      const { bavail, bsize } = statfsSync("/dev/shm");
      accessSync("/dev/shm", constants.W_OK);
      if (bavail * bsize > roomBytes) return "/dev/shm";
    } catch {
      // There is none here.
    }
  return tmpdir();
}

/** A store that is one child process, from how it is launched. */
export async function storeOfProcess(
  name: StoreName,
  make: (dataDir: string) => Promise<{ url: string; launch: () => Promise<ChildProcess> }>,
  medium: Medium = "disk",
): Promise<TestStore> {
  const dataDir = mkdtempSync(join(folderOn(medium), "mailbox-store-"));
  const { url, launch } = await make(dataDir);
  let child: ChildProcess | undefined = await launch();
  const kill = async (): Promise<void> => {
    const ending = child;
    child = undefined;
    if (ending) await killed(ending);
  };
  return {
    name,
    url,
    dataDir,
    kill,
    restart: async () => {
      await kill();
      child = await launch();
    },
    stop: async () => {
      await kill();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts a program that ends with this process at the latest. */
export function launchChild(
  command: string,
  args: readonly string[],
  onOutput: (text: string) => void,
): ChildProcess {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
  running.add(child);
  child.once("exit", () => running.delete(child));
  child.stdout!.setEncoding("utf8").on("data", onOutput);
  child.stderr!.setEncoding("utf8").on("data", onOutput);
  return child;
}

/** Resolves when the program has said what it says when it is ready. */
export function launchUntil(ready: RegExp, command: string, args: readonly string[]): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    let output = "";
    const child = launchChild(command, args, (text) => {
      if (output.length < 100_000) output += text;
      if (ready.test(output)) resolve(child);
    });
    child.once("error", reject);
    child.once("exit", (code, signal) =>
      reject(new Error(`${command} ${args.join(" ")} ended (${code ?? signal}):\n${output}`)),
    );
  });
}

export function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGKILL");
  });
}
