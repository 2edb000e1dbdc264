import type { Logger } from "pino";

/** What the house says something to; pino's loggers are ones. */
export type Log = Pick<Logger, "debug" | "info" | "warn" | "error">;

const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** As `openLog`, but where nothing is to be said nothing is loaded to say it: clients wait for their hooks. */
export async function loadLog(level: string): Promise<Log> {
  if (level === "silent") return silent;
  const { openLog } = await import("./log.js");
  return openLog(level);
}
