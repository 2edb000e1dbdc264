import type { Path } from "./lined-document.js";
import type { ReadRuleSet } from "./rule-set.js";

/** Where entries stand; those of a profile stand where it is named. */
export class EntryLines {
  readonly #paths = new Map<object, Path>();

  constructor(private readonly read: ReadRuleSet) {
    read.set.rules.forEach((entry, n) => void this.#paths.set(entry, ["rules", n]));
    read.set.limits.forEach((entry, n) => void this.#paths.set(entry, ["limits", n]));
  }

  of(path: Path): number {
    return this.read.document.lineOf(path);
  }

  ofEntry(entry: object): number {
    return this.of(this.#paths.get(entry) ?? ["profile"]);
  }

  within(entry: object, field: string, offset: number): number {
    const path = this.#paths.get(entry);
    return path ? this.read.document.lineWithin([...path, field], offset) : this.of(["profile"]);
  }
}
