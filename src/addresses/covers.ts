import type { Resource } from "./resource.js";

/**
 * Whether everything that the other resource means is meant by this one too: whoever holds this holds the other.
 *
 * The wildcards of the other are read as they stand, so only a wildcard takes them in. `redis/lua/overlap.lua` has the same
 * rule, held to this one by a test.
 */
export function covers(one: Resource, other: Resource): boolean {
  const a = one.split("/");
  const b = other.split("/");
  // reach[j]: the segments of a read so far mean all that the first j of b mean.
  let reach = [true, ...b.map(() => false)];
  for (const segment of a) {
    const next = [reach[0]! && segment === "**"];
    for (let j = 1; j <= b.length; j++) {
      const theirs = b[j - 1]!;
      if (segment === "**") next[j] = reach[j]! || next[j - 1]!;
      else next[j] = reach[j - 1]! && theirs !== "**" && segmentCovers(segment, theirs);
    }
    reach = next;
  }
  return reach[b.length]!;
}

function segmentCovers(a: string, b: string): boolean {
  const [headA, tailA] = a.split("*") as [string, string?];
  const [headB, tailB] = b.split("*") as [string, string?];
  if (tailA === undefined) return a === b;
  if (tailB === undefined)
    return b.length >= headA.length + tailA.length && b.startsWith(headA) && b.endsWith(tailA);
  return headB.startsWith(headA) && tailB.endsWith(tailA);
}
