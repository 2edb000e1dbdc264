/**
 * The known name that a typing slip would turn into the given one, if there is one: at most one edit for names up to
 * five characters, two for longer ones, a transposition counting once (optimal string alignment).
 */
export function nearest(given: string, known: Iterable<string>): string | undefined {
  const reach = given.length <= 5 ? 1 : 2;
  let best: string | undefined;
  let bestDistance = reach + 1;
  for (const name of known) {
    if (Math.abs(name.length - given.length) > reach) continue;
    const edits = distance(given, name);
    if (edits > 0 && edits < bestDistance) {
      best = name;
      bestDistance = edits;
    }
  }
  return best;
}

function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, before[j - 2]! + 1);
      row.push(least);
    }
    before = last;
    last = row;
  }
  return last[b.length]!;
}
