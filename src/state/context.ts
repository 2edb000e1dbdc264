import type { Admit, Caller, RecordDecision, RightsOf } from "../identity/index.js";
import {
  type Hints,
  KeyLists,
  type Reply,
  type Script,
  type Store,
  stateGroupKeyList,
  stateGroupKeys,
} from "../redis/index.js";
import { GroupRooms } from "./group-rooms.js";
import type { StateLimits } from "./limits.js";

/**
 * Whether the caller holds the resource under this fencing token, and until when by the store's clock.
 *
 * @throws {MailboxError} `lock.stale_token`
 */
export type LeaseOf = (
  caller: Caller,
  resource: string,
  token: number,
) => Promise<{
  readonly expiresAt: number;
  /** The resource in the one form in which it is locked. */
  readonly resource: string;
}>;

/** What the room of shared state is given: the store, and by compose what it needs of other rooms. */
export interface StateDependencies {
  readonly store: Store;
  readonly hints: Hints;
  readonly limits: StateLimits;
  readonly admit: Admit;
  readonly rightsOf: RightsOf;
  /** Leaves a row for a decision that has no effect to leave one. */
  readonly record: RecordDecision;
  readonly leaseOf: LeaseOf;
}

/** The room's own state in this process: its dependencies, and how much room each group was given. */
export class StateContext {
  readonly deps: StateDependencies;
  readonly limits: StateLimits;
  readonly rooms: GroupRooms;
  readonly #keyLists = new KeyLists(stateGroupKeys, stateGroupKeyList);

  constructor(deps: StateDependencies) {
    this.deps = deps;
    this.limits = deps.limits;
    this.rooms = new GroupRooms(deps.store, deps.limits);
  }

  /** Runs a script that takes a group of state, and perhaps further keys of it. */
  run(
    namespace: string,
    group: string,
    script: Script,
    further: readonly string[],
    args: readonly (string | number)[],
  ): Promise<Reply> {
    const keys = this.#keyLists.of(namespace, group);
    return this.deps.store.run(script, further.length === 0 ? keys : [...keys, ...further], args);
  }
}
