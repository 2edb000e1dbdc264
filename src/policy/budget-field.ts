import type { LimitState } from "./contract.js";
import type { Counter, Limit } from "./decision.js";
import { fromMillionths } from "./millionths.js";

/** Where a limit is kept, but for the begin of the window, which the store's clock says. */
export function limitField({ of, id, subject, windowMs }: Limit): string {
  return `l|${of}|${id}|${encoded(subject)}|${windowMs}`;
}

export function counterField({ name, subject, windowMs }: Counter): string {
  return `n|${name}|${encoded(subject)}|${windowMs}`;
}

/** The window in which an instant falls: the key of its count in the store, and when it ends, ms. */
export function windowAt(
  field: string,
  windowMs: number,
  nowMs: number,
): { readonly key: string; readonly endsAt: number } {
  const begin = Math.floor(nowMs / windowMs) * windowMs;
  return { key: `${field}|${begin}`, endsAt: begin + windowMs };
}

/** What a field of a limit and its numbers tell. */
export function limitState(
  field: string,
  [used, held, most, endsAt]: readonly [used: number, held: number, most: number, endsAt: number],
): LimitState {
  const [, of, id, subject] = field.split("|") as [string, string, string, string];
  const shown = of === "cost" ? fromMillionths : (calls: number): number => calls;
  return {
    id,
    of: of as Limit["of"],
    subject: subject.includes("%") ? decodeURIComponent(subject) : subject,
    used: shown(used),
    held: shown(held),
    most: shown(most),
    left: shown(Math.max(most - used - held, 0)),
    window_ends_at: new Date(endsAt).toISOString(),
  };
}

/** Fields are words between bars; those of the rule set's author are plain, and a team may be called anything. */
function encoded(subject: string): string {
  return subject.replace(/[%|\s,]/g, encodeURIComponent);
}
