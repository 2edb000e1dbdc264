import type { AskedResource } from "./asked-resource.js";
import { isTopic } from "./canonical-resource.js";
import { Undecidable } from "./undecidable.js";

/** What pays for looking. */
interface Purse {
  spend(steps: number): void;
}

/** One name, or all texts that begin and end so. */
type Shape = { readonly text: string } | { readonly head: string; readonly tail: string };

/** What a condition is asked about. */
export interface Meant {
  /** As conditions see it. */
  readonly resource: string;
  /** What comparisons are made with instead; undefined where that is the resource. */
  readonly names: ResourceNames | undefined;
}

/**
 * The names that a question is about. What is asked of them is answered where the answer is the same for each; otherwise
 * it cannot be decided. They may be fewer than the shapes tell, and never more.
 */
export class ResourceNames {
  readonly #shapes: readonly Shape[];
  /** Whether it is a page, which is compared with URLs as if they had no scheme. */
  readonly isOfWeb: boolean;

  constructor(shapes: readonly Shape[], isOfWeb: boolean) {
    this.#shapes = shapes;
    this.isOfWeb = isOfWeb;
  }

  /** Whether they are more than one. */
  get areSeveral(): boolean {
    return this.#shapes.length > 1 || !("text" in this.#shapes[0]!);
  }

  /** The same with more before and behind each. */
  between(before: string, behind: string): ResourceNames {
    return new ResourceNames(
      this.#shapes.map((shape) =>
        "text" in shape
          ? { text: before + shape.text + behind }
          : { head: before + shape.head, tail: shape.tail + behind },
      ),
      this.isOfWeb,
    );
  }

  /** @throws {Undecidable}, as all of these */
  equals(other: string, purse: Purse): boolean {
    return this.#all(purse, other, (shape) => {
      if ("text" in shape) return shape.text === other;
      const { head, tail } = shape;
      const fits =
        other.length >= head.length + tail.length && other.startsWith(head) && other.endsWith(tail);
      return fits ? undefined : false;
    });
  }

  startsWith(other: string, purse: Purse): boolean {
    return this.#all(purse, other, (shape) => {
      if ("text" in shape) return shape.text.startsWith(other);
      return shape.head.startsWith(other) || (other.startsWith(shape.head) ? undefined : false);
    });
  }

  endsWith(other: string, purse: Purse): boolean {
    return this.#all(purse, other, (shape) => {
      if ("text" in shape) return shape.text.endsWith(other);
      return shape.tail.endsWith(other) || (other.endsWith(shape.tail) ? undefined : false);
    });
  }

  contains(other: string, purse: Purse): boolean {
    return this.#all(purse, other, (shape) => {
      if ("text" in shape) return shape.text.includes(other);
      return shape.head.includes(other) || shape.tail.includes(other) || undefined;
    });
  }

  #all(purse: Purse, other: string, ask: (shape: Shape) => boolean | undefined): boolean {
    let said: boolean | undefined;
    for (const shape of this.#shapes) {
      const own = "text" in shape ? shape.text.length : shape.head.length + shape.tail.length;
      purse.spend(2 + (other.length >> 3) + (own >> 7));
      const one = ask(shape);
      if (one === undefined || (said !== undefined && one !== said)) throw severalNames;
      said = one;
    }
    return said!;
  }
}

/** What a condition asks of several names at once, and they do not answer alike. */
export const severalNames = new Undecidable(
  "the resource stands for several names, and its condition is not the same for all of them",
  "Ask about each name, or about fewer of them.",
);

/**
 * What a question is about: by the name it gives, and by each that it may have besides.
 *
 * @param isFolder whether what lies in it is meant too
 * @throws {Undecidable} where that costs too much
 */
export function meantBy(
  asked: AskedResource,
  canonical: string,
  isFolder: boolean,
  purse: Purse,
): readonly Meant[] {
  const { isPattern, isOfWeb, perhaps } = asked;
  const separator = isTopic(canonical) ? "." : "/";
  const names = (readings: readonly (readonly string[])[]): ResourceNames => {
    purse.spend(1 + (asked.length >> 3));
    const shapes = readings.flatMap((levels) => shapesOf(levels, separator));
    return new ResourceNames(
      isFolder ? [...shapes, ...shapes.map((shape) => within(shape, separator))] : shapes,
      isOfWeb,
    );
  };
  const named = {
    resource: canonical,
    names: isPattern || isFolder || isOfWeb ? names(asked.readings) : undefined,
  };
  return [
    named,
    ...perhaps.map((levels) => ({ resource: nameOf(levels, separator), names: names([levels]) })),
  ];
}

function within(shape: Shape, separator: string): Shape {
  if (!("text" in shape)) return { head: shape.head, tail: "" };
  if (shape.text === ".") return { head: "", tail: "" };
  return { head: shape.text.endsWith(separator) ? shape.text : shape.text + separator, tail: "" };
}

function shapesOf(levels: readonly string[], separator: string): readonly Shape[] {
  const first = levels.findIndex((level) => level.includes("*"));
  if (first < 0) return [{ text: nameOf(levels, separator) }];
  const last = levels.findLastIndex((level) => level.includes("*"));
  const before = levels.slice(0, first).join(separator);
  const behind = levels.slice(last + 1).join(separator);
  const [open, close] = [first > 0 ? separator : "", last < levels.length - 1 ? separator : ""];
  // Any depth may also be none, and then no separator stands there.
  const isDeep = [levels[first] === "**", levels[last] === "**"];
  if (first === last && isDeep[0])
    return [
      { head: before + open, tail: close + behind },
      { text: nameOf([...levels.slice(0, first), ...levels.slice(first + 1)], separator) },
    ];
  const head = isDeep[0] ? before : before + open + levels[first]!.split("*", 1)[0]!;
  const tail = isDeep[1] ? behind : levels[last]!.slice(levels[last]!.lastIndexOf("*") + 1) + close + behind;
  return [{ head, tail }];
}

function nameOf(levels: readonly string[], separator: string): string {
  if (levels.length === 0) return ".";
  return levels.length === 1 && levels[0] === "" ? separator : levels.join(separator);
}
