/** An id as given may be anything; only what looks like one of ours is shown again. */
export function plainId(id: string): string {
  return /^[0-9a-z-]{1,40}$/.test(id) ? id : "with that id";
}
