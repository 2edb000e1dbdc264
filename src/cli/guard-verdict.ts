import { MailboxError } from "../errors/index.js";
import { onOneLine } from "./print.js";

/** A file that another agent has reserved. */
export interface Reserved {
  readonly path: string;
  readonly agent: string;
  /** ISO time; the lease may be prolonged until then. */
  readonly until: string;
}

/** What a guard found out. */
export interface Findings {
  readonly reserved: readonly Reserved[];
  /** Paths that have no name under which they could be locked, so that nobody can have reserved them by it. */
  readonly unnameable: readonly string[];
  /** The store could not be asked, so that nothing is known. */
  readonly away: boolean;
  /** The asker, where it was stopped: it is to change nothing at all. */
  readonly stopped?: string;
}

/** What is to become of an edit or commit when a file is reserved, and when nobody can be asked. */
export interface Manner {
  readonly onConflict: "refuse" | "warn";
  readonly storeAway: "allow" | "refuse";
}

export interface Verdict extends Findings {
  readonly allowed: boolean;
  /** What the person or the model is told; empty when there is nothing to say. */
  readonly text: string;
}

const mostNamed = 10;

/** Decides by what was found. Only paths of the asker, names of agents and times are put into words. */
export function judge(findings: Findings, manner: Manner): Verdict {
  const { reserved, unnameable, away, stopped } = findings;
  if (stopped !== undefined) {
    const { message } = new MailboxError("access.stopped", { agent: stopped });
    return { ...findings, allowed: false, text: `llm-mailbox guard: ${message}` };
  }
  const allowed = away ? manner.storeAway === "allow" : reserved.length === 0 || manner.onConflict === "warn";
  const named = reserved
    .slice(0, mostNamed)
    .map(({ path, agent, until }) => `${shown(path)} is reserved by ${agent} until ${until}`);
  const more = reserved.length - named.length;
  const lines = [
    ...(away
      ? [
          `the store cannot be reached, so nobody knows whether these files are reserved; ${allowed ? "going on all the same" : "try again when it is back"}`,
        ]
      : []),
    ...named,
    ...(more > 0 ? [`and ${more} more`] : []),
    ...(reserved.length > 0
      ? [
          allowed
            ? "going on all the same, as configured; tell them what you change"
            : "leave it alone, agree with them by send_message, or wait with acquire_lock",
        ]
      : []),
    ...(unnameable.length > 0
      ? [
          `not looked at, because no lock can have such a name: ${unnameable.slice(0, mostNamed).map(shown).join(", ")}`,
        ]
      : []),
  ];
  return {
    ...findings,
    allowed,
    text: lines.length > 0 ? `llm-mailbox guard: ${lines.join("\n")}` : "",
  };
}

function shown(path: string): string {
  return onOneLine(path, 200);
}
