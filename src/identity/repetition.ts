/**
 * Looks at most once whether a call with an idempotency key was done already, where rules have something to say
 * or to count: then it gets its first answer, and nothing is done or counted.
 */
export class Repetition<Answer> {
  #found: Answer | undefined;
  #looking: Promise<void> | undefined;
  readonly #recall: () => Promise<Answer | undefined>;

  /** @param recall the first answer of the call, which must do nothing new */
  constructor(recall: () => Promise<Answer | undefined>) {
    this.#recall = recall;
  }

  /** The first answer, where one was looked for and found. */
  get answer(): Answer | undefined {
    return this.#found;
  }

  /** @throws {MailboxError} `store.*` where nobody knows */
  readonly wasDone = async (): Promise<boolean> => {
    this.#looking ??= this.#recall().then((found) => {
      this.#found = found;
    });
    await this.#looking;
    return this.#found !== undefined;
  };
}
