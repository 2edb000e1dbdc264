/** Which key is due next, by absolute time: a binary heap; what was moved or taken away is skipped when met. */
export class Expiries {
  readonly #heap: { id: string; atMs: number }[] = [];

  add(id: string, atMs: number): void {
    const heap = this.#heap;
    let at = heap.push({ id, atMs }) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]!.atMs <= heap[at]!.atMs) break;
      [heap[parent], heap[at]] = [heap[at]!, heap[parent]!];
      at = parent;
    }
  }

  clear(): void {
    this.#heap.length = 0;
  }

  /** The next key whose time has come, taken from the heap. The caller checks that this time still holds for it. */
  due(nowMs: number): { id: string; atMs: number } | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (!first || first.atMs > nowMs) return undefined;
    const last = heap.pop()!;
    if (heap.length > 0) {
      heap[0] = last;
      for (let at = 0; ; ) {
        const left = 2 * at + 1;
        let least = at;
        if (left < heap.length && heap[left]!.atMs < heap[least]!.atMs) least = left;
        if (left + 1 < heap.length && heap[left + 1]!.atMs < heap[least]!.atMs) least = left + 1;
        if (least === at) break;
        [heap[least], heap[at]] = [heap[at]!, heap[least]!];
        at = least;
      }
    }
    return first;
  }
}
