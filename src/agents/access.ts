import { refuse } from "../errors/index.js";
import {
  type Action,
  type Admission,
  type AgentFacts,
  type Caller,
  isOperator,
  noFacts,
  type Principal,
  type Rights,
  type Role,
  rowOf,
} from "../identity/index.js";
import { directoryKeys, FreshCopy, type Hints, loadScript, type Store } from "../redis/index.js";
import { type Asking, type Decision, decideAccess } from "./decide-access.js";
import { type Grant, grantsMost } from "./grant.js";
import { GrantBook } from "./grant-book.js";
import { mayAnywhere } from "./may-anywhere.js";
import { isRevoked, storedToken, type TokenRecord, tokenState } from "./token-record.js";

const changeAccess = loadScript(import.meta.url, "change-access.lua");

/** Whoever tries many ids must not fill our memory with them. */
const mostTokensKnown = 10_000;

/** The rules of a namespace, as they were at most a second ago. */
export interface Rules {
  readonly version: string;
  /** Whether somebody issued a token here: from then on nobody is believed without one. */
  readonly tokensRequired: boolean;
  readonly roles: ReadonlyMap<string, readonly Role[]>;
  readonly grants: readonly Grant[];
  /** The same grants, arranged for deciding. */
  readonly book: GrantBook;
  /** What the namespace knows of its agents, beside what they may. */
  readonly facts: ReadonlyMap<string, AgentFacts>;
  /** The agents that may do nothing until they are let go on. */
  readonly stopped: ReadonlyMap<string, Stop>;
}

/** That an agent was stopped. */
export interface Stop {
  /** In the words of whoever stopped it; shown to operators alone. */
  readonly reason: string;
  readonly by: string;
  /** By the store's clock, ms. */
  readonly at: number;
}

/** What a connection was opened with, and whose it is: enough to tell whether it still holds. */
export type Held = Pick<Principal, "namespace" | "credential"> & { readonly agent?: string };

/** A change of one field of the rules; without a value the field goes. */
export interface RuleChange {
  readonly field:
    | `grant:${string}`
    | `roles:${string}`
    | `facts:${string}`
    | `stopped:${string}`
    | "tokens-required";
  readonly value?: string;
  /** What it has to be for the change to be made, empty for nothing; without it the change is made in any case. */
  readonly was?: string;
}

/** A change of what is kept of one token, as texts: what it was, empty for a new one, and what it shall be. */
export interface TokenChange {
  readonly token: string;
  readonly from: string;
  readonly to: string;
}

export interface AccessDependencies {
  readonly store: Store;
  readonly hints: Hints;
  /** Why a name alone is not believed even where no token was ever issued; without it, it is believed there. */
  readonly namesRefused?: string;
}

/** The rules of a namespace as this process has them, and what it knows of tokens at the same version. */
interface Known {
  readonly rules: Rules;
  readonly tokens: Map<string, TokenRecord | undefined>;
}

/**
 * The gate: decides for each call whether its caller may, by rules that are at most a second old.
 *
 * The version of the rules is asked for at most once in 750 ms, and only when there is a call to decide.
 */
export class Access {
  readonly #store: Store;
  readonly #hints: Hints;
  readonly #namesRefused: string | undefined;
  readonly #known = new Map<string, FreshCopy<Known>>();

  constructor(deps: AccessDependencies) {
    this.#store = deps.store;
    this.#hints = deps.hints;
    this.#namesRefused = deps.namesRefused;
  }

  /**
   * Lets the caller pass or refuses, whether or not the resource exists.
   *
   * @throws {MailboxError} `access.denied`, `access.stopped`, `auth.required`, `auth.invalid`
   */
  async admit(caller: Caller, action: Action, resource: string): Promise<Admission> {
    const { principal } = caller;
    const { allowed, because } = await this.decide(caller, action, resource);
    // Why is for the audit alone: a caller need not know which rule it was.
    if (!allowed)
      refuse("access.denied", { principal: principal.agent, action, resource }, { cause: because });
    return { row: rowOf(caller, { action, resource, outcome: "allow", because }) };
  }

  /** @throws {MailboxError} `auth.required`, `auth.invalid` when the caller's credential does not hold any more, `access.stopped` */
  async decide(caller: Caller, action: Action, resource: string): Promise<Decision> {
    const { asking, rules } = await this.#askedBy(caller.principal);
    return decideAccess(asking, action, resource, rules.book, this.#store.now());
  }

  /** What the caller may by the rules of now, to decide about many resources at once. Throws as `decide`. */
  async rightsOf(caller: Caller): Promise<Rights> {
    const { asking, rules } = await this.#askedBy(caller.principal);
    const may = (action: Action, resource: string): boolean =>
      decideAccess(asking, action, resource, rules.book, this.#store.now()).allowed;
    return Object.assign(may, { roles: asking.roles });
  }

  /**
   * What somebody may by the rules alone, whatever proves them now: for whoever acted before, or is about to be told.
   * Whoever was stopped may do nothing.
   */
  async rightsByRules(principal: Principal): Promise<Rights> {
    const { namespace, agent } = principal;
    const rules = await this.rules(namespace);
    const asking = { agent, roles: rolesOf(principal, rules), isOperator: isOperator(principal) };
    const isStopped = !asking.isOperator && rules.stopped.has(agent);
    const may = (action: Action, resource: string): boolean =>
      !isStopped && decideAccess(asking, action, resource, rules.book, this.#store.now()).allowed;
    return Object.assign(may, { roles: asking.roles });
  }

  /** Which actions somebody may do with anything at all; needs no run. Throws as `decide`. */
  async usableBy(principal: Principal): Promise<(action: Action) => boolean> {
    const { asking, rules } = await this.#askedBy(principal);
    return (action) => mayAnywhere(asking, action, rules.book, this.#store.now());
  }

  /**
   * That the credential holds, by rules that are at most a second old: a token is neither revoked nor over, a JWT not
   * over, and a name alone is believed here; and that whose it is was not stopped, whatever proves it.
   *
   * @throws {MailboxError} `auth.required`, `auth.invalid`, `access.stopped`
   */
  async check(held: Held): Promise<Rules> {
    const rules = await this.#proved(held);
    // Whoever opens the store looks with the eyes of agents that are stopped too.
    if (held.agent !== undefined && held.credential.kind !== "operator") refuseStopped(rules, held.agent);
    return rules;
  }

  /** That this agent was not stopped, for what is done in its name by whoever opens the store. @throws {MailboxError} `access.stopped` */
  async refuseStopped(namespace: string, agent: string): Promise<void> {
    refuseStopped(await this.rules(namespace), agent);
  }

  /** What the namespace's records say of an agent. No claim of the agent or its credential changes it. */
  async factsOf(namespace: string, agent: string): Promise<AgentFacts> {
    return (await this.rules(namespace)).facts.get(agent) ?? noFacts;
  }

  async #proved({ namespace, credential }: Held): Promise<Rules> {
    const rules = await this.rules(namespace);
    switch (credential.kind) {
      case "operator":
        return rules;
      case "none":
        this.#believe(rules);
        return rules;
      case "jwt":
        return credential.expiresAt > Date.now() ? rules : refuse("auth.invalid");
      case "token": {
        const record = await this.token(namespace, credential.id);
        if (!record || tokenState(record, this.#store.now()) !== "live") refuse("auth.invalid");
        return rules;
      }
    }
  }

  /** What is kept of a token, at most a second old; not whether it is the one that somebody showed. */
  async token(namespace: string, id: string): Promise<TokenRecord | undefined> {
    const known = this.#known.get(namespace);
    // Whoever has proved nothing must not make us follow the rules of namespaces they name.
    if (!known) return (await storedToken(this.#store, namespace, id))?.record;
    const { tokens } = await known.get();
    // That there is none is remembered too: what is unknown takes no other way than what is known.
    if (tokens.has(id)) return tokens.get(id);
    const stored = await storedToken(this.#store, namespace, id);
    // Read after the version, so at least as new, and kept only with that version.
    if (tokens.size >= mostTokensKnown) tokens.clear();
    tokens.set(id, stored?.record);
    return stored?.record;
  }

  /** Whether all tokens of an agent are over since they were revoked, as it is now. */
  isRevoked(namespace: string, agent: string): Promise<boolean> {
    return isRevoked(this.#store, namespace, agent);
  }

  /** Rules that were asked for less than 750 ms ago, and after the last change that this process heard of. */
  rules(namespace: string): Promise<Rules> | Rules {
    const known = this.#copy(namespace).get();
    return known instanceof Promise ? known.then(({ rules }) => rules) : known.rules;
  }

  /** The rules as they are now, not up to a second ago: for whoever is about to change them. */
  async rulesNow(namespace: string): Promise<Rules> {
    return (await this.#copy(namespace).now()).rules;
  }

  /**
   * Changes rules and tokens: all of the changes or none. Holds in this process at once, in every other within a second.
   *
   * @returns false when something was no longer what a change says it was; nothing was changed then
   * @throws {MailboxError} `access.too_many_grants`
   */
  async change(
    namespace: string,
    changes: readonly (RuleChange | TokenChange)[],
    admission: Admission,
  ): Promise<boolean> {
    const keys = directoryKeys(namespace);
    const fields = changes.flatMap((change) =>
      "token" in change
        ? ["token", change.token, change.from, change.to]
        : ["rule", change.field, change.was ?? "*", change.value ?? ""],
    );
    const [word] = await this.#store.run(
      changeAccess,
      [keys.access, keys.tokens, keys.channel, keys.audit],
      [grantsMost, admission.row, ...fields],
    );
    if (word === "FULL") refuse("access.too_many_grants", { limit: grantsMost });
    this.#known.get(namespace)?.changed();
    return word === "CHANGED";
  }

  /** The one place where every kind of call proves who it comes from. */
  async #askedBy(principal: Principal): Promise<{ readonly asking: Asking; readonly rules: Rules }> {
    const rules = await this.check(principal);
    const asking = {
      agent: principal.agent,
      roles: rolesOf(principal, rules),
      isOperator: isOperator(principal),
    };
    return { asking, rules };
  }

  #believe(rules: Rules): void {
    const because = rules.tokensRequired ? "this namespace has tokens" : this.#namesRefused;
    if (because !== undefined) refuse("auth.required", { because });
  }

  #copy(namespace: string): FreshCopy<Known> {
    const known = this.#known.get(namespace);
    if (known) return known;
    const copy = new FreshCopy<Known>((last) => this.#ask(namespace, last));
    this.#known.set(namespace, copy);
    // A hint brings a change sooner; without it the age does.
    void this.#hints.listen(directoryKeys(namespace).channel, (message) => {
      if (message === "access" || message === "") copy.changed();
    });
    return copy;
  }

  async #ask(namespace: string, last: Known = nothingKnown()): Promise<Known> {
    const { access } = directoryKeys(namespace);
    const version = ((await this.#store.command("HGET", access, "version")) as string | null) ?? "";
    if (version === last.rules.version) return last;
    return { rules: parseRules(await this.#store.hash(access)), tokens: new Map() };
  }
}

function refuseStopped({ stopped }: Rules, agent: string): void {
  if (stopped.has(agent)) refuse("access.stopped", { agent });
}

/** The roles a call is decided by. Those the namespace gives to a name hold only for who proved to have it. */
export function rolesOf(principal: Caller["principal"], rules: Rules): readonly Role[] {
  const given = principal.verified ? rules.roles.get(principal.agent) : undefined;
  return given ?? principal.roles;
}

function nothingKnown(): Known {
  return { rules: parseRules(new Map()), tokens: new Map() };
}

function parseRules(fields: ReadonlyMap<string, string>): Rules {
  const roles = new Map<string, readonly Role[]>();
  const grants: Grant[] = [];
  const facts = new Map<string, AgentFacts>();
  const stopped = new Map<string, Stop>();
  for (const [field, value] of fields) {
    if (field.startsWith("roles:")) roles.set(field.slice("roles:".length), value.split(",") as Role[]);
    if (field.startsWith("grant:")) grants.push(JSON.parse(value) as Grant);
    if (field.startsWith("facts:")) facts.set(field.slice("facts:".length), JSON.parse(value) as AgentFacts);
    if (field.startsWith("stopped:")) stopped.set(field.slice("stopped:".length), JSON.parse(value) as Stop);
  }
  return {
    version: fields.get("version") ?? "",
    tokensRequired: fields.get("tokens-required") === "1",
    roles,
    grants,
    book: new GrantBook(grants),
    facts,
    stopped,
  };
}
