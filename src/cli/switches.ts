import type { Flags } from "../config/index.js";

/** What every command for people understands. */
export interface Switches extends Pick<Flags, "agent" | "dataDir" | "redisUrl" | "namespace"> {
  readonly json?: boolean;
}

/** The switches that are settings; what else a command takes may have the name of a setting by chance. */
export function settingsOf({ agent, dataDir, redisUrl, namespace }: Switches): Flags {
  return {
    ...(agent === undefined ? {} : { agent }),
    ...(dataDir === undefined ? {} : { dataDir }),
    ...(redisUrl === undefined ? {} : { redisUrl }),
    ...(namespace === undefined ? {} : { namespace }),
  };
}
