import type { AgentFacts, Role } from "../identity/index.js";

/** What is asked, with everything it is decided by. Values come from our records but for `context`, which the caller says. */
export interface Question {
  readonly agent: AgentFacts & {
    readonly name: string;
    readonly roles: readonly Role[];
    /** Whether a credential proved the name. */
    readonly verified: boolean;
  };
  readonly action: string;
  /** Empty where none was named. */
  readonly resource: string;
  /** `cost` (a number), `risk`, `arguments` and whatever else the caller says. */
  readonly context: Readonly<Record<string, unknown>>;
  /** Counter → how often in its window, before this call. */
  readonly counts: Readonly<Record<string, number>>;
  readonly reads: Reads;
  /** ms */
  readonly nowMs: number;
}

/** The same question once it is known how often things were: field by field, because it is made for every decision. */
export function withCounts(asked: Omit<Question, "counts">, counts: Question["counts"]): Question {
  const { agent, action, resource, context, reads, nowMs } = asked;
  return { agent, action, resource, context, counts, reads, nowMs };
}

/** Whose messages the asking run has read since it began. */
export interface Reads {
  /** Senders whose name nobody proved. */
  readonly unverified: readonly string[];
  /** Senders who share no team with the reader. */
  readonly foreign: readonly string[];
}
