import { MailboxError } from "../errors/index.js";
import { type Admission, type Caller, rowOf } from "../identity/index.js";
import { directoryKeys, loadScript, mailboxKeys, type Store } from "../redis/index.js";

const appendAudit = loadScript(import.meta.url, "append-audit.lua");

/** What somebody asked for, as far as it is ours to write down: an action, and a checked name or `?`. */
export interface Asked {
  readonly action: string;
  readonly resource: string;
}

/** Records decisions that no script with an effect records: looks, and refusals. */
export class Recorder {
  readonly #store: Store;
  readonly #log: (event: string, facts: Record<string, unknown>) => void;

  constructor(deps: {
    readonly store: Store;
    readonly log: (event: string, facts: Record<string, unknown>) => void;
  }) {
    this.#store = deps.store;
    this.#log = deps.log;
  }

  /** Records a decision in the slot of the caller. @throws {MailboxError} `store.*` when it cannot */
  async record(caller: Caller, { row }: Admission): Promise<void> {
    const { namespace, agent } = caller.principal;
    await this.#store.run(appendAudit, [mailboxKeys(namespace, agent).audit], [row]);
  }

  /**
   * Does what was asked for; where that is refused, the refusal is recorded once, with its code and no fact of anybody
   * else, and stands whether or not it could be.
   */
  async guard<T>(caller: Caller, asked: () => Asked, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof MailboxError) await this.refused(caller, asked(), error);
      throw error;
    }
  }

  /** Records a refusal; of somebody who has no run, and so perhaps no mailbox, among the rows of the directory. */
  async refused(caller: Caller, asked: Asked, error: MailboxError): Promise<void> {
    // Nothing was decided then, or it is not known what was; and nothing can be written.
    if (error.code === "store.unavailable" || error.code === "store.outcome_unknown") return;
    const { namespace, agent } = caller.principal;
    const key = caller.run.id === "" ? directoryKeys(namespace).audit : mailboxKeys(namespace, agent).audit;
    const denied = error.kind === "PERMISSION_DENIED" || error.kind === "UNAUTHENTICATED";
    const { action, resource } = error.code === "access.denied" ? deniedOf(error, asked) : asked;
    const reason = reasonOf(error);
    const row = rowOf(caller, {
      action,
      resource,
      outcome: denied ? "deny" : "refuse",
      because: `${error.code}${reason === "" ? "" : `: ${reason}`}`,
    });
    try {
      await this.#store.run(appendAudit, [key], [row]);
    } catch (failure) {
      this.#log("a refusal is not in the audit", {
        code: error.code,
        agent,
        error: (failure as Error).message,
      });
    }
  }
}

/** Which grant or rules refused it, by their ids. */
function reasonOf({ code, cause, facts }: MailboxError): string {
  if (code === "access.denied" && typeof cause === "string") return cause;
  const rules = String(facts.rules ?? "");
  return code.startsWith("policy.") && /^[\w.:, -]{1,500}$/.test(rules) ? rules : "";
}

/** A denial names exactly what was denied, in words of ours. */
function deniedOf({ facts }: MailboxError, asked: Asked): Asked {
  const action = String(facts.action ?? asked.action);
  return {
    action: /^[a-z]+\.[a-z-]+$/.test(action) ? action : asked.action,
    // The right to decide is to decide anything; which request it was about says more.
    resource: asked.resource.startsWith("approval:")
      ? asked.resource
      : String(facts.resource ?? asked.resource),
  };
}
