import {
  type Admit,
  type AgentFacts,
  auditRow,
  type Caller,
  type RecordDecision,
  type Rights,
  type RightsOf,
} from "../identity/index.js";
import {
  approvalKeyList,
  approvalKeys,
  type Hints,
  KeyLists,
  type Reply,
  type Script,
  type Store,
} from "../redis/index.js";
import type { ApprovalLimits } from "./limits.js";
import type { Voter } from "./vote.js";

type Values = Readonly<Record<string, unknown>>;

/** A message of ours to somebody who may decide. */
export interface Notice {
  readonly subject: string;
  readonly body: string;
  /** The same name again is the same message. */
  readonly about: string;
}

/** What the room of approvals is given: the store, and by compose what it needs of other rooms. */
export interface ApprovalDependencies {
  readonly store: Store;
  readonly hints: Hints;
  readonly limits: ApprovalLimits;
  readonly admit: Admit;
  readonly rightsOf: RightsOf;
  readonly record: RecordDecision;
  /** What the records of the namespace say of an agent. */
  readonly factsOf: (caller: Caller) => Promise<AgentFacts>;
  /** What somebody who voted may by the rules of now; nothing when what proved them was revoked since. */
  readonly rightsOfVoter: (namespace: string, voter: Voter) => Promise<Rights | undefined>;
  /** Whether an agent was stopped: nothing it asks for is done meanwhile. */
  readonly isStopped: (namespace: string, agent: string) => Promise<boolean>;
  /**
   * The arguments of a step of an agent as whoever takes it asks about them: those of our own tools in one form.
   *
   * @throws {MailboxError} where it could not be taken with them
   */
  readonly argumentsOf: (agent: string, action: string, given: Values) => Promise<Values>;
  /** The agents to whom the namespace gave a role. */
  readonly holdersOf: (namespace: string, role: string) => Promise<readonly string[]>;
  /** Mails an agent in the name of the postmaster. @returns the id of the message */
  readonly notify: (namespace: string, agent: string, notice: Notice) => Promise<string>;
  readonly log: (event: string, facts: Record<string, unknown>) => void;
}

/** The room's own state in this process: its dependencies, and what it signs links with. */
export class ApprovalContext {
  readonly deps: ApprovalDependencies;
  readonly limits: ApprovalLimits;
  /** Namespace → key of its links. */
  readonly linkKeys = new Map<string, string>();
  readonly #limits: string;

  constructor(deps: ApprovalDependencies) {
    this.deps = deps;
    this.limits = deps.limits;
    const { keepMs, usableMs, pending, pendingOfAgent } = deps.limits;
    this.#limits = [keepMs, usableMs, pending, pendingOfAgent].join(",");
  }

  /** Runs a script on the approvals of a namespace; what time has made due since leaves its row on the way. */
  run(namespace: string, script: Script, args: readonly (string | number)[]): Promise<Reply> {
    this.#runs += 1;
    const row = auditRow({
      id: `time.${this.#name}.${this.#runs.toString(36)}`,
      agent: "",
      run: "",
      by: "none",
      action: "approval.time",
      resource: "approval:@ID@",
      outcome: "allow",
      because: "@WHY@",
    });
    return this.deps.store.run(script, this.#keyLists.of(namespace), [`${this.#limits},${row}`, ...args]);
  }

  readonly #keyLists = new KeyLists(approvalKeys, approvalKeyList);
  #runs = 0;
  readonly #name = Math.random().toString(36).slice(2, 10);
}
