import type { Reach } from "./overlaps.js";
import type { Resource } from "./resource.js";

/**
 * Whether everything that the other resource means is meant by this one too: whoever holds this holds the other.
 *
 * The wildcards of the other are read as they stand, so only a wildcard takes them in. `redis/lua/overlap.lua` has the same
 * rule, held to this one by a test.
 */
export function covers(one: Resource, other: Resource): boolean {
  const b = other.split("/");
  let reach = coverOfNothing(b);
  for (const segment of one.split("/")) reach = coverFurther(reach, segment, b);
  return reach[b.length]!;
}

/** Before the first segment: it means nothing of b. */
export function coverOfNothing(b: readonly string[]): Reach {
  return [true, ...b.map(() => false)];
}

/** One segment further: the segments read so far mean all that the first j of b mean. */
export function coverFurther(reach: Reach, segment: string, b: readonly string[]): Reach {
  const next = [reach[0]! && segment === "**"];
  for (let j = 1; j <= b.length; j++) {
    const theirs = b[j - 1]!;
    if (segment === "**") next[j] = reach[j]! || next[j - 1]!;
    else next[j] = reach[j - 1]! && theirs !== "**" && segmentCovers(segment, theirs);
  }
  return next;
}

function segmentCovers(a: string, b: string): boolean {
  const [headA, tailA] = a.split("*") as [string, string?];
  const [headB, tailB] = b.split("*") as [string, string?];
  if (tailA === undefined) return a === b;
  if (tailB === undefined)
    return b.length >= headA.length + tailA.length && b.startsWith(headA) && b.endsWith(tailA);
  return headB.startsWith(headA) && tailB.endsWith(tailA);
}
