import { z } from "zod";

export const FindRecipients = z.object({
  text: z.string().max(100).optional().describe("Part of a name"),
  capability: z.string().max(60).optional(),
  online: z.boolean().optional(),
});
export type FindRecipients = z.infer<typeof FindRecipients>;

export interface Recipients {
  readonly agents: readonly {
    readonly name: string;
    readonly online: boolean;
    readonly last_seen?: string;
    readonly description?: string;
    readonly capabilities: readonly string[];
  }[];
  readonly queues: readonly { readonly name: string; readonly ready: number }[];
  readonly topics: readonly { readonly name: string }[];
  /** How many more matched than are listed. */
  readonly more: number;
}

export const MyStatus = z.object({
  describe: z.string().max(300).optional().describe("What others read about you"),
  capabilities: z.array(z.string().max(60)).max(20).optional().describe("What you can be asked to do"),
  idempotency_key: z.string().min(1).max(200).optional(),
});
export type MyStatus = z.infer<typeof MyStatus>;

/** Locks as an agent reads of its own; `own` tells the run that calls from its others. */
export interface StatusLocks {
  readonly held: readonly {
    readonly lock_id: string;
    readonly token: number;
    readonly until: string;
    readonly mode: "exclusive" | "shared";
    readonly own: "this run" | "another run";
    readonly resources: readonly string[];
  }[];
  readonly waiting: readonly {
    readonly ticket: string;
    readonly state: "waiting" | "your turn" | "passed over";
    readonly place?: number;
    readonly until?: string;
    readonly mode: "exclusive" | "shared";
    readonly own: "this run" | "another run";
    readonly resources: readonly string[];
  }[];
  readonly more: number;
}

export interface Status {
  readonly name: string;
  readonly namespace: string;
  readonly verified: boolean;
  readonly run: string;
  /** Other live runs of this agent that share its mailbox. */
  readonly other_runs: number;
  readonly rights: readonly string[];
  readonly unread: number;
  readonly urgent: number;
  readonly open: number;
  readonly overdue: readonly { readonly id: string; readonly from: string; readonly since: string }[];
  readonly dead_letters: number;
  readonly subscriptions: readonly string[];
  /** Limits on what it may spend and how often it may call, with what is left of them. */
  readonly budgets: readonly {
    readonly id: string;
    readonly of: "cost" | "calls";
    readonly subject: string;
    readonly used: number;
    readonly held: number;
    readonly most: number;
    readonly left: number;
    readonly window_ends_at: string;
  }[];
  /** What its runs hold and wait for; absent when that is nothing. */
  readonly locks?: StatusLocks;
  /** Requests that wait for the caller's decision; absent when there are none. */
  readonly approvals?: number;
  readonly store: string;
  readonly tier: string;
}
