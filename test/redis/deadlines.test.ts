import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Deadlines } from "../../src/redis/deadlines.js";

describe("deadlines", () => {
  it("tells each wait once that its time is over, in the order of their times", async () => {
    const deadlines = new Deadlines();
    const told: string[] = [];
    const from = performance.now();
    const at: number[] = [];
    for (const [name, ms] of [
      ["late", 90],
      ["early", 30],
      ["middle", 60],
    ] as const)
      deadlines.watch(ms, () => {
        told.push(name);
        at.push(performance.now() - from);
      });
    expect(deadlines.size).toBe(3);
    await expect.poll(() => told).toEqual(["early", "middle", "late"]);
    for (const [n, ms] of [30, 60, 90].entries()) expect(at[n]).toBeGreaterThanOrEqual(ms - 1);
    await delay(40);
    expect(told).toEqual(["early", "middle", "late"]);
    expect(deadlines.size).toBe(0);
  });

  it("tells nothing to what was answered before, and still tells the others", async () => {
    const deadlines = new Deadlines();
    const told: string[] = [];
    const answered = deadlines.watch(20, () => told.push("answered"));
    deadlines.watch(50, () => told.push("kept"));
    answered();
    answered();
    expect(deadlines.size).toBe(1);
    await expect.poll(() => told).toEqual(["kept"]);
  });

  it("serves what comes after its timer went off, and what comes from within", async () => {
    const deadlines = new Deadlines();
    const told: string[] = [];
    deadlines.watch(10, () => {
      told.push("first");
      deadlines.watch(10, () => told.push("from within"));
    });
    await expect.poll(() => told).toEqual(["first", "from within"]);
    deadlines.watch(10, () => told.push("afterwards"));
    await expect.poll(() => told).toEqual(["first", "from within", "afterwards"]);
  });
});
