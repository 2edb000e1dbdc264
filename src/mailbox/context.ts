import type { MailboxError } from "../errors/index.js";
import type { Admit, Asked, Caller, RecordDecision, RightsOf } from "../identity/index.js";
import {
  type Hints,
  KeyLists,
  type MailboxKeys,
  type MailboxName,
  mailboxKeyList,
  mailboxKeys,
  type Reply,
  type Script,
  type Store,
} from "../redis/index.js";
import { CallRate } from "./call-rate.js";
import type { StoredMessage, TopicFeed } from "./feed.js";
import { type MailboxLimits, scriptLimits } from "./limits.js";
import type { Operation } from "./operation.js";
import { RunMemory } from "./run-memory.js";

/** What the mailbox room is given: the store, and by compose what it needs of other rooms. */
export interface MailDependencies {
  readonly store: Store;
  readonly hints: Hints;
  readonly limits: MailboxLimits;
  readonly admit: Admit;
  readonly rightsOf: RightsOf;
  readonly record: RecordDecision;
  readonly feed: TopicFeed;
  readonly directory: {
    /** Refuses a near miss of a name that the caller may know of, and opens nothing. */
    isUnseen(
      caller: Caller,
      kind: "agent" | "queue",
      name: string,
      mayKnow: (mailbox: MailboxName) => boolean,
    ): Promise<boolean>;
    reach(
      caller: Caller,
      kind: "agent" | "queue",
      name: string,
      create: boolean,
      mayKnow: (mailbox: MailboxName) => boolean,
    ): Promise<"known" | "opened">;
    agents(namespace: string): Promise<ReadonlyMap<string, unknown>>;
    /** Every mailbox there is, queues as `queue:name`. */
    mailboxes(namespace: string): Promise<readonly string[]>;
    queues(namespace: string): Promise<ReadonlyMap<string, { readonly claimSeconds?: number }>>;
  };
  readonly runs: {
    /** Resolves when the run is in the directory, should its process have been silent for long. */
    active(caller: Caller): Promise<void> | undefined;
    /** Gives back what is open at those of these runs that are gone; true when there was one. */
    releaseGone(namespace: string, runs: readonly string[]): Promise<boolean>;
  };
  readonly publish: (
    caller: Caller,
    topic: string,
    message: StoredMessage,
    operation: Operation,
    row: string,
    ttlMs?: number,
  ) => Promise<{ readonly state: "stored" | "replayed" | "conflict"; readonly id: string }>;
  /**
   * Has a message that waits to be published by this operation not be published any more; false when the topic has it.
   *
   * @throws {MailboxError} `access.denied`
   */
  readonly withdraw: (caller: Caller, topic: string, operation: Operation) => Promise<boolean>;
  /**
   * The lease by which the caller's agent holds a resource under this token, by the store's clock, and the resource in
   * the one form in which it is locked.
   *
   * @throws {MailboxError} `lock.stale_token` when there is none
   */
  readonly leaseOf: (
    caller: Caller,
    resource: string,
    token: number,
  ) => Promise<{ readonly resource: string; readonly expiresAt: number; readonly shared: boolean }>;
  /**
   * What rules of policy say of each agent that a send to `everyone` would reach, beside what they say of the send: whom
   * it does not reach, and who is told that it was let pass and whether it had an effect.
   */
  readonly decideEach: (
    caller: Caller,
    names: readonly string[],
    asked: Asked,
  ) => Promise<{
    readonly refused: ReadonlyMap<string, MailboxError>;
    readonly admitted: (reachesAny: boolean) => Promise<void>;
    readonly settle: (hadEffect: boolean) => Promise<void>;
  }>;
  /** Whether an agent was stopped: what it sent and nobody has been given yet waits meanwhile. */
  readonly isStopped: (namespace: string, agent: string) => Promise<boolean>;
  /** Told of what a caller is shown, before it is shown; where it fails, nothing is shown. */
  readonly noteReads: (
    caller: Caller,
    shown: readonly Pick<StoredMessage, "from" | "verified">[],
  ) => Promise<void>;
  /** How long a topic keeps what is published there; without it, as long as a mailbox keeps its history. */
  readonly topicRetentionMs?: (namespace: string, topic: string) => Promise<number>;
  /** The one folder from which agents may attach files by name. */
  readonly filesDir?: string;
  readonly log: (event: string, facts: Record<string, unknown>) => void;
}

/** The mailbox room's own state in this process: its dependencies and what it remembers of runs. */
export class MailContext {
  readonly deps: MailDependencies;
  readonly limits: MailboxLimits;
  readonly rate = new CallRate();
  readonly #scriptLimits: string;
  readonly #memories = new Map<string, RunMemory>();
  readonly #keyLists = new KeyLists(mailboxKeys, mailboxKeyList);

  constructor(deps: MailDependencies) {
    this.deps = deps;
    this.limits = deps.limits;
    this.#scriptLimits = scriptLimits(deps.limits);
  }

  /** Runs a script that takes a whole mailbox. */
  run(
    namespace: string,
    mailbox: MailboxName,
    script: Script,
    args: readonly (string | number)[],
    timeoutMs?: number,
  ): Promise<Reply> {
    const keys = this.#keyLists.of(namespace, mailbox);
    return this.deps.store.run(script, keys, [this.#scriptLimits, ...args], timeoutMs);
  }

  keys(namespace: string, mailbox: MailboxName): MailboxKeys {
    return this.#keyLists.keys(namespace, mailbox);
  }

  memory(caller: Caller): RunMemory {
    let memory = this.#memories.get(caller.run.id);
    if (!memory) {
      memory = new RunMemory();
      this.#memories.set(caller.run.id, memory);
    }
    return memory;
  }

  forget(run: string): void {
    this.#memories.get(run)?.stopListening?.();
    this.#memories.delete(run);
  }
}

/** The mailbox of the agent that calls. */
export function ownMailbox(caller: Caller): MailboxName {
  return caller.principal.agent;
}
