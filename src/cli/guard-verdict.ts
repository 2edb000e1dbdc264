import { visible } from "../addresses/index.js";
import { MailboxError } from "../errors/index.js";
import type { GuardFindings } from "../locks/index.js";
import { onOneLine } from "./print.js";

/** What a guard found out. */
export interface Findings extends GuardFindings {
  /** Who could not be asked, so that nothing is known. */
  readonly away?: "store" | "server";
  /** The asker, where it was stopped: it is to change nothing at all. */
  readonly stopped?: string;
  /** What kept a store or a server that can be reached from saying more. */
  readonly undecided?: string;
}

export const nothingFound: Findings = { reserved: [], wanted: [], refused: [], untold: [], unnameable: [] };

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

/** Of what was not to be reserved: a change of it would come too late. */
const late = new Set(["lock.lost_since", "lock.token_refused"]);

/**
 * Decides by what was found. An edit of what may have changed since its reservation was lost is refused once. `--on-conflict warn` passes by what other agents have or want, and by locks that cannot be
 * had for other reasons of theirs; what rules or rights forbid stays forbidden.
 *
 * @param isTaking whether the files were to be reserved
 */
export function judge(findings: Findings, manner: Manner, isTaking = false): Verdict {
  const { reserved, wanted, refused, lost = [], untold, unnameable, away, stopped, undecided } = findings;
  const verdict = (allowed: boolean, ...lines: string[]): Verdict => ({
    ...findings,
    allowed,
    text: lines.length > 0 ? `llm-mailbox guard: ${lines.join("\n")}` : "",
  });
  if (stopped !== undefined)
    return verdict(false, new MailboxError("access.stopped", { agent: stopped }).message);
  if (undecided !== undefined)
    return verdict(false, `nothing could be decided, so this is refused: ${visible(undecided, "\n")}`);
  if (away) {
    const allowed = manner.storeAway === "allow";
    return verdict(
      allowed,
      `the ${away} cannot be reached, so nobody knows whether these files are reserved; ${allowed ? "going on all the same" : "try again when it is back"}`,
    );
  }
  const isContested = reserved.length + wanted.length + untold.length > 0;
  const resting = reserved.filter(({ rests }) => rests);
  const isOnlyResting = resting.length === reserved.length + wanted.length + untold.length;
  const allowed =
    (!isContested && refused.length + lost.length === 0) ||
    (manner.onConflict === "warn" && refused.every(({ code }) => code.startsWith("lock.")));
  const all = [
    // First what is told once.
    ...lost.map(
      ({ path, lost_at, agent, since }) =>
        `the reservation of ${shown(path)} was lost at ${lost_at}, and ${agent === undefined ? "others may have changed it since" : `${agent} got it at ${since} and may have changed it`}`,
    ),
    ...reserved.map(({ path, agent, until, rests }) =>
      rests
        ? `${shown(path)} rests until ${until}, after it was lost${agent === undefined ? "" : ` by ${agent}`}`
        : `${shown(path)} is reserved by ${named(agent)} until ${until}`,
    ),
    ...wanted.map(
      ({ path, agent, waits_for: other }) =>
        `${shown(path)} is wanted before you by ${named(agent)}${other ? `, who waits for ${shown(other.resource)}, reserved by ${other.agent} until ${other.until}` : ""}`,
    ),
    ...untold.map(
      (path) => `so many locks lie around ${shown(path)} that nobody can tell whether it is reserved`,
    ),
    ...refused.map(
      ({ path, code, message }) =>
        `${shown(path)}${late.has(code) ? "" : " cannot be reserved"}: ${visible(message, "\n")}`,
    ),
  ];
  const more = all.length - mostNamed;
  const lines = [...all.slice(0, mostNamed), ...(more > 0 ? [`and ${more} more`] : [])];
  if (allowed && lines.length > 0)
    lines.push(
      `going on all the same, as configured${all.length > refused.length ? "; tell them what you change" : ""}`,
    );
  if (lost.length > 0)
    lines.push(
      `read again ${lost.length > mostNamed ? `all files of this edit, as ${lost.length} were lost` : "what was lost"}${allowed ? "" : ", then repeat the edit"}: it is yours again, or a run of yours holds it, and this is told once`,
    );
  if (!allowed && resting.length > 0)
    lines.push(
      "leave what rests alone until then, or wait with acquire_lock: whoever lost it may write late",
    );
  if (!allowed && isContested && !isOnlyResting)
    lines.push(
      "leave it alone, or ask them for it. An agent can agree with them by send_message, end its turn, or wait with acquire_lock, which tells it where they wait for it too",
    );
  if (isTaking && unnameable.length > 0)
    lines.push(
      `not reserved for you, because no lock can have such a name; a lock on its folder covers it: ${unnameable.slice(0, mostNamed).map(shown).join(", ")}`,
    );
  return verdict(allowed, ...lines);
}

function named(agent: string | undefined): string {
  return agent ?? "another agent";
}

function shown(path: string): string {
  return onOneLine(path, 200);
}
