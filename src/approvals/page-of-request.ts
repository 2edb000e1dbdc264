import { visible } from "../addresses/index.js";
import type { Approval } from "./contract.js";
import { approvalLines } from "./notice-text.js";

/** Characters of a request that fit, as they are shown, into one reply, mail or form. */
export const pageChars = 8_000;

/** A part of a request in words; offsets are characters of all of it. */
export interface PageOfRequest {
  readonly offset: number;
  readonly end: number;
  readonly length: number;
}

/** All of a request in the words in which it is shown. They stay the same as long as it is kept. */
export function requestText(approval: Approval): string {
  return approvalLines(approval).join("\n");
}

/** Whether all of it is shown at once. */
export function fitsOnePage(approval: Approval): boolean {
  return sizeShown(requestText(approval)) <= pageChars;
}

/** The longest part from an offset on that is shown at once. */
export function pageOfRequest(approval: Approval, offset = 0): PageOfRequest {
  const text = requestText(approval);
  const from = Math.min(offset, text.length);
  let fits = from;
  let tooFar = Math.min(text.length, from + pageChars) + 1;
  while (tooFar - fits > 1) {
    const middle = (fits + tooFar) >> 1;
    if (sizeShown(text.slice(from, middle)) <= pageChars) fits = middle;
    else tooFar = middle;
  }
  // Half of a character takes more room than the whole, so that no page ends there.
  return { offset: from, end: fits, length: text.length };
}

function sizeShown(text: string): number {
  return visible(text, "\n\t").length;
}
