import { Command } from "./driver.js";
import { encodeKeys, encodeWords } from "./encode-words.js";

/**
 * A script on its way to the store. The driver would measure and join every word anew at every call; the keys are most
 * of them, and the same each time.
 */
export class ScriptCall extends Command {
  readonly #keys: readonly string[];
  readonly #text: string;

  /** @param script its digest for `evalsha`, its source for `eval` */
  constructor(
    name: "evalsha" | "eval",
    script: string,
    keys: readonly string[],
    args: readonly (string | number)[],
  ) {
    super(name, [], { replyEncoding: "utf8" });
    this.#keys = keys;
    const count = 3 + keys.length + args.length;
    this.#text = `*${count}\r\n${encodeWords([name, script])}${encodeKeys(keys)}${encodeWords(args)}`;
  }

  override toWritable(): string {
    return this.#text;
  }

  /** By these a Cluster finds the node. */
  override getKeys(): string[] {
    return [...this.#keys];
  }
}
