import type { StateEntry } from "../state/index.js";

/** Who vouches for what: everything in this line is ours, nothing in it was written by the writer of the value. */
export function entryLine(entry: StateEntry): string {
  return [
    `${entry.key} version ${entry.version}`,
    `by ${entry.by}${entry.verified ? "" : " (unverified)"} at ${entry.at}`,
    ...(entry.expires_at ? [`expires ${entry.expires_at}`] : []),
  ].join(" · ");
}
