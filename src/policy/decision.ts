export const effects = ["allow", "require_approval", "deny"] as const;
/** From the least to the most restrictive. */
export type Effect = (typeof effects)[number];

/** What rules say to a question. Limits, which need the store, may still make it more restrictive. */
export interface Decision {
  readonly effect: Effect;
  /** The rules that decided, highest priority first; empty where none did. */
  readonly rules: readonly DecidingRule[];
  /** What rules that are only tried out would have said. */
  readonly shadow: readonly { readonly id: string; readonly effect: Effect }[];
  readonly obligations: readonly string[];
  /** False where no rule speaks of the action; then what is known and nearest to it. */
  readonly known: boolean;
  readonly nearest: readonly string[];
  /** How a person is asked; there when the effect is require_approval. */
  readonly approval?: ApprovalTerms;
}

export interface DecidingRule {
  readonly id: string;
  readonly effect: Effect;
  /** In the words of the rule's author, or ours. */
  readonly reason: string;
  /** What to do instead. */
  readonly guidance?: string;
  /** Its condition could not be decided, so that it holds. */
  readonly failed?: true;
}

export interface ApprovalTerms {
  readonly expiresMs: number;
  /** What holds when nobody decides in time. */
  readonly otherwise: "deny" | "allow";
  /** So many different approvers have to agree. */
  readonly quorum: number;
  /** Agents (`alice`) or roles (`role:approver`) who may decide. */
  readonly approvers: readonly string[];
  /** Whether a rule named them; otherwise they are the usual ones. */
  readonly namesApprovers?: boolean;
  /** Who is told too when nothing is decided by then. */
  readonly escalate?: { readonly afterMs: number; readonly to: readonly string[] };
  /** Whether the word of the client's user counts. */
  readonly byClient: boolean;
}

/** A sum or a number of calls that may not be exceeded in a window. */
export interface Limit {
  readonly id: string;
  readonly of: "cost" | "calls";
  /** Whose use is added up, as it is kept: `agent:alice`, `team:payments`, `namespace`. */
  readonly subject: string;
  /** Millionths for cost; a number of calls. */
  readonly most: number;
  /** Windows follow each other from the beginning of 1970, UTC. */
  readonly windowMs: number;
  readonly effect: "deny" | "require_approval";
  readonly reason: string;
  readonly guidance?: string;
  /** What becomes of a reservation that is never settled. */
  readonly unsettled: "release" | "charge";
  readonly shadow: boolean;
}

/** Something that is counted, because rules ask how often. */
export interface Counter {
  readonly name: string;
  /** Under which name decisions are told how often it was, where that is not its own. */
  readonly as?: string;
  /** As it is kept: `agent:alice`, or with the digest of what was asked. */
  readonly subject: string;
  readonly windowMs: number;
  /** Whether this call counts; otherwise it is only asked for. */
  readonly counts: boolean;
}
