import { afterAll, beforeAll, expect, it } from "vitest";
import { runTwice } from "../state/run-twice.js";
import { describeOnEachStore } from "../stores/index.js";
import { type Clock, checks } from "./policy-checks.js";
import { moveTime, PolicyDesk } from "./policy-desk.js";

/** Noon of some day: a check that moves the time says how far. */
const noon = Date.UTC(2026, 5, 15, 12);

function clockOf(desk: PolicyDesk, move: ReturnType<typeof moveTime>): Clock {
  let now = noon;
  desk.store.now = () => now;
  const to = async (ms: number): Promise<void> => {
    now = ms;
    await move(desk.namespace, ms);
  };
  return {
    get now() {
      return now;
    },
    to,
    by: (ms) => to(now + ms),
  };
}

describeOnEachStore("policy", (store) => {
  let desk: PolicyDesk;
  let move: ReturnType<typeof moveTime>;
  let twice: PolicyDesk;
  let moveTwice: ReturnType<typeof moveTime>;
  let runs: () => number;
  beforeAll(async () => {
    desk = await PolicyDesk.open(store().url, "version: 1");
    move = moveTime(desk.store);
    twice = await PolicyDesk.open(store().url, "version: 1");
    runs = runTwice(twice.store);
    moveTwice = moveTime(twice.store);
  });
  afterAll(() => {
    desk.close();
    twice.close();
  });

  it.each(checks)("$what", async ({ rules, limits = {}, holds }) => {
    const own = desk.other(rules, limits);
    const clock = clockOf(own, move);
    await clock.to(noon);
    await holds(own, clock);
  });

  it.each(checks.filter(({ once }) => !once))(
    "each script run twice: $what",
    async ({ rules, limits = {}, holds }) => {
      const before = runs();
      const own = twice.other(rules, limits);
      const clock = clockOf(own, moveTwice);
      await clock.to(noon);
      await holds(own, clock);
      expect(runs() - before).toBeGreaterThan(0);
    },
  );
});
