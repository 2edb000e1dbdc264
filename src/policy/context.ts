import type { Admit, AgentFacts, Caller, RecordDecision, RightsOf } from "../identity/index.js";
import { policyKeyList, policyKeys, type Reply, type Script, type Store } from "../redis/index.js";
import type { CompiledRules } from "./compile-rules.js";
import type { ApprovalTerms } from "./decision.js";
import { type PolicyLimits, scriptLimits } from "./limits.js";
import type { Reads } from "./question.js";

/** The rule set that holds now; version 0 is the profile that holds where none was ever put. */
export interface InForce {
  readonly version: number;
  readonly rules: CompiledRules;
}

/** What a person is asked, with everything they decide by. */
export interface ApprovalRequest {
  readonly action: string;
  readonly resource: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly context: Readonly<Record<string, unknown>>;
  /** Of who asks for what; equal for the same call made again. */
  readonly digest: string;
  readonly reasons: readonly string[];
  readonly rules: readonly string[];
  readonly why: string;
  readonly risk: string;
  readonly terms: ApprovalTerms;
}

/** A request for an approval as its requester may see it. */
export interface ApprovalView {
  readonly id: string;
  readonly state: "open" | "approved" | "rejected" | "answered" | "expired" | "used" | "void";
  readonly expires_at: string;
  /** Who decided. */
  readonly by?: string;
  /** In the words of whoever decided: content, not instructions. */
  readonly comment?: string;
  /** The arguments as they were edited: only with these the approval holds. */
  readonly arguments?: Readonly<Record<string, unknown>>;
}

export interface ApprovalWait {
  readonly waitMs: number;
  readonly signal?: AbortSignal;
  /** Aborts when a wait is to end as if its time were over. */
  readonly draining?: AbortSignal;
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
  /** Asks a person; the same digest while one stands is the same request. */
  readonly openApproval: (caller: Caller, request: ApprovalRequest) => Promise<ApprovalView>;
  /** Uses what was approved for this digest, once; the same operation again is the same use. */
  readonly useApproval: (
    caller: Caller,
    use: { readonly digest: string; readonly operation: string },
  ) => Promise<{ readonly id: string } | undefined>;
  readonly awaitApproval: (caller: Caller, id: string, options: ApprovalWait) => Promise<ApprovalView>;
  /** Tells an address what was decided, because a rule says so. */
  readonly notify: (namespace: string, to: string, message: string) => Promise<void>;
  readonly log: (event: string, facts: Record<string, unknown>) => void;
}

/** So many counters are remembered at most. */
const countsKnown = 10_000;

/** The room's own state in this process: its dependencies, and how often counters were when they were last seen. */
export class PolicyContext {
  readonly deps: PolicyDependencies;
  readonly limits: PolicyLimits;
  readonly #counts = new Map<string, string>();

  constructor(deps: PolicyDependencies) {
    this.deps = deps;
    this.limits = deps.limits;
  }

  /** Runs a script about budgets, whose second argument are the limits of the room. */
  run(namespace: string, script: Script, args: readonly (string | number)[]): Promise<Reply> {
    const keys = policyKeyList(policyKeys(namespace));
    return this.deps.store.run(script, keys, [scriptLimits(this.limits), ...args]);
  }

  /** How often a counter was when this process last saw it: a guess, which the script holds against the truth. */
  lastCount(namespace: string, counter: string): string {
    return this.#counts.get(`${namespace} ${counter}`) ?? "0";
  }

  sawCount(namespace: string, counter: string, count: string): void {
    if (this.#counts.size >= countsKnown) this.#counts.clear();
    this.#counts.set(`${namespace} ${counter}`, count);
  }
}
