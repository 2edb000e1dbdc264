import { EngineError } from "./engine-error.js";

/** What the operator can do about a directory that cannot be used. */
export const nameAnother = "name a data directory of your own by --data-dir or LLM_MAILBOX_DATA_DIR";

/** What may be otherwise a moment later: a disk that is full or broken, too many files that are open. */
const passing: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT", "EIO", "EMFILE", "ENFILE"]);

/** Why no engine can be had, whenever it is tried: what was set up does not fit, and has to be changed. */
export class SetupError extends EngineError {
  override readonly name = "SetupError";
}

/** Of what kind it is that something cannot be done in a directory. */
export function directoryError(what: string, cause: unknown): EngineError {
  const { code, message } = cause as NodeJS.ErrnoException;
  return passing.has(code)
    ? new EngineError(`${what}: ${message}`)
    : new SetupError(`${what}: ${message}; ${nameAnother}`);
}
