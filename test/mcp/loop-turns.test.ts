import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { LoopTurns } from "../../src/mcp/loop-turns.js";

function work(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe("turns of the event loop", () => {
  it("begin at once what there is time for, and the rest in the order in which it came", async () => {
    const turns = new LoopTurns();
    const done: number[] = [];
    let atOnce = 0;
    const all = Array.from({ length: 60 }, async (_, n) => {
      const wait = turns.mine();
      if (wait) await wait;
      else atOnce += 1;
      done.push(n);
      work(2);
    });
    // Not before somebody waits is anything done: each of these begins in a microtask.
    await Promise.all(all);
    expect(done).toEqual(Array.from({ length: 60 }, (_, n) => n));
    expect(atOnce).toBeGreaterThanOrEqual(1);
  });

  it("let something else come in between, however much was asked for at once", async () => {
    const turns = new LoopTurns();
    let open = 200;
    const lengths: number[] = [];
    let at = performance.now();
    const beat = (): void => {
      lengths.push(performance.now() - at);
      at = performance.now();
      if (open > 0) setImmediate(beat);
    };
    setImmediate(beat);
    const begun = performance.now();
    await Promise.all(
      Array.from({ length: 200 }, async () => {
        await delay(1);
        await turns.mine();
        work(3);
        // What it does in its microtasks counts as well.
        await Promise.resolve();
        work(2);
        open -= 1;
      }),
    );
    // A second of work: in turns of 10 ms and of the piece that was begun last.
    const beats = lengths.length;
    expect(performance.now() - begun).toBeGreaterThanOrEqual(1_000);
    expect(beats).toBeGreaterThanOrEqual(60);
  });

  it("are there again at once for whoever comes when nobody waits", async () => {
    const turns = new LoopTurns();
    for (let n = 0; n < 3; n++) {
      expect(turns.mine()).toBeUndefined();
      work(12);
      const late = turns.mine();
      expect(late).toBeInstanceOf(Promise);
      await late;
      await delay(5);
    }
  });

  it("do the work that is handed to them whole and in order", async () => {
    const turns = new LoopTurns();
    const done: number[] = [];
    for (let n = 0; n < 60; n++)
      turns.do(() => {
        done.push(n);
        work(1);
      });
    expect(done.length).toBeGreaterThan(0);
    expect(done.length).toBeLessThan(60);
    await expect.poll(() => done).toEqual(Array.from({ length: 60 }, (_, n) => n));
  });
});
