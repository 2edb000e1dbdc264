/** A condition could not be decided, for a reason that can be told. */
export class Undecidable extends Error {
  constructor(
    /** Our words and those of the rule's author, never the caller's. */
    readonly why: string,
    readonly remedy?: string,
  ) {
    super(why);
  }
}
