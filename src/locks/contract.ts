import { z } from "zod";

/** What callers may ask of the locks room. Every face takes its schemas from here, so they cannot disagree. */

const IdempotencyKey = z.string().min(1).max(200).optional();

/** A bare string, or a list written as a string, is accepted where a list is asked for: models write them so. */
const Resources = z.preprocess(
  (given) => (typeof given === "string" ? (listIn(given) ?? [given]) : given),
  z.array(z.string().max(2_000)).min(1).max(100),
) as unknown as z.ZodType<string[]>;

function listIn(text: string): unknown {
  if (!/^\s*\[\s*"/.test(text)) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

export const AcquireLock = z.object({
  resources: Resources.optional().describe("Names or paths, all or none: customer:123, src/auth/**"),
  mode: z.enum(["exclusive", "shared"]).optional(),
  lease_seconds: z.number().int().min(1).max(86_400).optional().describe("Default 600"),
  priority: z.number().int().min(0).max(10).optional().describe("Default 5; 10 first"),
  wait_seconds: z.number().int().min(0).max(50).optional(),
  ticket: z.string().max(60).optional().describe("From queued: keeps your place"),
  lock_id: z.string().max(60).optional().describe("Renew this lease"),
  notify: z
    .string()
    .max(300)
    .optional()
    .describe("Told there when your turn comes: your name, or topic:NAME"),
  idempotency_key: IdempotencyKey,
});
export type AcquireLock = z.infer<typeof AcquireLock>;

export type Mode = "exclusive" | "shared";

/** Somebody a request has to wait for now. */
export interface Holder {
  readonly agent: string;
  readonly mode: Mode;
  /** held · offered: it is their turn · resting: their lease ran out and the delay after it is not over */
  readonly state: "held" | "offered" | "resting";
  /** The resource of the asker that it stands in the way of. */
  readonly resource: string;
  /** It is another run of the asker's agent: named by `lock_id`, it passes to the one that asks. */
  readonly own?: "another run";
  readonly lock_id?: string;
  /** When that ends unless it is prolonged (ISO time). */
  readonly until: string;
}

/** A lease of the run that covers what it asked for. */
export interface HeldLease {
  readonly lock_id: string;
  readonly token: number;
  readonly expires_at: string;
  /** All that it covers, and frees when it is released. */
  readonly resources: readonly string[];
  /** What was asked for and is held by it. */
  readonly covers: readonly string[];
}

export interface LockAnswer {
  /** queued: not yours yet. */
  readonly state: "granted" | "already_held" | "renewed" | "queued";
  /** Not where the run holds what it asked for by several leases, of which `leases` tells. */
  readonly lock_id?: string;
  /** Grows with every grant; pass it with each write that checks it. */
  readonly token?: number;
  readonly expires_at?: string;
  readonly ticket?: string;
  /** 1 is next. */
  readonly place?: number;
  readonly holders?: readonly Holder[];
  /** Who waits before it. */
  readonly before?: readonly { readonly agent: string; readonly own?: "another run" }[];
  /** A holder that waits for a message or a decision of the asker before it goes on. */
  readonly awaits_you?: string;
  /**
   * Edit hooks of the asker's agent have it, and give it back when the turn ends: of `renewed` the lease, of `queued` what
   * others wait for in the circle.
   */
  readonly own_edit_hook?: boolean;
  /**
   * A circle of waits, in words, that stays closed unless a message or a decision comes that somebody in it waits for, or
   * the turn ends of somebody whose edit hooks reserved what others wait for.
   */
  readonly circle?: string;
  /** Of `already_held`: by which leases, where it is not exactly one lease on exactly that. */
  readonly leases?: readonly HeldLease[];
  /** Of `granted`: leases that the run had on some of it before, with what; writes to that go with the new token. */
  readonly older?: readonly { readonly lock_id: string; readonly resources: readonly string[] }[];
  /**
   * Of `granted` to an edit hook, or of `queued` where a run of its agent holds that: when it lost what it asks for again,
   * where others may have changed it since.
   */
  readonly lost_at?: string;
  /** The call waited its whole time, or to the end of its server. */
  readonly timed_out?: boolean;
  /** How long that was. */
  readonly waited_seconds?: number;
  readonly resources: readonly string[];
}

/** Why something is taken by force. */
export const ForceReason = z.string().trim().min(1).max(500);

export const ReleaseLock = z.object({
  lock_id: z.string().max(60).optional(),
  ticket: z.string().max(60).optional().describe("Leave its queue"),
  reason: ForceReason.optional().describe("Admins: why another's is taken"),
  idempotency_key: IdempotencyKey,
});
export type ReleaseLock = z.infer<typeof ReleaseLock>;

export interface Released {
  /** gone: there is no such one of the agent's, or no longer, and nothing was done · lost: so it had, and the run had not been told of it yet */
  readonly state: "released" | "left_queue" | "gone" | "lost";
  /** Of `lost`: a lease on all of it that the run had then, and still has: nobody else got it. */
  readonly still_under?: string;
  /** Another run of the agent had it, and is told that it lost it. */
  readonly other_run?: string;
  /** Another agent had it, from which it was taken by force. */
  readonly taken_from?: string;
  /** Agents whose turn it is now. */
  readonly next: readonly string[];
  /** The same call with the same key was answered before; this is that answer. */
  readonly replayed: boolean;
}

export const ListLocks = z.object({
  resource: z.string().max(2_000).optional().describe("Only what conflicts with this"),
});
export type ListLocks = z.infer<typeof ListLocks>;

export interface ListedLock {
  readonly lock_id: string;
  readonly agent: string;
  readonly mode: Mode;
  readonly state: "held" | "offered" | "resting";
  /** Of the caller's own: whether the run that calls has it. */
  readonly own?: "this run" | "another run";
  readonly resources: readonly string[];
  readonly until: string;
}

export interface ListedWaiter {
  readonly ticket: string;
  readonly agent: string;
  readonly mode: Mode;
  readonly priority: number;
  readonly since: string;
  /** It did not come when it was its turn; it keeps its place and stands in nobody's way until it calls. */
  readonly passed_over: boolean;
  /** Of the caller's own: whether the run that calls waits. */
  readonly own?: "this run" | "another run";
  readonly resources: readonly string[];
}

/** What an agent has of locks, in all of its runs. */
export interface OwnLocks {
  readonly held: readonly {
    readonly lock_id: string;
    readonly token: number;
    readonly until: string;
    readonly mode: Mode;
    readonly own: "this run" | "another run";
    readonly resources: readonly string[];
  }[];
  readonly waiting: readonly {
    readonly ticket: string;
    readonly state: "waiting" | "your turn" | "passed over";
    /** Of who waits: 1 is next. */
    readonly place?: number;
    /** Of whose turn it is: when that ends. */
    readonly until?: string;
    readonly mode: Mode;
    readonly own: "this run" | "another run";
    readonly resources: readonly string[];
  }[];
  /** How many more there are than are listed. */
  readonly more: number;
}

export interface LockList {
  readonly holders: readonly ListedLock[];
  /** In the order in which they are served. */
  readonly waiters: readonly ListedWaiter[];
  /** How many more there are than are listed. */
  readonly more: number;
}

/** Something about the locks of a run that it has not been told yet. */
export type LockNews = NewsOfLock | NewsOfCircle | MoreLost | EarlierLoss;

/** The run lost more than one reply names. Each of them is named by a later one. */
interface MoreLost {
  readonly what: "more lost";
  readonly count: number;
}

/** The run waits for a message or a decision in a circle with those that wait for what it holds. */
interface NewsOfCircle {
  readonly what: "circle";
  readonly circle: string;
  /** They wait for what edit hooks of its agent reserved. */
  readonly own_edit_hook?: boolean;
}

/** Of a call whose answer may tell what the run lost. */
export interface TellOptions {
  /** What the answer, or the refusal, tells of it, which counts as told: for `keepNews`, where it does not reach its client. */
  readonly tells?: (news: LockNews) => void;
}

export interface NewsOfLock {
  readonly id: string;
  /** elsewhere: another run of the agent named it, and has it since. */
  readonly what: "lost" | "place lost" | "elsewhere" | "ends soon" | "your turn" | "passed over";
  readonly resources: readonly string[];
  /** Of what is lost, where that was a shared lease. */
  readonly shared?: true;
  /** Of what is lost: a lease on all of it, as strong, that the run had then, and still has: nobody else got it. */
  readonly still_under?: string;
  /** Of what is lost, where there is none: such a lease that the run has now. Others may have had it in between. */
  readonly again_under?: string;
  /** When it ends, for what ends. */
  readonly until?: string;
  readonly force?: Force;
}

/** Of what is lost, where it was taken by force: by whom and why. */
export interface Force {
  readonly by: string;
  readonly reason: string;
}

/** What a run lost that ended without its client's doing, as the next run of its agent is told. */
export type EarlierLoss =
  | {
      readonly what: "lost with its run" | "place lost with its run";
      readonly id: string;
      readonly resources: readonly string[];
      readonly force?: Force;
    }
  /** Those that are not told one by one. */
  | { readonly what: "more lost with their run"; readonly count: number };
