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

/** What a command understands that can ask a server instead of opening a store. */
export interface ServerSwitches {
  readonly server?: string;
  readonly plainHttp?: boolean;
}

export function serverSettingsOf({ server, plainHttp }: ServerSwitches): Flags {
  return { ...(server === undefined ? {} : { server }), ...(plainHttp ? { plainHttp: "1" } : {}) };
}
