import { afterEach, describe, expect, it, vi } from "vitest";
import { Wake } from "../../src/redis/index.js";

describe("a call that sleeps until a hint", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it.each([
    ["back", -90_000],
    ["forward", 60_000],
  ])(
    "wakes when its time is over, also where the clock of the machine is set %s meanwhile",
    async (_, byMs) => {
      const from = performance.now();
      const told: number[] = [];
      const wake = new Wake({ until: from + 300, tell: (left) => told.push(left) });
      const sleeping = wake.sleep();
      const now = Date.now.bind(Date);
      vi.spyOn(Date, "now").mockImplementation(() => now() + byMs);
      await sleeping;
      wake.end();
      expect(performance.now() - from).toBeGreaterThanOrEqual(299);
      expect(performance.now() - from).toBeLessThan(5_000);
      expect(told).toEqual([]);
    },
  );
});
