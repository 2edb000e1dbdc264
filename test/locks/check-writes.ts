import { covers, overlaps, type Resource } from "../../src/addresses/index.js";
import type { Entry, Recorded } from "./check-history.js";

/** A write that was accepted, as the store has it. */
export interface Written {
  /** Grows with every write, whatever it was of. */
  readonly version: number;
  readonly by: string;
  /** Of the store's clock, ms. */
  readonly at: number;
  readonly resource: Resource;
  readonly token: number;
}

/**
 * What is wrong in the writes that were accepted under leases, one line each: under a token that was never given, or was
 * another agent's, or for what its lease does not cover; after the end of the lease; or with an older token after a newer one
 * for the same, or for what overlaps it.
 */
export function checkWrites(history: readonly Entry[], writes: readonly Written[]): string[] {
  const leases = new Map<number, Recorded>();
  // Lock time and the store's clock go on together; what lies between them changes only where the clock is set.
  const apart: { readonly from: number; readonly ms: number }[] = [];
  for (const { what, nowMs, lockMs, request } of history) {
    if (apart.at(-1)?.ms !== lockMs - nowMs) apart.push({ from: nowMs, ms: lockMs - nowMs });
    if (what !== "put" || request!.state !== "held") continue;
    // Nothing is prolonged after its end: so the latest end counts for every write before.
    const known = leases.get(request!.token);
    if (!known || request!.due > known.due) leases.set(request!.token, request!);
  }
  const wrong: string[] = [];
  const before: Written[] = [];
  for (const write of [...writes].sort((a, b) => a.version - b.version)) {
    const say = (problem: string): void => {
      wrong.push(`${write.by} wrote ${write.resource} with ${write.token}: ${problem}`);
    };
    const lease = leases.get(write.token);
    if (!lease) say("that token was never given");
    else {
      if (!lease.run.startsWith(`${write.by}/`)) say(`it is the one of ${lease.run}`);
      if (!lease.resources.some((own) => covers(own, write.resource)))
        say(`its lease is for ${lease.resources.join(", ")}`);
      const lateMs = write.at + (apart.findLast(({ from }) => from <= write.at)?.ms ?? 0) - lease.due;
      if (lateMs >= 0) say(`its lease was over for ${lateMs} ms`);
    }
    const newer = before.find(
      ({ token, resource }) => token > write.token && overlaps(resource, write.resource),
    );
    if (newer) say(`${newer.by} had written ${newer.resource} with ${newer.token}`);
    before.push(write);
  }
  return wrong;
}
