import { visible } from "../addresses/index.js";
import { isRefusal, MailboxError } from "../errors/index.js";
import type { Action } from "./action.js";
import type { Caller, Role } from "./principal.js";

/** That a caller may do something, decided a moment ago; what the effect records of the decision. */
export interface Admission {
  /** The audit row of this decision, opaque to scripts: one line, names and codes alone. */
  readonly row: string;
  /**
   * Told once whether the call had an effect: what it was let do by is used up with the effect, and given back without
   * one. Never rejects: what nobody could be told counts as an effect. Absent where nothing depends on it.
   */
  readonly settle?: (hadEffect: boolean) => Promise<void>;
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
  /**
   * Whether a call with this key was done already; asked only where the rules have something to say or to count, so that
   * its repetition is answered. It then passes and does nothing.
   */
  readonly wasDone?: () => Promise<boolean>;
  /**
   * What the same call wants besides and was not asked about before this, so that with a key its own earlier attempt is not
   * held against this.
   */
  readonly behind?: readonly Wish[];
}

/** One of several things that a call wants to do. */
export type Wish = readonly [action: Action, resource: string];

/**
 * Admits to several things of one call, or to none: then nothing is used up. Where some of them need a person, all are
 * asked for before the call is refused, so that they can be decided together, and the refusal names each that is open.
 *
 * @throws {MailboxError} as `Admit`
 */
export async function admitAll(
  admit: Admit,
  caller: Caller,
  wishes: readonly Wish[],
  asked?: Asked,
): Promise<readonly Admission[]> {
  const admissions: Admission[] = [];
  const waiting: MailboxError[] = [];
  try {
    for (const [n, [action, resource]] of wishes.entries())
      try {
        const told = asked && { ...asked, behind: wishes.slice(n + 1) };
        admissions.push(await admit(caller, action, resource, told));
      } catch (error) {
        if (!isRefusal(error, "policy.approval_required")) throw aboutOne(error, resource, wishes.length);
        waiting.push(error);
      }
    if (waiting.length > 0) throw allOf(waiting);
  } catch (error) {
    await settleAll(admissions, false);
    throw error;
  }
  return admissions;
}

/** Of several, a denial says which one it is about, and that with it nothing was done for the others. */
function aboutOne(error: unknown, resource: string, of: number): unknown {
  if (of < 2 || !isRefusal(error, "policy.denied")) return error;
  const { reason, rules, guidance } = error.facts as { reason: string; rules: string; guidance: string };
  const about = `, about ${visible(resource)}; nothing was done for any of these ${of}`;
  return new MailboxError("policy.denied", { reason, rules, guidance, about });
}

async function settleAll(admissions: readonly Admission[], hadEffect: boolean): Promise<void> {
  await Promise.all(admissions.map(({ settle }) => settle?.(hadEffect)));
}

/** One refusal for all: of which approvals its text names the first, and then those that are open too. */
function allOf(waiting: readonly MailboxError[]): MailboxError {
  const [first, ...rest] = waiting;
  const ids = [...new Set(rest.map(({ facts }) => String(facts.id)))];
  if (ids.length === 0) return first!;
  const { id, reason, rules, before } = first!.facts as Record<"id" | "reason" | "rules" | "before", string>;
  const others = `. Nothing is used before all are approved: ${ids.join(", ")} ${ids.length === 1 ? "is" : "are"} open too`;
  return new MailboxError("policy.approval_required", { id, reason, rules, before, others });
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

/**
 * The decisions that let a call pass, on their way to the first script that has an effect for them: recorded there, and
 * nowhere else. What they took hold of is used up or given back by what becomes of the call.
 */
export class PendingRow {
  #row: string;
  #admissions: readonly Admission[];

  constructor(...admissions: readonly Admission[]) {
    this.#row = admissions.map(({ row }) => row).join("\n");
    this.#admissions = admissions;
  }

  /** What the next script has to record: nothing once one has. */
  get text(): string {
    return this.#row;
  }

  /** A script recorded it. */
  written(): void {
    this.#row = "";
  }

  /** Says whether the call had an effect; the first word holds. */
  async settle(hadEffect: boolean): Promise<void> {
    const admissions = this.#admissions;
    this.#admissions = [];
    await settleAll(admissions, hadEffect);
  }

  /**
   * Does what was admitted, and settles by what comes of it, unless that was said on the way. A refusal has no effect; an
   * error of which nobody knows whether something was done counts as one.
   */
  async settling<T>(act: () => Promise<T>, hadEffect: (answer: T) => boolean): Promise<T> {
    let answer: T;
    try {
      answer = await act();
    } catch (error) {
      await this.settle(!isRefusal(error) || error.kind === "UNKNOWN");
      throw error;
    }
    await this.settle(hadEffect(answer));
    return answer;
  }
}
