/** A place in the queue. */
export interface Place {
  /** 0 to 10. */
  readonly priority: number;
  /** When it came, ms; no two of a namespace are the same. */
  readonly arrivedAt: number;
}

/**
 * Who is served first: each step of priority counts as having come `ageingMs` earlier, and nobody waits for ever. So a
 * request of priority p is passed only by those of priority q that come within (q - p) × `ageingMs` after it.
 */
export function comesBefore(a: Place, b: Place, ageingMs: number): boolean {
  const scoreA = a.arrivedAt - a.priority * ageingMs;
  const scoreB = b.arrivedAt - b.priority * ageingMs;
  return scoreA === scoreB ? a.arrivedAt < b.arrivedAt : scoreA < scoreB;
}
