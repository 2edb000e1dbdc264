import type { Counter, Limit } from "./decision.js";

/** Where a limit is kept, but for the begin of the window, which the store's clock says. */
export function limitField({ of, id, subject, windowMs }: Limit): string {
  return ["l", of, id, subject, windowMs].map(part).join("|");
}

export function counterField({ name, subject, windowMs }: Counter): string {
  return ["n", name, subject, windowMs].map(part).join("|");
}

/** Fields are words between bars. */
function part(word: string | number): string {
  return String(word).replace(/[%|\s,]/g, encodeURIComponent);
}
