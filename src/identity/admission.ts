import { isRefusal } from "../errors/index.js";
import type { Action } from "./action.js";
import type { Caller, Role } from "./principal.js";

/** That a caller may do something, decided a moment ago; what the effect records of the decision. */
export interface Admission {
  /** The audit row of this decision, opaque to scripts: one line, names and codes alone. */
  readonly row: string;
}

/**
 * Decides whether the caller may, before anything is looked up about the resource: by roles and grants, and where what
 * is asked is told, by the policy of the namespace too.
 *
 * @throws {MailboxError} `access.denied`, `policy.*`; `auth.required` or `auth.invalid` when the credential does not hold any more
 */
export type Admit = (caller: Caller, action: Action, resource: string, asked?: Asked) => Promise<Admission>;

/** What a call wants to do beside its action and resource, for rules that look at it. */
export interface Asked {
  /** The arguments of the call, as the caller gave them. */
  readonly arguments: Readonly<Record<string, unknown>>;
  /** The caller's key for this call, so that its repetition is known. */
  readonly idempotencyKey?: string;
}

/**
 * Admits to several things of one call, or to none. Where some of them need a person, all are asked for before the call
 * is refused, so that they can be decided together.
 *
 * @throws {MailboxError} as `Admit`
 */
export async function admitAll(
  admit: Admit,
  caller: Caller,
  wishes: readonly (readonly [action: Action, resource: string])[],
  asked?: Asked,
): Promise<readonly Admission[]> {
  const admissions: Admission[] = [];
  let waiting: unknown;
  for (const [action, resource] of wishes)
    try {
      admissions.push(await admit(caller, action, resource, asked));
    } catch (error) {
      if (!isRefusal(error, "policy.approval_required")) throw error;
      waiting ??= error;
    }
  if (waiting !== undefined) throw waiting;
  return admissions;
}

/**
 * What somebody may by the rules of one moment, without a refusal and without a trace: for whoever decides about many
 * resources at once, and to leave out of a list what may not be used.
 */
export interface Rights {
  (action: Action, resource: string): boolean;
  /** The roles by which it is decided. */
  readonly roles: readonly Role[];
}

/**
 * The rights of a caller now.
 *
 * @throws {MailboxError} `auth.required`, `auth.invalid`, `store.*`
 */
export type RightsOf = (caller: Caller) => Promise<Rights>;

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
