import { LeftOut } from "./left-out.js";
import type { ResourceNames } from "./resource-names.js";
import { Undecidable } from "./undecidable.js";

/**
 * What deciding one question may cost beyond looking at each rule once, in steps of roughly the size of a comparison.
 *
 * Expressions have no loops but comprehensions, texts and lists that grow, and regular expressions: each of them is
 * paid for before it is done, by the size of what it is given. What cannot be paid is not done, and the condition
 * counts as one that could not be decided. So no context and no rule holds a process up.
 */
export class Work {
  #left = 0;
  /** What the condition that is asked now compares in the place of the resource, where that is not one plain text. */
  names: ResourceNames | undefined;

  begin(): void {
    this.#left = maxSteps;
  }

  get left(): number {
    return this.#left;
  }

  /** Takes from what is left what was done already. */
  charge(steps: number): void {
    this.#left -= steps;
  }

  /** @throws {Undecidable} where that is more than is left */
  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw tooMuch;
  }
}

export const maxSteps = 30_000;

/** Made once: an error that is caught and forgotten should cost no look at the stack. */
export const tooMuch = new Undecidable(
  "what it has to look at is too much",
  "Ask again with less in the context, or with shorter texts.",
);

/**
 * How many values and pieces of text stand in a value, counted no further than the bound.
 *
 * @throws {Undecidable} where something in it was left out of the question
 */
export function sizeOf(value: unknown, bound: number): number {
  if (typeof value === "string") return 1 + (value.length >> 5);
  if (typeof value !== "object" || value === null) return 1;
  if (value instanceof LeftOut) throw value.undecidable;
  let size = 1;
  const inner = value instanceof Map || value instanceof Set || Array.isArray(value) ? value : undefined;
  for (const one of inner?.values() ?? Object.values(value)) {
    size += sizeOf(one, bound - size);
    if (size > bound) break;
  }
  if (value instanceof Map) size += value.size;
  return size;
}
