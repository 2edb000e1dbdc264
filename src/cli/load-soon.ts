import type { Log } from "../observability/index.js";
import { loadCompiler } from "../policy/index.js";

/** Later than a client asks for its first list of tools, and soon enough that hardly anybody replaces a program by then. */
const afterMs = 1_500;

/**
 * Loads what a server needs at its first decision and has not loaded to start. Who replaces the program while servers
 * run takes its files away from them, and they go on with what they have. What could not be loaded is tried again then.
 */
export function loadSoon(log: Log): void {
  const tell = (err: unknown): void => log.warn({ err }, "the compiler of rules could not be loaded");
  setTimeout(() => loadCompiler().catch(tell), afterMs).unref();
}
