import type { Store } from "../../src/redis/index.js";

/** One defect, put into the scripts on purpose; into every one that has the text when no script is named. */
export interface Mutant {
  readonly script: string;
  readonly what: string;
  readonly from: string;
  readonly to: string;
}

export function recordHistory(store: Store, mutant?: Mutant): { readonly applied: () => boolean };
