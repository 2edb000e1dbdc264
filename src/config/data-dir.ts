import { homedir } from "node:os";
import { join } from "node:path";

/** Where programs of this platform keep a user's data. */
export function defaultDataDir(env: NodeJS.ProcessEnv, platform: NodeJS.Platform = process.platform): string {
  if (platform === "win32")
    return join(env.LOCALAPPDATA ?? join(homedir(), "AppData", "Local"), "llm-mailbox");
  if (platform === "darwin") return join(homedir(), "Library", "Application Support", "llm-mailbox");
  return join(env.XDG_DATA_HOME || join(homedir(), ".local", "share"), "llm-mailbox");
}
