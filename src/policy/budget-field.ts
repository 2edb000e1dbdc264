import type { LimitState } from "./contract.js";
import type { Counter, Limit } from "./decision.js";
import { fromMillionths } from "./millionths.js";

/** Where a limit is kept, but for the begin of the window, which the store's clock says. */
export function limitField({ of, id, subject, windowMs }: Limit): string {
  return ["l", of, id, subject, windowMs].map(part).join("|");
}

export function counterField({ name, subject, windowMs }: Counter): string {
  return ["n", name, subject, windowMs].map(part).join("|");
}

/** What a field of a limit and its numbers tell. */
export function limitState(
  field: string,
  [used, held, most, endsAt]: readonly [used: number, held: number, most: number, endsAt: number],
): LimitState {
  const [, of, id, subject] = field.split("|").map(decodeURIComponent) as [string, string, string, string];
  const shown = of === "cost" ? fromMillionths : (calls: number): number => calls;
  return {
    id,
    of: of as Limit["of"],
    subject,
    used: shown(used),
    held: shown(held),
    most: shown(most),
    left: shown(Math.max(most - used - held, 0)),
    window_ends_at: new Date(endsAt).toISOString(),
  };
}

/** Fields are words between bars. */
function part(word: string | number): string {
  return String(word).replace(/[%|\s,]/g, encodeURIComponent);
}
