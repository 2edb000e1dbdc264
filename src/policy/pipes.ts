import type { ShellCommand } from "./shell-words.js";
import { closers } from "./wrapped-command.js";

/** A pipe that leads to what is still to come. */
interface Pipe {
  /** How deep it stands in groups, loops and parentheses. */
  readonly level: number;
  /** Whether it leads into such, of which one command was come to. */
  hasEntered: boolean;
  /** Whether its command was come to, or the end of that. */
  hasEnded: boolean;
}

/** Words that begin what is of several commands, and those that may stand before them or before what ends it. */
const opening = new Set(["{", "if", "while", "until", "for", "select", "case"]);
const passed = new Set(["!", "then", "else", "elif", "do", "time", "coproc"]);

/**
 * Which commands of a text a pipe leads to, as they are come to one after the other: the one behind it, and where that
 * begins a group, a loop or the like, all in there. Each substitution has pipes of its own.
 */
export class Pipes {
  readonly #open: number[] = [];
  readonly #pipes: (Pipe | undefined)[] = [];

  /** Whether one leads to the command, which is the next one. */
  leadTo({ words, isPiped, within: [layer, parentheses, aroundPipe] = [0, 0, 0] }: ShellCommand): boolean {
    const before = this.#open[layer] ?? 0;
    const open = Math.max(0, before + opened(words));
    this.#open[layer] = open;
    const level = open + parentheses;
    const pipe = this.#pipes[layer];
    const leads =
      pipe !== undefined &&
      (Math.max(before + parentheses, level) > pipe.level || !(pipe.hasEntered || pipe.hasEnded));
    if (pipe && level > pipe.level) pipe.hasEntered = true;
    else if (pipe) pipe.hasEnded = true;
    if (isPiped) {
      const from = open + aroundPipe;
      const outermost = pipe && leads ? Math.min(pipe.level, from) : from;
      this.#pipes[layer] = { level: outermost, hasEntered: from > outermost, hasEnded: false };
    } else if (!leads) this.#pipes[layer] = undefined;
    return leads;
  }

  /** Whether it may lead to what stands behind the command too, at which it was come to last. */
  leadInto({ within: [layer, parentheses] = [0, 0, 0] }: ShellCommand): boolean {
    const pipe = this.#pipes[layer];
    return pipe !== undefined && (this.#open[layer] ?? 0) + parentheses > pipe.level;
  }
}

/** How many more are open behind a command that begins or ends some. */
function opened(words: readonly string[]): number {
  let more = 0;
  for (const word of words[0] === "function" ? words.slice(2, 3) : words) {
    if (opening.has(word)) more += 1;
    else if (closers.has(word)) more -= 1;
    else if (!passed.has(word)) break;
  }
  return more;
}
