import type { Condition } from "./condition.js";
import type { Given } from "./given.js";
import { Undecidable } from "./undecidable.js";
import type { Work } from "./work.js";

/**
 * Whether a condition that restricts holds of what is asked about, by any of the names that it may be called.
 *
 * @param isFolder whether what lies in it is meant too
 * @throws {Undecidable} where it holds of none, and cannot be decided of one
 */
export function holdsOfAny(condition: Condition, given: Given, isFolder: boolean, work: Work): boolean {
  if (!condition.looksAtResource) return condition.holds(given);
  let failure: Undecidable | undefined;
  for (const one of given.meant(isFolder, work)) {
    try {
      if (condition.holds(given, one)) return true;
    } catch (error) {
      if (!(error instanceof Undecidable)) throw error;
      failure ??= error;
    }
  }
  if (failure) throw failure;
  return false;
}
