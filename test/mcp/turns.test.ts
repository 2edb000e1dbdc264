import { describe, expect, it } from "vitest";
import { Turns } from "../../src/mcp/turns.js";

describe("work that comes for many at once", () => {
  it("is begun at once, done whole and in order, and other things come in between", async () => {
    const turns = new Turns();
    const done: number[] = [];
    for (let n = 0; n < 500; n++) turns.do(() => done.push(n));
    const atOnce = done.length;
    expect(atOnce).toBeGreaterThan(0);
    expect(atOnce).toBeLessThanOrEqual(50);
    let others = 0;
    while (done.length < 500) {
      await new Promise((resolve) => setImmediate(resolve));
      others += 1;
      expect(done.length).toBeLessThanOrEqual(atOnce + 50 * (others + 1));
    }
    expect(others).toBeGreaterThanOrEqual(8);
    expect(done).toEqual(Array.from({ length: 500 }, (_, n) => n));
  });

  it("is done at once again when there was a pause", async () => {
    const turns = new Turns();
    for (let round = 0; round < 3; round++) {
      let done = 0;
      for (let n = 0; n < 50; n++) turns.do(() => done++);
      expect(done).toBe(50);
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    }
  });
});
