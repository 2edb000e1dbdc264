import { homedir } from "node:os";
import { terminal } from "./terminal.js";

/** Where things are on this machine, so that a test can have another. */
export interface Surroundings {
  readonly home: string;
  readonly project: string;
  readonly platform: NodeJS.Platform;
  readonly env: NodeJS.ProcessEnv;
}

/** Those of the terminal: its user's home, and the folder it is in as the project. */
export function surroundings(): Surroundings {
  const { env, folder } = terminal();
  const home = process.platform === "win32" ? env.USERPROFILE : env.HOME;
  return { home: home || homedir(), project: folder, platform: process.platform, env };
}
