import type { Resource } from "./resource.js";

/**
 * Of a resource b that is read against the beginning of another: `reach[j]` says whether that beginning and the first j
 * segments of b have been brought together.
 */
export type Reach = readonly boolean[];

/**
 * Whether two resources can mean the same thing: there is a path that both mean.
 *
 * At most 32 × 32 steps, whatever the patterns. `redis/lua/overlap.lua` is the same rule, held to this one by a test.
 */
export function overlaps(one: Resource, other: Resource): boolean {
  const b = other.split("/");
  let reach = overlapOfNothing(b);
  for (const segment of one.split("/")) reach = overlapFurther(reach, segment, b);
  return reach[b.length]!;
}

/** Before the first segment: any depth of b means nothing here. */
export function overlapOfNothing(b: readonly string[]): Reach {
  const reach = [true];
  for (let j = 1; j <= b.length; j++) reach[j] = reach[j - 1]! && b[j - 1] === "**";
  return reach;
}

/** One segment further: some path is meant by the segments read so far and by the first j of b. */
export function overlapFurther(reach: Reach, segment: string, b: readonly string[]): Reach {
  const next = [reach[0]! && segment === "**"];
  for (let j = 1; j <= b.length; j++) {
    const theirs = b[j - 1]!;
    // Any depth means: nothing here, or one segment more of the other.
    if (segment === "**" || theirs === "**") next[j] = reach[j]! || next[j - 1]!;
    else next[j] = reach[j - 1]! && segmentsOverlap(segment, theirs);
  }
  return next;
}

/** With one `*` on each side, two segments have a text in common when their beginnings and their ends agree. */
function segmentsOverlap(a: string, b: string): boolean {
  const [starA, starB] = [a.indexOf("*"), b.indexOf("*")];
  if (starA < 0) return starB < 0 ? a === b : fits(a, b, starB);
  if (starB < 0) return fits(b, a, starA);
  const head = Math.min(starA, starB);
  const tail = Math.min(a.length - starA, b.length - starB) - 1;
  return a.startsWith(b.slice(0, head)) && a.endsWith(b.slice(b.length - tail));
}

/** Whether a text without `*` is one that the segment with it means. */
function fits(text: string, segment: string, star: number): boolean {
  if (text.length < segment.length - 1) return false;
  // Most differ in their first or last letter, and there are many to be told apart.
  const tail = segment.length - star - 1;
  return (
    (star === 0 ||
      (text.charCodeAt(0) === segment.charCodeAt(0) && text.startsWith(segment.slice(0, star)))) &&
    (tail === 0 || text.endsWith(segment.slice(star + 1)))
  );
}
