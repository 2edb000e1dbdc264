import type { Caller, PendingRow } from "../identity/index.js";
import type { DeliveryState, MessageLock, Priority } from "./contract.js";

/** A message as it is kept, before it is made ready for a reader. Written by us alone; opaque to the scripts. */
export interface StoredMessage {
  readonly id: string;
  readonly from: string;
  readonly verified: boolean;
  /** `alice`, `queue:reviewers`, `topic:builds.ci` or `everyone`. */
  readonly to: string;
  /** Milliseconds of the store's clock, as the accepting process knew it. */
  readonly sentAt: number;
  readonly priority: Priority;
  readonly thread: string;
  /** The message from which this conversation descends; its budget is counted there. */
  readonly origin: string;
  readonly subject?: string;
  readonly contentType: string;
  readonly body: string;
  readonly data?: Record<string, unknown>;
  readonly inReplyTo?: string;
  readonly lock?: MessageLock;
  readonly attachments?: readonly { readonly id: string; readonly name: string; readonly bytes: number }[];
}

/** A stored message and where this agent's delivery of it stands. */
export interface Delivery {
  readonly message: StoredMessage;
  readonly state: DeliveryState;
  readonly sequence: number;
  /** Deliveries so far, this one included. */
  readonly count: number;
  readonly ackRequired: boolean;
  readonly job: boolean;
  readonly expiresAt: number;
  /** For what is open: when the claim ends. */
  readonly claimedUntil?: number;
  /** The text will not fit one reply: it is not settled by the next page until it was read to the end. */
  readonly cut: boolean;
}

/** Something that could be delivered next; nothing is taken by looking. */
export interface Head {
  /** Where it waits: the topic root, or empty for the agent's own mailbox. */
  readonly root: string;
  readonly id: string;
  readonly sequence: number;
  /** 0 low to 3 urgent. */
  readonly priority: number;
  readonly bytes: number;
}

export interface FeedFilter {
  readonly sender?: string;
  readonly topic?: string;
  readonly thread?: string;
  readonly minPriority: number;
}

/**
 * The followed topics as the mailbox room sees them; compose hands in the topics room's implementation. All calls are
 * safe to repeat with the same batch.
 */
export interface TopicFeed {
  /** Whether the agent follows anything or still has topic messages open: if not, its mailbox is read alone. */
  follows(caller: Caller): Promise<boolean>;
  /**
   * What could be delivered, per root oldest first within a priority, at most `limit` per root and 32 roots a call, in
   * turn. Settles the batches that were seen and gives back those that were not, first.
   */
  heads(
    caller: Caller,
    ask: {
      readonly seen: readonly string[];
      readonly unseen: readonly string[];
      readonly filter: FeedFilter;
      readonly limit: number;
      /** Nobody reads: what was missed is shown, and told again to whoever does. */
      readonly looksOnly?: boolean;
    },
  ): Promise<{
    readonly heads: readonly Head[];
    readonly unread: number;
    readonly urgent: number;
    readonly open: number;
    readonly gaps: readonly { readonly topic: string; readonly missed: number; readonly until: number }[];
  }>;
  /**
   * Takes exactly these for the run, as one batch; what another run took meanwhile is missing from the answer. Of a topic
   * with more than `limit` unread the newest three are offered, and the first of them that is taken passes over the older.
   *
   * @param options.cutBytes from which size on a text is cut in the reply, so that the next page does not settle it
   * @param options.claimMs for a caller without a session: when what it does not name as seen comes again
   */
  take(
    caller: Caller,
    batch: string,
    heads: readonly Head[],
    options?: { readonly cutBytes?: number; readonly claimMs?: number },
  ): Promise<{
    readonly deliveries: readonly Delivery[];
    /** What was passed over, and how many of these were counted as unread: not what had expired. */
    readonly collapsed: readonly {
      readonly topic: string;
      readonly count: number;
      readonly unread: number;
    }[];
  }>;
  /** What is open at this agent, oldest first; behind a place by its sequence and id, where one is given. */
  open(
    caller: Caller,
    limit: number,
    filter: FeedFilter,
    behind?: { readonly sequence: number; readonly id: string },
  ): Promise<readonly Delivery[]>;
  /** One message that was delivered to this agent or that it may read in the history. */
  find(caller: Caller, id: string): Promise<Delivery | undefined>;
  /** done, retry, extend or reject for what is open at the agent; ids that are not of a topic are missing. */
  settle(
    caller: Caller,
    ids: readonly string[],
    outcome: "done" | "retry" | "reject" | "extend" | "whole",
    delayMs: number,
    /** What the caller's repetition of this call shares with it (for whole, the page by which it is settled), and what is recorded with the first effect. */
    operation?: { readonly name?: string; readonly row?: PendingRow },
  ): Promise<
    ReadonlyMap<
      string,
      { readonly state: "settled" | "retrying" | "extended" | "not_open"; readonly at: number }
    >
  >;
  /** Gives back what is open at a run that is gone. */
  releaseRun(namespace: string, agent: string, run: string): Promise<void>;
  /** Calls back when something may have come that the agent follows. */
  listen(caller: Caller, wake: () => void): Promise<() => void>;
  /** Messages in the history this agent may read, newest first. */
  search(
    caller: Caller,
    ask: {
      readonly topic: string;
      readonly before?: string;
      readonly since?: number;
      readonly until?: number;
      readonly limit: number;
    },
  ): Promise<{ readonly deliveries: readonly Delivery[]; readonly before?: string }>;
}
