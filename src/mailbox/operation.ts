export { digest } from "../redis/index.js";

/** What a call is remembered by, so that it is done once. */
export interface Operation {
  readonly key: string;
  readonly digest: string;
  /** How long it is remembered, ms. */
  readonly keepMs: number;
  /** This call of the caller; our own repetitions of it share it. */
  readonly attempt: string;
  /** Without a key of the caller an equal send is a duplicate, not a replay. */
  readonly keyed: boolean;
  /** Not done any more once this lease is over, see redis/lua/lease.lua; a repetition of what was done is answered. */
  readonly lease?: string;
}

const none: readonly string[] = [];

/** The last word of a script that stores something, where it is stored under a lock alone. */
export function leaseWord({ lease }: Operation): readonly string[] {
  return lease === undefined ? none : [lease];
}
