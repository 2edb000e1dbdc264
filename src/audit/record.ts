import { MailboxError } from "../errors/index.js";
import { type Admission, type Caller, rowOf } from "../identity/index.js";
import { directoryKeys, loadScript, mailboxKeys, type Store } from "../redis/index.js";
import { RefusalTally } from "./refusal-tally.js";

const appendAudit = loadScript(import.meta.url, "append-audit.lua");

/** What somebody asked for, as far as it is ours to write down: an action, and a checked name or `?`. */
export interface Asked {
  readonly action: string;
  readonly resource: string;
}

interface Refused {
  readonly caller: Caller;
  readonly asked: Asked;
  readonly error: MailboxError;
}

/** Records decisions that no script with an effect records: looks, and refusals. */
export class Recorder {
  readonly #store: Store;
  readonly #hasRun: (caller: Caller) => boolean;
  readonly #log: (event: string, facts: Record<string, unknown>) => void;
  readonly #tally = new RefusalTally<Refused>(({ first, count }) =>
    this.#write(first, `; and ${count - 1} more refusals of this caller in the same minute`),
  );

  constructor(deps: {
    readonly store: Store;
    /** Whether the run of this caller began here, and so its agent is known to have a mailbox. */
    readonly hasRun: (caller: Caller) => boolean;
    readonly log: (event: string, facts: Record<string, unknown>) => void;
  }) {
    this.#store = deps.store;
    this.#hasRun = deps.hasRun;
    this.#log = deps.log;
  }

  /** Records a decision in the slot of the caller, or of the directory where no run of it began here. @throws {MailboxError} `store.*` when it cannot */
  async record(caller: Caller, { row }: Admission): Promise<void> {
    await this.#store.run(appendAudit, [this.#rowsOf(caller)], [row]);
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

  /**
   * Records a refusal; of somebody who has no run, and so perhaps no mailbox, among the rows of the directory. Refusals
   * that anybody can have without end share a row from the 601st in a minute on.
   */
  async refused(caller: Caller, asked: Asked, error: MailboxError): Promise<void> {
    // Nothing was decided then, or it is not known what was; and nothing can be written.
    if (error.code === "store.unavailable" || error.code === "store.outcome_unknown") return;
    const refused = { caller, asked, error };
    const author = endlessAuthor(refused);
    if (author === undefined || this.#tally.isSingle(author, refused)) await this.#write(refused, "");
  }

  /** Writes what is not written yet. */
  async close(): Promise<void> {
    await this.#tally.flush();
  }

  /**
   * Where rows of a caller go: whoever has no run, such as the command line that looks with the eyes of an agent and the hook
   * of a client, may have no mailbox, and nobody would look for its rows there.
   */
  #rowsOf(caller: Caller): string {
    const { namespace, agent } = caller.principal;
    return this.#hasRun(caller) ? mailboxKeys(namespace, agent).audit : directoryKeys(namespace).audit;
  }

  async #write({ caller, asked, error }: Refused, more: string): Promise<void> {
    const denied = error.kind === "PERMISSION_DENIED" || error.kind === "UNAUTHENTICATED";
    const { action, resource } = error.code === "access.denied" ? deniedOf(error, asked) : asked;
    const reason = reasonOf(error);
    const row = rowOf(caller, {
      action,
      resource,
      outcome: denied ? "deny" : "refuse",
      because: `${error.code}${reason === "" ? "" : `: ${reason}`}${more}`,
    });
    try {
      await this.#store.run(appendAudit, [this.#rowsOf(caller)], [row]);
    } catch (failure) {
      this.#log("a refusal is not in the audit", {
        code: error.code,
        agent: caller.principal.agent,
        error: (failure as Error).message,
      });
    }
  }
}

/**
 * Whose refusals no limit bounds: of whoever proves nothing, all together, because a name costs nothing; of a credential
 * that was issued, its own; and of an agent whose minute is used up.
 */
function endlessAuthor({ caller, error }: Refused): string | undefined {
  const { namespace, agent, credential } = caller.principal;
  if (error.code === "mailbox.rate_limited") return `${namespace}/${agent}`;
  if (caller.run.id !== "") return undefined;
  return `${namespace} ${"id" in credential ? credential.id : ""}`;
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
