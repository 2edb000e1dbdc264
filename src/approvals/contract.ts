import { z } from "zod";
import type { Question } from "./question.js";
import type { ApprovalState } from "./stored-request.js";
import { decisions, type Verdict, type Way } from "./vote.js";

export const DecideApproval = z.object({
  approval_id: z.string().max(40).optional().describe("Without it: lists what waits"),
  decision: z.enum(decisions).optional().describe("edit: approve with other arguments"),
  comment: z.string().max(2_000).optional().describe("Why; for answer, the answer"),
  arguments: z.record(z.string(), z.unknown()).optional().describe("For edit: all of them, as JSON object"),
  offset: z.number().int().min(0).optional().describe("The rest of a long one, from here"),
  idempotency_key: z.string().min(1).max(200).optional(),
});
export type DecideApproval = z.infer<typeof DecideApproval>;

/** A decision on one request. */
export interface Decision {
  readonly approval_id: string;
  readonly decision: Verdict;
  readonly comment?: string | undefined;
  readonly arguments?: Readonly<Record<string, unknown>> | undefined;
  readonly idempotency_key?: string | undefined;
}

/** How a person is asked. */
export interface Terms {
  readonly expiresMs: number;
  /** What holds when nobody decides in time. */
  readonly otherwise: "deny" | "allow";
  /** So many different approvers have to agree. */
  readonly quorum: number;
  /** Agents (`alice`) or roles (`role:approver`) who may decide. */
  readonly approvers: readonly string[];
  /** Who may decide too, and is told, when nothing is decided by then. */
  readonly escalate?: { readonly afterMs: number; readonly to: readonly string[] } | undefined;
  /** Whether the word of the client's user counts. */
  readonly byClient: boolean;
}

/** What a caller has to ask a person about, and why. */
export interface ApprovalRequest extends Question {
  /** Ids of the rules that ask for it, and their reasons. */
  readonly rules: readonly string[];
  readonly reasons: readonly string[];
  /** The caller's own words; empty where there are none. */
  readonly why: string;
  /** As the caller says it; empty where it does not. */
  readonly risk: string;
  /** The argument from which the resource was taken, which no edit changes; absent where nobody knows. */
  readonly naming?: string | undefined;
  /** Names in the context that are not the caller's words: who asks for it put them there. */
  readonly added?: readonly string[];
  readonly terms: Terms;
}

export interface OpenedApproval {
  readonly id: string;
  readonly state: ApprovalState;
  /** Until when it waits, or what was approved can be used. */
  readonly expiresAt: number;
  /** False where a request for the same question stood already. */
  readonly isNew: boolean;
  /** Who said no to the same before, with their comment. */
  readonly before?: {
    readonly id: string;
    readonly state: "rejected" | "answered";
    readonly by: string;
    readonly text?: string;
  };
}

export interface ShownVote {
  readonly by: string;
  /** False where nothing but the client's word says who it was. */
  readonly verified: boolean;
  readonly way: Way;
  readonly decision: Verdict;
  readonly comment?: string;
  /** For edit: what it approves in place of what was asked. Lists leave it out. */
  readonly arguments?: Readonly<Record<string, unknown>>;
  /** There where it does not count as things are: its voter lost the right or was stopped, or its proof was revoked. */
  readonly counts?: false;
  readonly at: string;
}

/** The parts of a request that lists show. */
export interface ApprovalHead {
  readonly id: string;
  readonly state: ApprovalState;
  /** Whether what was asked may be done; absent while nothing is decided. */
  readonly effect?: "allow" | "deny";
  readonly agent: string;
  /** There where whoever asked was stopped since. */
  readonly stopped?: true;
  readonly verified: boolean;
  readonly action: string;
  readonly resource: string;
  readonly risk: string;
  readonly rules: readonly string[];
  readonly opened_at: string;
  readonly expires_at: string;
  /** What holds when nobody decides in time. */
  readonly otherwise: "deny" | "allow";
  readonly quorum: number;
  readonly approvers: readonly string[];
  readonly escalates_at?: string;
  readonly escalates_to?: readonly string[];
  /** Votes that count and say the same, as far as `quorum` asks for them. */
  readonly agreeing: number;
  readonly votes: readonly ShownVote[];
}

/** A request with everything its approver needs. What `why`, `risk`, arguments and context say is the requester's. */
export interface Approval extends ApprovalHead {
  readonly roles: readonly string[];
  readonly role: string;
  readonly team: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly context: Readonly<Record<string, unknown>>;
  /** What was added to the context by us: what would be held, and the steps that were read out of a command. */
  readonly added?: Readonly<Record<string, unknown>>;
  readonly why: string;
  readonly reasons: readonly string[];
  /** Whether the word of the client's user counts. */
  readonly by_client: boolean;
  /** What was approved in place of the arguments that were asked for, or is about to be. */
  readonly edited_arguments?: Readonly<Record<string, unknown>>;
  /** A text in place of a decision. */
  readonly answer?: string;
  /** Whose votes decided. */
  readonly decided_by: readonly string[];
  readonly decided_at?: string;
  /** Until when it can be used. */
  readonly usable_until?: string;
  readonly used_at?: string;
}

/** What became of a decision: of several that are needed, this may not be the last. */
export interface Decided {
  readonly approval: Approval;
  /** Votes that say the same, this one included. */
  readonly agreeing: number;
  /** The same vote was there already. */
  readonly repeated: boolean;
}
