/**
 * What it may cost to read one command or patch, in steps of about a tenth of a microsecond.
 *
 * A server reads for many agents, and answers nobody meanwhile. So whatever is done with a text is paid for by the size of
 * what it is done to. Of a text for which that does not suffice nobody knows what it does.
 */
export class Reading {
  #left = mostSteps;

  /** @throws {@link tooMuch} where that is more than is left */
  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw tooMuch;
  }

  /** What it does shells themselves do not agree on, or nobody writes who means what it says.
   *
   * @throws {@link tooMuch}
   */
  giveUp(): never {
    throw tooMuch;
  }

  /** Words are looked at once for each thing that a command may be, and options letter by letter. */
  lookAt(words: readonly string[]): void {
    let steps = 0;
    for (const word of words) {
      if (word.startsWith("-")) steps += optionSteps + 4 * word.length;
      else steps += (word.includes("{") ? braceSteps : wordSteps) + (word.length >> 4);
    }
    this.spend(steps);
  }

  /** A text is looked through by a regular expression or the like, so many times. */
  lookThrough(text: string, times = 1): void {
    this.spend(times * (1 + (text.length >> 4)));
  }
}

const mostSteps = 80_000;
const wordSteps = 2;
const optionSteps = 20;
const braceSteps = 10;

/** Made once: an error that is caught and forgotten should cost no look at the stack. */
const tooMuch = new Error("reading this takes too long");

/** What is read, or undefined where that takes too long. */
export function readWhole<T>(read: (reading: Reading) => T): T | undefined {
  try {
    return read(new Reading());
  } catch (error) {
    if (error !== tooMuch) throw error;
    return undefined;
  }
}
