/** Work that can be laid aside between its steps, each of which takes far less than a slice. */
export type Steps<Result> = Generator<void, Result, void>;

/** So long everything else waits at most. */
const sliceMs = 10;

/** Does it to the end, and nothing else meanwhile. */
export function atOnce<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Does it in slices of some 10 ms, between which the process does what else it has to. */
export async function inSlices<Result>(steps: Steps<Result>): Promise<Result> {
  let until = performance.now() + sliceMs;
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if (performance.now() < until) continue;
    await new Promise(setImmediate);
    until = performance.now() + sliceMs;
  }
}
