import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type MailOffice, openMail } from "../mailbox/open-mail.js";
import { type StoreName, startStore, type TestStore } from "../stores/index.js";
import { follow, type Step, step } from "./mail-steps.js";

const stores: readonly StoreName[] = ["redis-server", "embedded"];
const numRuns = Number(
  process.env.MAILBOX_MODEL_RUNS ?? (process.env.MAILBOX_TEST_LONG === "1" ? 3_000 : 200),
);
/** Whatever order steps come in, the counts of a minute are not what is tested here. */
const unhurried = { callsPerMinute: 1e9, sendsPerMinute: 1e9, conversationMessages: 1e9 };

/** Chance comes to it once in hundreds of runs: what was taken back is answered by who had it in a reply that never came. */
const repliedToRecalled: Step[] = [
  { do: "send", from: 1, priority: 0, ack: false, key: 0 },
  { do: "read", who: 1, limit: 1, sender: 1, least: 0, reached: false },
  { do: "read", who: 1, limit: 1, sender: 0, least: 0, reached: true },
  { do: "recall", from: 1, which: 0 },
  { do: "reply", who: 0, which: 0 },
];

describe.each(stores)("whatever is done to it (%s)", (name) => {
  let store: TestStore;
  let office: MailOffice;
  beforeAll(async () => {
    store = await startStore(name);
    office = await openMail(store.url, unhurried);
  });
  afterAll(async () => {
    await office.close();
    await store.stop();
  });

  it.each([
    ["the mailbox of an agent with two runs", false],
    ["a queue with two consumers", true],
  ])("%s does what the model says", { timeout: 3_600_000 }, async (_, job) => {
    let steps = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (asked) => {
        steps += asked.length;
        await follow(office, job, asked);
      }),
      { numRuns, examples: [[repliedToRecalled]] },
    );
    expect(steps).toBeGreaterThan(numRuns * 5);
  });
});
