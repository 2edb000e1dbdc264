import { randomFillSync } from "node:crypto";

const letters = Buffer.from("0123456789abcdefghijklmnopqrstuv");
const pool = Buffer.allocUnsafeSlow(4_096);
let used = pool.length;

/**
 * Letters and digits with five random bits each, for ids that nobody may guess. Drawn many at a time: asking the system for
 * a few costs more than most of what an id is for.
 */
export function randomLetters(count: number): string {
  if (used + count > pool.length) refill();
  used += count;
  return pool.toString("latin1", used - count, used);
}

function refill(): void {
  randomFillSync(pool);
  for (let n = 0; n < pool.length; n++) pool[n] = letters[pool[n]! % letters.length]!;
  used = 0;
}
