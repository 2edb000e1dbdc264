import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { infect, type Mutant } from "../model/mutants.js";
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

  /** What notices the defect; undefined when nothing does. */
  async function noticedBy(mutant: Mutant | undefined): Promise<string | undefined> {
    let used = false;
    const tried = async (
      what: string,
      twice: boolean,
      act: (desk: StateDesk) => Promise<unknown>,
    ): Promise<string | undefined> => {
      const desk = await StateDesk.open(store.url);
      const sickness = infect(desk.store, mutant);
      if (twice) runTwice(desk.store);
      try {
        await act(desk);
        return undefined;
      } catch (error) {
        if ((error as Error).message.includes("no longer fits")) throw error;
        return what;
      } finally {
        used ||= sickness.applied();
        desk.close();
      }
    };
    const model = await tried("the model", false, (desk) =>
      fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 40 }), (steps) =>
          new StateModel(3).follow(desk.other({ versions: 3, pageEntries: 2 }), steps),
        ),
        { numRuns: 8, seed: 20_261_125, endOnFailure: true },
      ),
    );
    if (model) return model;
    for (const twice of [false, true])
      for (const { what, limits = {}, holds } of twice ? repeatable : checks) {
        const noticed = await tried(`${what}${twice ? ", each script run twice" : ""}`, twice, (desk) =>
          holds(desk.other(limits)),
        );
        if (noticed) return noticed;
      }
    if (mutant) expect(used, `${mutant.script} was never run`).toBe(true);
    return undefined;
  }

  it("find nothing wrong with the scripts as they are", { timeout: 120_000 }, async () => {
    expect(await noticedBy(undefined)).toBeUndefined();
  });

  it("catch at least nine of ten scripts that were broken on purpose", { timeout: 900_000 }, async () => {
    const survivors: string[] = [];
    for (const mutant of stateMutants)
      if ((await noticedBy(mutant)) === undefined) survivors.push(`${mutant.script} ${mutant.what}`);
    process.stderr.write(
      `${stateMutants.length - survivors.length} of ${stateMutants.length} broken scripts caught${survivors.map((one) => `\n  not caught: ${one}`).join("")}\n`,
    );
    expect(stateMutants.length).toBeGreaterThan(40);
    expect(survivors.length).toBeLessThanOrEqual(stateMutants.length / 10);
  });
});
