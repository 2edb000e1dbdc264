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
}
