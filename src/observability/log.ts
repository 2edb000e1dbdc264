import { type Logger, pino } from "pino";

export type { Logger } from "pino";

/**
 * A logger on standard error, never on standard output, which carries protocol frames. Synchronous, so that the last
 * words of a dying process are not lost.
 */
export function openLog(level: string): Logger {
  return pino({ level, base: { pid: process.pid } }, pino.destination({ fd: 2, sync: true }));
}
