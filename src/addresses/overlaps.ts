import type { Resource } from "./resource.js";

/**
 * Whether two resources can mean the same thing: there is a path that both mean.
 *
 * At most 32 × 32 steps, whatever the patterns. `redis/lua/overlap.lua` is the same rule, held to this one by a test.
 */
export function overlaps(one: Resource, other: Resource): boolean {
  const a = one.split("/");
  const b = other.split("/");
  // reach[j]: some path is meant by the segments of a read so far and by the first j of b.
  let reach = [true];
  for (let j = 1; j <= b.length; j++) reach[j] = reach[j - 1]! && b[j - 1] === "**";
  for (const segment of a) {
    const next = [reach[0]! && segment === "**"];
    for (let j = 1; j <= b.length; j++) {
      const theirs = b[j - 1]!;
      // Any depth means: nothing here, or one segment more of the other.
      if (segment === "**" || theirs === "**") next[j] = reach[j]! || next[j - 1]!;
      else next[j] = reach[j - 1]! && segmentsOverlap(segment, theirs);
    }
    reach = next;
  }
  return reach[b.length]!;
}

/** With one `*` on each side, two segments have a text in common when their beginnings and their ends agree. */
function segmentsOverlap(a: string, b: string): boolean {
  const [headA, tailA] = a.split("*") as [string, string?];
  const [headB, tailB] = b.split("*") as [string, string?];
  if (tailA === undefined && tailB === undefined) return a === b;
  if (tailA === undefined) return fits(a, headB, tailB!);
  if (tailB === undefined) return fits(b, headA, tailA);
  return (
    (headA.startsWith(headB) || headB.startsWith(headA)) && (tailA.endsWith(tailB) || tailB.endsWith(tailA))
  );
}

function fits(text: string, head: string, tail: string): boolean {
  return text.length >= head.length + tail.length && text.startsWith(head) && text.endsWith(tail);
}
