import { keptKeys } from "./encode-words.js";

/** So many slots are remembered at most. */
const mostSlots = 5_000;

/** The keys of slots that scripts run on often, by name and as the whole list: both are built, and encoded, once. */
export class KeyLists<Name extends readonly string[], Keys> {
  readonly #keysOf: (...name: Name) => Keys;
  readonly #listOf: (keys: Keys) => readonly string[];
  readonly #slots = new Map<string, { readonly keys: Keys; readonly list: readonly string[] }>();

  /** @param keysOf the keys of a slot, from what names it; @param listOf the same in the order in which scripts take them */
  constructor(keysOf: (...name: Name) => Keys, listOf: (keys: Keys) => readonly string[]) {
    this.#keysOf = keysOf;
    this.#listOf = listOf;
  }

  /** @param name namespace, and what else names the slot: neither holds a blank */
  of(...name: Name): readonly string[] {
    return this.#slot(name).list;
  }

  keys(...name: Name): Keys {
    return this.#slot(name).keys;
  }

  #slot(name: Name): { readonly keys: Keys; readonly list: readonly string[] } {
    const id = name.join(" ");
    let slot = this.#slots.get(id);
    if (!slot) {
      if (this.#slots.size >= mostSlots) this.#slots.clear();
      const keys = this.#keysOf(...name);
      slot = { keys, list: keptKeys(this.#listOf(keys)) };
      this.#slots.set(id, slot);
    }
    return slot;
  }
}
