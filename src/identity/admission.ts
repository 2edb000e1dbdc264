import type { Action } from "./action.js";
import type { Caller } from "./principal.js";

/** That a caller may do something, decided a moment ago; what the effect records of the decision. */
export interface Admission {
  /** The audit row of this decision, opaque to scripts: one line, names and codes alone. */
  readonly row: string;
}

/**
 * Decides whether the caller may, before anything is looked up about the resource.
 *
 * @throws {MailboxError} `access.denied`; `auth.required` or `auth.invalid` when the credential does not hold any more
 */
export type Admit = (caller: Caller, action: Action, resource: string) => Promise<Admission>;

/** The same question without a refusal and without a trace, to leave out of a list what may not be used. */
export type May = (caller: Caller, action: Action, resource: string) => Promise<boolean>;

/**
 * Records a decision whose effect has no script of its own, such as a look. Where it fails, the call is refused.
 *
 * @throws {MailboxError} `store.*`
 */
export type RecordDecision = (caller: Caller, admission: Admission) => Promise<void>;

/** A decision on its way to the first script that has an effect for it: recorded there, and nowhere else. */
export class PendingRow {
  #row: string;

  constructor(...admissions: readonly Admission[]) {
    this.#row = admissions.map(({ row }) => row).join("\n");
  }

  /** What the next script has to record: nothing once one has. */
  get text(): string {
    return this.#row;
  }

  /** A script recorded it. */
  written(): void {
    this.#row = "";
  }
}
