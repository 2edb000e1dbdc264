import { loadCompiler } from "../policy/index.js";

/** Later than a client asks for its first list of tools, and soon enough that hardly anybody replaces a program by then. */
const afterMs = 1_500;

/**
 * Loads what a server needs at its first decision and has not loaded to start. Who replaces the program while servers
 * run takes its files away from them, and they go on with what they have.
 *
 * @param onFailure told why it could not be loaded; the first decision tries again
 */
export function loadSoon(onFailure: (error: unknown) => void): void {
  setTimeout(() => loadCompiler().catch(onFailure), afterMs).unref();
}
