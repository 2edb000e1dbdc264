import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isNoticed, type Look, noticedBy, survivorsOf, told } from "../model/hunt.js";
import { infect } from "../model/mutants.js";
import { startStore, type TestStore } from "../stores/index.js";
import { runTwice } from "./run-twice.js";
import { checks, repeatable } from "./state-checks.js";
import { StateDesk } from "./state-desk.js";
import { StateModel, step } from "./state-model.js";
import { stateMutants } from "./state-mutants.js";

describe("the tests of shared state", () => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startStore("redis-server");
  });
  afterAll(() => store.stop());

  const look = (what: string, twice: boolean, act: (desk: StateDesk) => Promise<unknown>): Look => ({
    what,
    at: async (mutant) => {
      const desk = await StateDesk.open(store.url);
      try {
        const sickness = infect(desk.store, mutant);
        if (twice) runTwice(desk.store);
        return { noticed: await isNoticed(() => act(desk)), used: sickness.applied() };
      } finally {
        desk.close();
      }
    },
  });
  const looks: readonly Look[] = [
    ...checks.map(({ what, limits = {}, holds }) => look(what, false, (desk) => holds(desk.other(limits)))),
    ...repeatable.map(({ what, limits = {}, holds }) =>
      look(`${what}, each script run twice`, true, (desk) => holds(desk.other(limits))),
    ),
    {
      isLong: true,
      ...look("the model", false, (desk) =>
        fc.assert(
          fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 40 }), (steps) =>
            new StateModel(3).follow(desk.other({ versions: 3, pageEntries: 2 }), steps),
          ),
          { numRuns: 8, seed: 20_261_125, endOnFailure: true },
        ),
      ),
    },
  ];

  it("find nothing wrong with the scripts as they are", { timeout: 120_000 }, async () => {
    expect(await noticedBy(undefined, looks)).toBeUndefined();
  });

  it("catch at least nine of ten scripts that were broken on purpose", { timeout: 900_000 }, async () => {
    const survivors = await survivorsOf(stateMutants, looks);
    process.stderr.write(told("broken scripts", stateMutants, survivors));
    expect(stateMutants.length).toBeGreaterThan(40);
    expect(survivors.length).toBeLessThanOrEqual(stateMutants.length / 10);
  });
});
