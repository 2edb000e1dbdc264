import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeOnEachStore } from "../stores/index.js";
import { StateDesk } from "./state-desk.js";
import { StateModel, step } from "./state-model.js";

const numRuns = Number(process.env.MAILBOX_MODEL_RUNS ?? 25);

describeOnEachStore("whatever is done to shared state", (store) => {
  let desk: StateDesk;
  beforeAll(async () => {
    desk = await StateDesk.open(store().url);
  });
  afterAll(() => desk.close());

  it("it does what the model says", { timeout: 600_000 }, async () => {
    let writes = 0;
    let conflicts = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
        const model = new StateModel(3);
        await model.follow(desk.other({ versions: 3, pageEntries: 2 }), steps);
        writes += model.writes;
        conflicts += model.conflicts;
      }),
      { numRuns },
    );
    // Random steps that never write anything would prove nothing.
    expect(writes).toBeGreaterThan(numRuns * 3);
    expect(conflicts).toBeGreaterThan(numRuns / 2);
  });
});
