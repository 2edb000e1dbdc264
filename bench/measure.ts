import { readdirSync, readFileSync } from "node:fs";

/** What several rounds gave. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function spread(values: readonly number[]): Spread {
  return { median: percentile(values, 0.5), min: Math.min(...values), max: Math.max(...values) };
}

/** Runs the parts in turn, A B A B …, so that whatever else the machine does meets them alike. */
export async function inTurn(
  rounds: number,
  parts: readonly ((round: number) => Promise<void>)[],
): Promise<void> {
  for (let round = 0; round < rounds; round++) for (const part of parts) await part(round);
}

/** The values of each round divided by those of the same round of the other. */
export function ratios(of: readonly number[], to: readonly number[]): Spread {
  return spread(of.map((value, round) => value / to[round]!));
}

/** What each thread of a process had used when it was last looked at: what one used that has ended since is not lost. */
const usedBy = new Map<number, Map<string, number>>();

/** CPU time of all threads of these processes so far in microseconds, as the kernel counts it. */
export function cpuUsOf(...pids: readonly number[]): number {
  let ns = 0;
  for (const pid of pids) {
    const threads = usedBy.get(pid) ?? new Map<string, number>();
    usedBy.set(pid, threads);
    for (const thread of readdirSync(`/proc/${pid}/task`))
      try {
        const text = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1");
        threads.set(thread, Number(text.split(" ")[0]));
      } catch {
        // It has ended since the list was made.
      }
    for (const used of threads.values()) ns += used;
  }
  return ns / 1000;
}

/** Resident memory of a process, in bytes. */
export function residentBytesOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) * 1024;
}

/** Does `work` for each of 0…count-1, at most `width` at a time. */
export async function atMost(
  width: number,
  count: number,
  work: (n: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(width, count) }, async () => {
      for (let n = next++; n < count; n = next++) await work(n);
    }),
  );
}
