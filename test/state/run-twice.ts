import type { Store } from "../../src/redis/index.js";

/**
 * Runs each script twice with the same arguments and gives the second answer: what a caller sees whose first answer was
 * lost. Answers how many scripts were run.
 */
export function runTwice(store: Store): () => number {
  const run = store.run.bind(store);
  let runs = 0;
  store.run = async (...call) => {
    runs++;
    await run(...call);
    return run(...call);
  };
  return () => runs;
}
