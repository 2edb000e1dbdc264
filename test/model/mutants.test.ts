import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { MailboxLimits } from "../../src/mailbox/index.js";
import { type MailOffice, openMail } from "../mailbox/open-mail.js";
import { startStore, type TestStore } from "../stores/index.js";
import { checks, checkUnderRepetition, runTwice } from "./mail-checks.js";
import { follow, step } from "./mail-steps.js";
import { infect, type Mutant, mutants } from "./mutants.js";

const unhurried = { callsPerMinute: 1e9, sendsPerMinute: 1e9, conversationMessages: 1e9 };
const rounds = 40;

describe("the tests of mail", () => {
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
      limits: Partial<MailboxLimits>,
      twice: boolean,
      act: (office: MailOffice) => Promise<void>,
    ): Promise<string | undefined> => {
      const office = await openMail(store.url, limits);
      const sickness = infect(office.store, mutant);
      if (twice) runTwice(office);
      try {
        await act(office);
        return undefined;
      } catch (error) {
        if ((error as Error).message.includes("no longer fits")) throw error;
        return what;
      } finally {
        used ||= sickness.applied();
        await office.close();
      }
    };
    for (const { what, limits, holds } of checks) {
      const noticed = await tried(what, limits, false, holds);
      if (noticed) return noticed;
    }
    const { what, limits, holds } = checkUnderRepetition;
    const noticed = await tried(what, limits, true, holds);
    if (noticed) return noticed;
    for (const twice of [false, true])
      for (const job of [false, true]) {
        const name = `the model of a ${job ? "queue" : "mailbox"}${twice ? ", each script run twice" : ""}`;
        const found = await tried(name, unhurried, twice, (office) =>
          fc.assert(
            fc.asyncProperty(fc.array(step, { minLength: 15, maxLength: 40 }), (asked) =>
              follow(office, job, asked),
            ),
            { numRuns: rounds, seed: 20_261_120, endOnFailure: true },
          ),
        );
        if (found) return found;
      }
    if (mutant) expect(used, `${mutant.script} was never run`).toBe(true);
    return undefined;
  }

  it("find nothing wrong with the scripts as they are", { timeout: 120_000 }, async () => {
    expect(await noticedBy(undefined)).toBeUndefined();
  });

  it("catch at least nine of ten scripts that were broken on purpose", { timeout: 600_000 }, async () => {
    const survivors: string[] = [];
    for (const mutant of mutants)
      if ((await noticedBy(mutant)) === undefined) survivors.push(`${mutant.script} ${mutant.what}`);
    process.stderr.write(
      `${mutants.length - survivors.length} of ${mutants.length} broken scripts caught${survivors.map((one) => `\n  not caught: ${one}`).join("")}\n`,
    );
    expect(mutants.length).toBeGreaterThan(20);
    expect(survivors.length).toBeLessThanOrEqual(mutants.length / 10);
  });
});
