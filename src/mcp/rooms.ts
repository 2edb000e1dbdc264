import type { FindRecipients, Held, MyStatus, Recipients, RunEnd, Status } from "../agents/index.js";
import type {
  Approval,
  ApprovalHead,
  Attended,
  DecideApproval,
  Decided,
  Decision,
  LinkedApproval,
} from "../approvals/index.js";
import type { MailboxError } from "../errors/index.js";
import type { Action, Caller, Principal } from "../identity/index.js";
import type {
  AcquireLock,
  GuardFiles,
  GuardFindings,
  ListLocks,
  LockAnswer,
  LockList,
  LockNews,
  Released,
  ReleaseLock,
  TellOptions,
  WaitOptions,
} from "../locks/index.js";
import type {
  AckMessages,
  AckResult,
  DeadLetters,
  DeliveredMessage,
  FoundMessage,
  Inbox,
  ManageDeadLetters,
  ReadInbox,
  SearchMessages,
  SearchResult,
  SendMessage,
  SendReceipt,
  UnreadMail,
} from "../mailbox/index.js";
import type {
  CheckOptions,
  CheckPolicy,
  Duty,
  HookAnswer,
  HookEvent,
  HookOptions,
  PolicyAnswer,
  Settled,
  SettleReservation,
} from "../policy/index.js";
import type { GetState, PutState, PutStateResult, StatePage } from "../state/index.js";
import type { SubscribeTopic, SubscriptionReceipt } from "../topics/index.js";

/** A message as the resources show it: what was found, with its whole text. */
export interface WholeMessage extends FoundMessage {
  readonly content_type: string;
  readonly body: string;
  readonly data?: Record<string, unknown>;
  readonly in_reply_to?: string;
  readonly attachments?: DeliveredMessage["attachments"];
}

/** What a client can watch. */
export type WatchTarget =
  | { readonly kind: "inbox" }
  | { readonly kind: "topic"; readonly name: string }
  | { readonly kind: "topics" }
  | { readonly kind: "locks" }
  | { readonly kind: "agents" }
  | { readonly kind: "state"; readonly key: string };

/**
 * What the face for agents needs of the capabilities, as `compose` hands it over. Every function may refuse with a
 * `MailboxError`; whatever else it throws is shown to the client as `internal`.
 */
export interface Rooms {
  readonly identity: {
    /** The principal a bearer credential proves. @throws {MailboxError} `auth.invalid`, whatever is wrong with it */
    verify(credential: string): Promise<Principal>;
    /** @throws {MailboxError} `auth.required` where a name alone is not believed, `auth.invalid`, `access.stopped` */
    check(held: Held): Promise<void>;
    /** Records that a face itself turned somebody away: who proved nothing, or used what is another's. */
    refused(
      held: Partial<Principal> & Pick<Principal, "namespace">,
      what: "auth.prove" | "auth.session",
      error: MailboxError,
    ): Promise<void>;
    /**
     * Calls back once, within a second of the end of the credential or of the stop of its agent, with the code of what its
     * calls are refused with then. The answer gives the watch up.
     */
    whileHolds(held: Held, onEnd: (code: string) => void): () => void;
  };
  readonly runs: {
    /**
     * Mints a run. The face calls it at the first call of a connection, not before.
     *
     * @param isGuest whether the client may be gone without the face noticing
     */
    begin(principal: Principal, isGuest?: boolean): Promise<Caller>;
    /** The client is seen to be here until the answer is called, although it may call nothing meanwhile. */
    seen(caller: Pick<Caller, "principal">): () => void;
    /** How long ago its agent was seen to be here, or did something, by any process: in ms, and noted some seconds late. */
    seenAgoMs(caller: Caller): Promise<number>;
    /** Gives back at once what the run holds. Safe to repeat. Without `how` its client left. */
    end(caller: Caller, how?: RunEnd): Promise<void>;
  };
  readonly access: {
    /** Which actions somebody may do with anything at all. Begins no run. */
    usableBy(principal: Principal): Promise<(action: Action) => boolean>;
  };
  readonly mail: {
    sendMessage(caller: Caller, input: SendMessage): Promise<SendReceipt>;
    /**
     * @param options.signal ends a wait; what it rejects with then is not looked at
     * With `message_id`, an `offset` past the text and within its data is allowed: the data is returned whole.
     *
     * @param options.maxChars how many characters the page may take, counting subject, body and data of each message
     *   and 400 for its envelope; a first message longer than that is returned whole with `cut`, and the face cuts it
     * @param options.onWaiting called every 10 s while the call waits
     */
    readInbox(
      caller: Caller,
      input: ReadInbox,
      options: {
        readonly signal?: AbortSignal;
        /** Aborts when a wait is to end as if its time were over. */
        readonly over?: AbortSignal;
        /** The client has no session that would tell whether a reply arrived: it names what it saw by `after`. */
        readonly sessionless?: boolean;
        readonly maxChars: number;
        readonly onWaiting?: (secondsLeft: number) => void;
      },
    ): Promise<Inbox>;
    ackMessages(caller: Caller, input: AckMessages): Promise<AckResult>;
    searchMessages(caller: Caller, input: SearchMessages): Promise<SearchResult>;
    manageDeadLetters(caller: Caller, input: ManageDeadLetters): Promise<DeadLetters>;
    /**
     * Tells whether the reply that carried this batch reached the client. With `false` its messages are there
     * again at once. A client without a session confirms by `after` instead, and only `false` is told for it.
     */
    confirm(caller: Caller, batch: string, reached: boolean): void;
    /** Counts, only when something arrived since the last reply to this run. */
    news(caller: Caller): Promise<{ readonly unread: number; readonly urgent: number } | undefined>;
    /** What waits, only looked at: nothing counts as told or delivered by it. */
    unread(caller: Caller): Promise<UnreadMail>;
    messageById(caller: Caller, id: string): Promise<WholeMessage>;
    /** The newest messages of a thread that the caller may see, oldest first. */
    thread(
      caller: Caller,
      id: string,
    ): Promise<{ readonly messages: readonly WholeMessage[]; readonly earlier: number }>;
  };
  readonly topics: {
    subscribeTopic(caller: Caller, input: SubscribeTopic): Promise<SubscriptionReceipt>;
    listTopics(
      caller: Caller,
    ): Promise<readonly { readonly name: string; readonly messages: number; readonly last_at?: string }[]>;
    /** A page of history, newest last; `before` in the answer is where the page of older messages ends. */
    history(
      caller: Caller,
      topic: string,
      options: { readonly before?: string; readonly limit: number },
    ): Promise<{ readonly messages: readonly DeliveredMessage[]; readonly before?: string }>;
  };
  readonly locks: {
    /** Granted, held already, renewed, or queued; waits on the server when asked to. */
    acquireLock(caller: Caller, input: AcquireLock, options?: WaitOptions): Promise<LockAnswer>;
    releaseLock(caller: Caller, input: ReleaseLock, options?: TellOptions): Promise<Released>;
    listLocks(caller: Caller, input: ListLocks): Promise<LockList>;
    /** Who has reserved files that a client of this agent is about to change. Begins no run. */
    guardFiles(principal: Principal, input: GuardFiles): Promise<GuardFindings>;
    /** Gives back what was reserved for a session of its. Safe to repeat. */
    guardStop(principal: Principal, session: string): Promise<void>;
    /** Whether this agent has anything to give back: for a list of tools. Begins no run. */
    hasAny(principal: Principal): Promise<boolean>;
    /** What the run has not been told of its locks; the face calls it when it answers, whatever the call was. */
    news(caller: Caller): Promise<readonly LockNews[]>;
    /** That a reply with these news did not reach its client. */
    keepNews(caller: Caller, news: readonly LockNews[]): void;
    /** That the client of a run is not seen any more, or is there again. */
    noteAbsence(caller: Caller, isAbsent: boolean): Promise<void>;
  };
  readonly state: {
    getState(caller: Caller, input: GetState): Promise<StatePage>;
    putState(caller: Caller, input: PutState): Promise<PutStateResult>;
  };
  readonly policy: {
    /** Decides, holds, asks a person, or waits for one. */
    checkPolicy(caller: Caller, input: CheckPolicy, options?: CheckOptions): Promise<PolicyAnswer>;
    settleReservation(caller: Caller, input: SettleReservation): Promise<Settled>;
    /** What has to be done along with what the run was let do; the face calls it when it answers, whatever the call was. */
    news(caller: Caller): Promise<readonly Duty[]>;
    /** That a reply with these did not reach its client. */
    keepNews(caller: Caller, duties: readonly Duty[]): void;
    /** Decides about a tool that a client of this agent is about to call. Begins no run. */
    hook(principal: Principal, event: HookEvent, options: HookOptions): Promise<HookAnswer>;
  };
  readonly approvals: {
    /** What waits for the caller's decision, one request whole, or what became of a decision. */
    attendApprovals(caller: Caller, input: DecideApproval): Promise<Attended>;
    /** Requests that wait for a decision, whoever decides them. */
    listApprovals(caller: Caller): Promise<readonly ApprovalHead[]>;
    getApproval(caller: Caller, id: string): Promise<Approval>;
    /** A decision of an approver who called over HTTP. */
    decideApproval(caller: Caller, decision: Decision): Promise<Decided>;
    /** A request of the caller that the user of its client may decide. */
    askedOfClient(caller: Caller, id: string): Promise<Approval | undefined>;
    /** Resolves when a request of the caller waits for no decision any more, a signal says so, or after ten minutes. */
    untilDecided(
      caller: Caller,
      id: string,
      ends: { readonly signal: AbortSignal; readonly draining: AbortSignal | undefined },
    ): Promise<unknown>;
    /** What the caller's own client says that its user decided about a request of the caller. */
    decideByClient(caller: Caller, decision: Decision): Promise<Decided>;
  };
  /** What signed links do; whoever has one needs no other credential. */
  readonly approvalLinks: {
    /** Shows what a link is about, and changes nothing. */
    see(token: string): Promise<LinkedApproval>;
    /** Shows it again beside what was refused, which has left its row. */
    seeAgain(token: string): Promise<LinkedApproval>;
    decide(token: string, decision: Omit<Decision, "approval_id">): Promise<Decided>;
  };
  readonly agents: {
    findRecipients(caller: Caller, input: FindRecipients): Promise<Recipients>;
    myStatus(caller: Caller, input: MyStatus): Promise<Status>;
  };
  /**
   * Calls back when the target may have changed, as long as the caller may look at it; the face coalesces. The answer
   * stops it.
   *
   * @param onEnd called once when the credential has ended or the agent was stopped: nothing more is told then
   */
  watch(caller: Caller, target: WatchTarget, onChange: () => void, onEnd?: () => void): Promise<() => void>;
}
