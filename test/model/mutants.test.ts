import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { MailboxLimits } from "../../src/mailbox/index.js";
import { type MailOffice, openMail } from "../mailbox/open-mail.js";
import { startStore, type TestStore } from "../stores/index.js";
import { isNoticed, type Look, noticedBy, survivorsOf, told } from "./hunt.js";
import { checks, checkUnderRepetition, runTwice } from "./mail-checks.js";
import { follow, step } from "./mail-steps.js";
import { infect, mutants } from "./mutants.js";

const unhurried = { callsPerMinute: 1e9, sendsPerMinute: 1e9, conversationMessages: 1e9 };
/** Most defects show soon, in one of the models. */
const [few, all] = [8, 40];

describe("the tests of mail", () => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startStore("redis-server");
  });
  afterAll(() => store.stop());

  const look = (
    what: string,
    limits: Partial<MailboxLimits>,
    twice: boolean,
    act: (office: MailOffice) => Promise<void>,
  ): Look => ({
    what,
    at: async (mutant) => {
      const office = await openMail(store.url, limits);
      try {
        const sickness = infect(office.store, mutant);
        if (twice) runTwice(office);
        return { noticed: await isNoticed(() => act(office)), used: sickness.applied() };
      } finally {
        await office.close();
      }
    },
  });
  const modelled = (rounds: number, twice: boolean, job: boolean): Look => ({
    isLong: true,
    ...look(
      `${rounds} rounds of the model of a ${job ? "queue" : "mailbox"}${twice ? ", each script run twice" : ""}`,
      unhurried,
      twice,
      (office) =>
        fc.assert(
          fc.asyncProperty(fc.array(step, { minLength: 15, maxLength: 40 }), (asked) =>
            follow(office, job, asked),
          ),
          { numRuns: rounds, seed: 20_261_120, endOnFailure: true },
        ),
    ),
  });
  const repeated = checkUnderRepetition;
  const models = (rounds: number): readonly Look[] =>
    [false, true].flatMap((twice) => [modelled(rounds, twice, false), modelled(rounds, twice, true)]);
  const quick: readonly Look[] = [
    ...checks.map(({ what, limits, holds }) => look(what, limits, false, holds)),
    look(repeated.what, repeated.limits, true, repeated.holds),
  ];

  it("find nothing wrong with the scripts as they are", { timeout: 120_000 }, async () => {
    expect(await noticedBy(undefined, [...quick, ...models(all)])).toBeUndefined();
  });

  it("catch at least nine of ten scripts that were broken on purpose", { timeout: 600_000 }, async () => {
    const survivors = await survivorsOf(mutants, [...quick, ...models(few), ...models(all)]);
    process.stderr.write(told("broken scripts", mutants, survivors));
    expect(mutants.length).toBeGreaterThan(20);
    expect(survivors.length).toBeLessThanOrEqual(mutants.length / 10);
  });
});
