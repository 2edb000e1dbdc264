import { Undecidable } from "./undecidable.js";

/**
 * Stands in a question for what was too large to be asked about: no condition is decided by it, and nobody is asked to
 * approve what holds one. Its digest tells two of them apart.
 */
export class LeftOut {
  constructor(
    /** Of the whole as JSON. */
    readonly bytes: number,
    readonly digest: string,
  ) {}
}

export const leftOut = new Undecidable(
  "what it looks at is too large to be asked about",
  "Do it in smaller steps.",
);

/** How many bytes of arguments were left out of a question; 0 where it is whole. */
export function bytesLeftOut(given: unknown): number {
  if (given instanceof LeftOut) return given.bytes;
  if (typeof given !== "object" || given === null) return 0;
  return Object.values(given).reduce((sum: number, one) => sum + (one instanceof LeftOut ? one.bytes : 0), 0);
}
