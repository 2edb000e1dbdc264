import type { Head } from "./feed.js";

/**
 * Chooses what the next page holds: the most urgent first, then the oldest, while each source that has something gets at
 * least a quarter of the page (or an equal share, with more than four sources). Heads of a source keep their order.
 */
export function choosePage(heads: readonly Head[], limit: number, mostBytes: number): Head[] {
  const sources = new Map<string, Head[]>();
  for (const head of [...heads].sort(byUrgency))
    sources.set(head.root, [...(sources.get(head.root) ?? []), head]);
  const share = Math.max(1, Math.floor(limit / Math.max(4, sources.size)));
  const chosen = new Set<Head>();
  let bytes = 0;
  const choose = (head: Head): void => {
    if (chosen.has(head) || chosen.size >= limit) return;
    if (chosen.size > 0 && bytes + head.bytes > mostBytes) return;
    chosen.add(head);
    bytes += head.bytes;
  };
  for (const [, own] of sources) for (const head of own.slice(0, share)) choose(head);
  for (const head of [...heads].sort(byUrgency)) choose(head);
  return [...chosen].sort(byUrgency);
}

function byUrgency(a: Head, b: Head): number {
  return b.priority - a.priority || a.sequence - b.sequence || (a.id < b.id ? -1 : 1);
}
