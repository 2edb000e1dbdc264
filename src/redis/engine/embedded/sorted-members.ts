/** One member of a sorted set, in the shape the engine's commands read. */
export interface SortedMember {
  member: Buffer;
  score: number;
}

/** A place between members: everything for which `isBelow` holds comes before it. */
export type Boundary = (entry: SortedMember) => boolean;

const chunkLimit = 512;

function compare(a: SortedMember, b: SortedMember): number {
  return a.score === b.score ? Buffer.compare(a.member, b.member) : a.score - b.score;
}

/** The number of leading elements for which `isBelow` holds; it must hold for a prefix only. */
function lowerBound<T>(list: readonly T[], isBelow: (element: T) => boolean): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBelow(list[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The members of a sorted set by identity, and, from the first ranged read on, also in order.
 *
 * The order is a list of short sorted runs: an insertion moves at most one run, a rank adds up run lengths, so a
 * ranged read costs the same with ten members as with a hundred thousand (as shipped, the engine sorts all of
 * them on each call).
 */
export class SortedMembers extends Map<string, SortedMember> {
  #runs: SortedMember[][] | undefined;

  override set(id: string, entry: SortedMember): this {
    if (this.#runs) {
      const previous = super.get(id);
      if (previous) this.#withdraw(previous);
      this.#insert(entry);
    }
    return super.set(id, entry);
  }

  override delete(id: string): boolean {
    if (this.#runs) {
      const previous = super.get(id);
      if (previous) this.#withdraw(previous);
    }
    return super.delete(id);
  }

  override clear(): void {
    this.#runs = undefined;
    super.clear();
  }

  /** How many members come before the boundary. */
  rank(isBelow: Boundary): number {
    const runs = this.#ordered();
    const index = lowerBound(runs, (run) => isBelow(run.at(-1)!));
    let rank = 0;
    for (let i = 0; i < index; i++) rank += runs[i]!.length;
    const run = runs[index];
    return run ? rank + lowerBound(run, isBelow) : rank;
  }

  rankOf(entry: SortedMember): number {
    return this.rank((other) => compare(other, entry) < 0);
  }

  /** The members with ranks `from` (included) to `to` (excluded), ascending. */
  slice(from: number, to: number): SortedMember[] {
    const taken: SortedMember[] = [];
    let start = 0;
    for (const run of this.#ordered()) {
      if (start >= to) break;
      const end = start + run.length;
      if (end > from) taken.push(...run.slice(Math.max(0, from - start), to - start));
      start = end;
    }
    return taken;
  }

  #ordered(): SortedMember[][] {
    if (!this.#runs) {
      const sorted = [...this.values()].sort(compare);
      this.#runs = [];
      for (let i = 0; i < sorted.length; i += chunkLimit / 2) {
        this.#runs.push(sorted.slice(i, i + chunkLimit / 2));
      }
    }
    return this.#runs;
  }

  #insert(entry: SortedMember): void {
    const runs = this.#runs!;
    if (runs.length === 0) {
      runs.push([entry]);
      return;
    }
    const index = Math.min(
      lowerBound(runs, (run) => compare(run.at(-1)!, entry) < 0),
      runs.length - 1,
    );
    const run = runs[index]!;
    run.splice(
      lowerBound(run, (other) => compare(other, entry) < 0),
      0,
      entry,
    );
    if (run.length > chunkLimit) runs.splice(index + 1, 0, run.splice(chunkLimit / 2));
  }

  #withdraw(entry: SortedMember): void {
    const runs = this.#runs!;
    const index = lowerBound(runs, (run) => compare(run.at(-1)!, entry) < 0);
    const run = runs[index]!;
    run.splice(
      lowerBound(run, (other) => compare(other, entry) < 0),
      1,
    );
    if (run.length === 0) runs.splice(index, 1);
  }
}
