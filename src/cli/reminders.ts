import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Config } from "../config/index.js";
import type { Reminded } from "../mcp/index.js";
import { terminal } from "./terminal.js";

/** Most sessions remembered, and how long one is after its last reminder. */
const mostFiles = 500;
const keptMs = 14 * 86_400_000;

/** A look at the mail takes less; what is older was left behind by a process that was killed. */
const lockMs = 15_000;

/**
 * What each session of a client was last reminded of, a small file for each. A file that is missing or torn counts as
 * none. Nothing in a name of a file comes from outside unhashed.
 */
export class Reminders {
  readonly #folder: string;
  readonly #file: string;

  constructor(config: Config, agent: string, session: string) {
    this.#folder = folderOf(config);
    const whose = JSON.stringify([config.server ?? config.redisUrl ?? "", config.namespace, agent, session]);
    this.#file = `${createHash("sha256").update(whose).digest("hex").slice(0, 32)}.json`;
  }

  /** Does the work unless another process does it for the same session at this moment: it tells what there is to tell. */
  async alone(work: () => Promise<void>): Promise<void> {
    const lock = this.#path(".lock");
    if (!take(lock)) return;
    try {
      await work();
    } finally {
      rmSync(lock, { force: true });
    }
  }

  last(): Reminded | undefined {
    try {
      const { unread, until } = JSON.parse(readFileSync(this.#path(), "utf8")) as Partial<Reminded>;
      return Number.isFinite(unread) && Number.isFinite(until)
        ? { unread: unread!, until: until! }
        : undefined;
    } catch {
      return undefined;
    }
  }

  /** Whole or not at all, also when the process is killed meanwhile. */
  remember(reminded: Reminded): void {
    const beside = this.#path(`.${randomBytes(4).toString("hex")}`);
    writeFileSync(beside, JSON.stringify(reminded), { mode: 0o600 });
    renameSync(beside, this.#path());
    this.#forgetOld();
  }

  #path(suffix = ""): string {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    return join(this.#folder, this.#file + suffix);
  }

  #forgetOld(): void {
    const found = readdirSync(this.#folder).flatMap((name) => {
      const path = join(this.#folder, name);
      const at = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
      return at === undefined ? [] : [{ path, at }];
    });
    found.sort((a, b) => b.at - a.at);
    const old = found.filter(({ at }, n) => n >= mostFiles || Date.now() - at > keptMs);
    for (const { path } of old) rmSync(path, { force: true });
  }
}

/** In the data directory; with a store elsewhere, where programs of this platform keep what they remember. */
function folderOf({ server, redisUrl, dataDir }: Config): string {
  if (server === undefined && redisUrl === undefined) return join(dataDir, "reminders");
  const { platform } = process;
  const { env } = terminal();
  const state =
    platform === "win32"
      ? (env.LOCALAPPDATA ?? join(homedir(), "AppData", "Local"))
      : platform === "darwin"
        ? join(homedir(), "Library", "Application Support")
        : env.XDG_STATE_HOME || join(homedir(), ".local", "state");
  return join(state, "llm-mailbox", "reminders");
}

function take(lock: string): boolean {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      closeSync(openSync(lock, "wx", 0o600));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const at = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? 0;
      if (Date.now() - at < lockMs) return false;
      rmSync(lock, { force: true });
    }
  }
  return false;
}
