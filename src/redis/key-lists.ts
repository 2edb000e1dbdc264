import { keptKeys } from "./encode-words.js";

/** So many slots are remembered at most. */
const mostLists = 5_000;

/** The whole key lists of slots that scripts run on often: each is built and encoded once. */
export class KeyLists<Name extends readonly string[]> {
  readonly #build: (...name: Name) => readonly string[];
  readonly #lists = new Map<string, readonly string[]>();

  /** @param build the keys of a slot, from what names it */
  constructor(build: (...name: Name) => readonly string[]) {
    this.#build = build;
  }

  /** @param name namespace, and what else names the slot: neither holds a blank */
  of(...name: Name): readonly string[] {
    const id = name.join(" ");
    let list = this.#lists.get(id);
    if (!list) {
      if (this.#lists.size >= mostLists) this.#lists.clear();
      list = keptKeys(this.#build(...name));
      this.#lists.set(id, list);
    }
    return list;
  }
}
