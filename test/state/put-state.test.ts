import { afterAll, beforeAll, expect, it } from "vitest";
import { describeOnEachStore } from "../stores/index.js";
import { runTwice } from "./run-twice.js";
import { checks, repeatable } from "./state-checks.js";
import { StateDesk } from "./state-desk.js";

describeOnEachStore("shared state", (store) => {
  let desk: StateDesk;
  beforeAll(async () => {
    desk = await StateDesk.open(store().url);
  });
  afterAll(() => desk.close());

  it.each(checks)("$what", async ({ limits = {}, holds }) => {
    await holds(desk.other(limits));
  });

  it.each(repeatable)("each script run twice: $what", async ({ limits = {}, holds }) => {
    const twice = await StateDesk.open(store().url, limits);
    const runs = runTwice(twice.store);
    try {
      await holds(twice);
      expect(runs()).toBeGreaterThan(0);
    } finally {
      twice.close();
    }
  });
});
