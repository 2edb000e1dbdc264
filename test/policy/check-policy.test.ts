import { afterAll, beforeAll, expect, it } from "vitest";
import { runTwice } from "../state/run-twice.js";
import { describeOnEachStore } from "../stores/index.js";
import { type Clock, checks } from "./policy-checks.js";
import { moveTime, PolicyDesk } from "./policy-desk.js";

/** Noon of some day: a check that moves the time says how far. */
const noon = Date.UTC(2026, 5, 15, 12);

function clockOf(desk: PolicyDesk, move: ReturnType<typeof moveTime>): Clock {
  const to = (ms: number): void => {
    clock.now = ms;
    desk.store.now = () => ms;
    move(desk.namespace, ms);
  };
  const clock = { now: noon, to, by: (ms: number) => to(clock.now + ms) };
  to(noon);
  return clock;
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
    await holds(own, clockOf(own, move));
  });

  it.each(checks.filter(({ once }) => !once))(
    "each script run twice: $what",
    async ({ rules, limits = {}, holds }) => {
      const before = runs();
      const own = twice.other(rules, limits);
      await holds(own, clockOf(own, moveTwice));
      expect(runs() - before).toBeGreaterThan(0);
    },
  );
});
