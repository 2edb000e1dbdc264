import { Undecidable } from "./undecidable.js";

const tooLarge = new Undecidable(
  "what it looks at is too large to be asked about",
  "Do it in smaller steps.",
);
const tooDeep = new Undecidable(
  "what it looks at is nested too deep to be asked about",
  "Do it with what is less nested.",
);

/**
 * Stands in a question for what was too large to be asked about, or nested too deep: no condition is decided by it, and
 * nobody is asked to approve what holds one. Its digest tells two of them apart.
 */
export class LeftOut {
  readonly #isDeep: boolean;
  readonly #isBeginning: boolean;

  /**
   * @param isDeep whether it is nested too deep, and perhaps not large
   * @param isBeginning whether it is so large that the bytes and the digest are those of its beginning
   */
  constructor(
    /** Of a text, or of the whole as JSON. */
    readonly bytes: number,
    readonly digest: string,
    {
      isDeep = false,
      isBeginning = false,
    }: { readonly isDeep?: boolean; readonly isBeginning?: boolean } = {},
  ) {
    this.#isDeep = isDeep;
    this.#isBeginning = isBeginning;
  }

  get isDeep(): boolean {
    return this.#isDeep;
  }

  get isBeginning(): boolean {
    return this.#isBeginning;
  }

  /** What a condition is told that looks at it. */
  get undecidable(): Undecidable {
    return this.#isDeep ? tooDeep : tooLarge;
  }
}

/** What was left out of the arguments of a question. */
export function partsLeftOut(given: unknown): readonly LeftOut[] {
  if (given instanceof LeftOut) return [given];
  if (typeof given !== "object" || given === null) return [];
  return Object.values(given).filter((one): one is LeftOut => one instanceof LeftOut);
}
