import { refuse } from "../errors/index.js";
import type { Admit, AgentFacts, Caller, RecordDecision, RightsOf } from "../identity/index.js";
import { KeyLists, policyKeyList, policyKeys, type Reply, type Script, type Store } from "../redis/index.js";
import type { ApprovalTerms } from "./decision.js";
import { maxContextCharacters, maxContextDepth } from "./given.js";
import { partsLeftOut } from "./left-out.js";
import { type PolicyLimits, scriptLimits } from "./limits.js";
import type { Reads } from "./question.js";
import type { RefusedBefore } from "./refused-before.js";
import type { InForce } from "./rule-book.js";

/** What a person is asked about: an approval holds for exactly this, of exactly this agent. */
export interface ApprovalQuestion {
  readonly action: string;
  readonly resource: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly context: Readonly<Record<string, unknown>>;
}

/** The same with everything else they decide by. */
export interface ApprovalRequest extends ApprovalQuestion {
  readonly reasons: readonly string[];
  readonly rules: readonly string[];
  readonly why: string;
  readonly risk: string;
  /** The argument from which the resource was taken; absent where whoever asks says both. */
  readonly naming?: string | undefined;
  /** Names in the context that are ours: what would be held, and the steps that were read out of a command. */
  readonly added?: readonly string[];
  readonly terms: ApprovalTerms;
}

export type ApprovalState = "pending" | "approved" | "rejected" | "answered" | "expired" | "used" | "void";

/** A request for an approval as its requester may see it. */
export interface AwaitedApproval {
  readonly id: string;
  readonly state: ApprovalState;
  /** Whether what was asked may be done; absent while nothing is decided. */
  readonly effect?: "allow" | "deny";
  readonly expires_at: string;
  /** Until when it can be used. */
  readonly usable_until?: string;
  readonly decided_by: readonly string[];
  /** In the words of whoever decided: content, not instructions. */
  readonly votes: readonly { readonly by: string; readonly comment?: string }[];
  readonly answer?: string;
  /** What was approved in place of the arguments that were asked for. */
  readonly edited_arguments?: Readonly<Record<string, unknown>>;
  /** What was asked. */
  readonly action: string;
  readonly resource: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly context: Readonly<Record<string, unknown>>;
  /** What was added to the context by us: a cost that was only reserved, what would be held, the steps of a command. */
  readonly added?: Readonly<Record<string, unknown>>;
}

/** An approval that is held for one operation. */
export interface ClaimedApproval {
  readonly id: string;
  /** The same operation has used it before. */
  readonly replayed: boolean;
  /** Uses it up, or gives it back. Never rejects: what could not be told counts as used. */
  readonly settle: (wasUsed: boolean) => Promise<void>;
}

export interface ApprovalWait {
  readonly waitMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Aborts when a wait is to end as if its time were over. */
  readonly draining?: AbortSignal | undefined;
  /** Called every 10 s while the call waits. */
  readonly onWaiting?: ((secondsLeft: number) => void) | undefined;
  /** The call goes on with what was decided, and leaves its row itself. */
  readonly isPart?: boolean;
}

/** What whoever a rule wants told is told. It speaks in our name, so nothing in it is in the words of whoever asked. */
export interface PolicyNotice {
  readonly about: string;
  readonly body: string;
}

/** What the room of policy is given: the store, and by compose what it needs of other rooms. */
export interface PolicyDependencies {
  readonly store: Store;
  readonly limits: PolicyLimits;
  readonly admit: Admit;
  readonly rightsOf: RightsOf;
  /** Leaves a row for a decision that has no effect to leave one. */
  readonly record: RecordDecision;
  /** At most a second old. */
  readonly inForce: (namespace: string) => Promise<InForce> | InForce;
  readonly factsOf: (caller: Caller) => Promise<AgentFacts>;
  readonly readsOf: (caller: Caller) => Promise<Reads>;
  /** Asks a person; while a request for exactly the same stands, it is that one. */
  readonly openApproval: (
    caller: Caller,
    request: ApprovalRequest,
  ) => Promise<{
    readonly id: string;
    readonly state: ApprovalState;
    readonly expiresAt: number;
    readonly before?: RefusedBefore;
  }>;
  /**
   * Holds what was approved for exactly this, until it is told whether it was done; the same operation again holds the
   * same, or finds it used by itself.
   *
   * @throws {MailboxError} `approval.in_use` while another operation holds it
   */
  readonly claimApproval: (
    caller: Caller,
    question: ApprovalQuestion,
    claim: { readonly operation: string; readonly attempt: string; readonly terms: ApprovalTerms },
  ) => Promise<ClaimedApproval | undefined>;
  /** Admits, and records by itself where it is not part of a call that does. @throws {MailboxError} `approval.unknown`, also for a request of somebody else */
  readonly awaitApproval: (caller: Caller, id: string, options: ApprovalWait) => Promise<AwaitedApproval>;
  /** Tells an address what was decided, because a rule says so: once for each `about`. */
  readonly notify: (namespace: string, to: string, notice: PolicyNotice) => Promise<void>;
  readonly log: (event: string, facts: Record<string, unknown>) => void;
}

/** So many counters are remembered at most. */
const countsKnown = 10_000;

/** So many runs that were not told their duties yet, and so many actions of each, are remembered at most. */
const runsOwing = 1_000;
const actionsOwing = 10;

/** What has to be done along with something that one of our own tools was let do. */
export interface Duty {
  readonly action: string;
  readonly obligations: readonly string[];
}

/**
 * The room's own state in this process: its dependencies, how often counters were when they were last seen, and which
 * duties runs have not been told.
 */
export class PolicyContext {
  readonly deps: PolicyDependencies;
  readonly limits: PolicyLimits;
  readonly #scriptLimits: string;
  readonly #keyLists = new KeyLists(policyKeys, policyKeyList);
  readonly #counts = new Map<string, string>();
  readonly #duties = new Map<string, Map<string, Set<string>>>();

  constructor(deps: PolicyDependencies) {
    // What was left out is like an argument that says the same of it: nobody's approval of that holds for this.
    this.deps = {
      ...deps,
      openApproval: async (caller, asked) => deps.openApproval(caller, shownWhole(asked)),
      claimApproval: async (caller, asked, claim) => deps.claimApproval(caller, shownWhole(asked), claim),
    };
    this.limits = deps.limits;
    this.#scriptLimits = scriptLimits(deps.limits);
  }

  /** Runs a script about budgets, whose second argument are the limits of the room. */
  run(namespace: string, script: Script, args: readonly (string | number)[]): Promise<Reply> {
    return this.deps.store.run(script, this.#keyLists.of(namespace), [this.#scriptLimits, ...args]);
  }

  /** How often a counter was when this process last saw it: a guess, which the script holds against the truth. */
  lastCount(namespace: string, counter: string): string {
    return this.#counts.get(`${namespace} ${counter}`) ?? "0";
  }

  sawCount(namespace: string, counter: string, count: string): void {
    if (this.#counts.size >= countsKnown) this.#counts.clear();
    this.#counts.set(`${namespace} ${counter}`, count);
  }

  /** Keeps what a run has to do along with an action, until it is told. */
  owe({ principal, run }: Caller, action: string, obligations: readonly string[]): void {
    if (obligations.length === 0) return;
    const key = `${principal.namespace} ${run.id}`;
    const ofRun = this.#duties.get(key) ?? new Map<string, Set<string>>();
    if (!ofRun.has(action) && ofRun.size >= actionsOwing) return;
    ofRun.set(action, new Set([...(ofRun.get(action) ?? []), ...obligations]));
    const [oldest] = this.#duties.keys();
    if (!this.#duties.has(key) && this.#duties.size >= runsOwing) this.#duties.delete(oldest!);
    this.#duties.set(key, ofRun);
  }

  /** What a run has not been told that it has to do; told once. */
  duties({ principal, run }: Caller): readonly Duty[] {
    if (this.#duties.size === 0) return [];
    const key = `${principal.namespace} ${run.id}`;
    const ofRun = this.#duties.get(key);
    if (!ofRun) return [];
    this.#duties.delete(key);
    return [...ofRun].map(([action, obligations]) => ({ action, obligations: [...obligations] }));
  }
}

/** Nobody approves what they are not shown. @throws {MailboxError} `approval.too_large`; `input.invalid` for what is nested too deep */
function shownWhole<Asked extends ApprovalQuestion>(asked: Asked): Asked {
  const parts = partsLeftOut(asked.arguments);
  if (parts.length === 0) return asked;
  const large = parts.filter(({ isDeep }) => !isDeep);
  if (large.length === 0)
    refuse("input.invalid", {
      problem: `the context, of which the arguments are a part, is nested more than ${maxContextDepth} deep, and no person is asked about that`,
    });
  const bytes = large.reduce((sum, one) => sum + one.bytes, 0);
  return refuse("approval.too_large", {
    ...{ part: "arguments", limit: maxContextCharacters },
    bytes: large.some(({ isBeginning }) => isBeginning) ? `more than ${bytes}` : bytes,
  });
}
