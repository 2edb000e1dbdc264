import { refuse } from "../errors/index.js";
import {
  type Action,
  type Admission,
  type Caller,
  type Principal,
  type Role,
  rowOf,
} from "../identity/index.js";
import { directoryKeys, type Hints, loadScript, type Store } from "../redis/index.js";
import { type Decision, decideAccess } from "./decide-access.js";
import type { Grant } from "./grant.js";
import { storedToken, type TokenRecord, tokenState } from "./token-record.js";

const changeAccess = loadScript(import.meta.url, "change-access.lua");

/** Rules are asked for anew when they are older than this: with the way there and back a change holds within a second. */
const freshMs = 750;

/** Whoever tries many ids must not fill our memory with them. */
const mostTokensKnown = 10_000;

/** The rules of a namespace, as they were at most a second ago. */
export interface Rules {
  readonly version: string;
  /** Whether somebody issued a token here: from then on nobody is believed without one. */
  readonly tokensRequired: boolean;
  readonly roles: ReadonlyMap<string, readonly Role[]>;
  readonly grants: readonly Grant[];
}

/** A change of one field of the rules; without a value the field goes. */
export interface RuleChange {
  readonly field: `grant:${string}` | `roles:${string}` | "tokens-required";
  readonly value?: string;
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
  rules: Rules;
  askedAt: number;
  /** Counts what was heard of changes, so that an answer from before one is not taken for one after it. */
  changes: number;
  asking: Promise<Rules> | undefined;
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
  readonly #known = new Map<string, Known>();

  constructor(deps: AccessDependencies) {
    this.#store = deps.store;
    this.#hints = deps.hints;
    this.#namesRefused = deps.namesRefused;
  }

  /**
   * Lets the caller pass or refuses, whether or not the resource exists.
   *
   * @throws {MailboxError} `access.denied`, `auth.required`, `auth.invalid`
   */
  async admit(caller: Caller, action: Action, resource: string): Promise<Admission> {
    const { principal } = caller;
    const { allowed, because } = await this.decide(caller, action, resource);
    // Why is for the audit alone: a caller need not know which rule it was.
    if (!allowed)
      refuse("access.denied", { principal: principal.agent, action, resource }, { cause: because });
    return { row: rowOf(caller, { action, resource, outcome: "allow", because }) };
  }

  /** @throws {MailboxError} `auth.required`, `auth.invalid` when the caller's credential does not hold any more */
  async decide(caller: Caller, action: Action, resource: string): Promise<Decision> {
    const { principal } = caller;
    const rules = await this.check(principal);
    return decideAccess(
      {
        agent: principal.agent,
        roles: rolesOf(principal, rules),
        isOperator: principal.credential.kind === "operator",
      },
      action,
      resource,
      rules.grants,
      this.#store.now(),
    );
  }

  /**
   * That the credential holds, by rules that are at most a second old: a token is neither revoked nor over, a JWT not
   * over, and a name alone is believed here.
   *
   * @throws {MailboxError} `auth.required`, `auth.invalid`
   */
  async check(principal: Pick<Principal, "namespace" | "credential">): Promise<Rules> {
    const { namespace, credential } = principal;
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
    const { version } = await this.rules(namespace);
    // That there is none is remembered too: what is unknown takes no other way than what is known.
    if (known.tokens.has(id)) return known.tokens.get(id);
    const stored = await storedToken(this.#store, namespace, id);
    // Read after the version, so at least as new, and kept only for that version.
    if (known.rules.version === version) {
      if (known.tokens.size >= mostTokensKnown) known.tokens.clear();
      known.tokens.set(id, stored?.record);
    }
    return stored?.record;
  }

  /** What the caller may as a whole: the roles that the namespace or the credential gives it. */
  async roles(principal: Principal): Promise<readonly Role[]> {
    return rolesOf(principal, await this.rules(principal.namespace));
  }

  /** Rules that were asked for less than 750 ms ago. */
  rules(namespace: string): Promise<Rules> | Rules {
    const known = this.#known.get(namespace);
    if (known && Date.now() - known.askedAt < freshMs) return known.rules;
    return this.#refresh(namespace);
  }

  /**
   * Changes rules and tokens: all of the changes or none. Holds in this process at once, in every other within a second.
   *
   * @returns false when a token was no longer what the change says it was; nothing was changed then
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
        : ["rule", change.field, "*", change.value ?? ""],
    );
    const [word] = await this.#store.run(
      changeAccess,
      [keys.access, keys.tokens, keys.channel, keys.audit],
      [admission.row, ...fields],
    );
    const known = this.#known.get(namespace);
    if (known) {
      outdate(known);
      // Who asks from now on must not be given what was asked for before the change.
      known.asking = undefined;
    }
    return word === "CHANGED";
  }

  #believe(rules: Rules): void {
    const because = rules.tokensRequired ? "this namespace has tokens" : this.#namesRefused;
    if (because !== undefined) refuse("auth.required", { because });
  }

  #refresh(namespace: string): Promise<Rules> {
    const known = this.#known.get(namespace) ?? this.#follow(namespace);
    // Calls at once ask once.
    if (known.asking) return known.asking;
    const asking = this.#ask(namespace, known).finally(() => {
      if (known.asking === asking) known.asking = undefined;
    });
    known.asking = asking;
    return asking;
  }

  #follow(namespace: string): Known {
    const known: Known = { rules: noRules, askedAt: 0, changes: 0, asking: undefined, tokens: new Map() };
    this.#known.set(namespace, known);
    // A hint brings a change sooner; without it the age does.
    void this.#hints.listen(directoryKeys(namespace).channel, (message) => {
      if (message === "access" || message === "") outdate(known);
    });
    return known;
  }

  async #ask(namespace: string, known: Known): Promise<Rules> {
    const { access } = directoryKeys(namespace);
    const askedAt = Date.now();
    const { changes } = known;
    const version = ((await this.#store.command("HGET", access, "version")) as string | null) ?? "";
    const isSame = version === known.rules.version;
    const rules = isSame ? known.rules : parseRules(await this.#store.hash(access));
    // What changed meanwhile may be in it or not: the next call asks again.
    if (changes !== known.changes) return rules;
    if (rules !== known.rules) known.tokens.clear();
    known.rules = rules;
    known.askedAt = askedAt;
    return rules;
  }
}

function outdate(known: Known): void {
  known.askedAt = 0;
  known.changes += 1;
}

/** The roles a call is decided by. Those the namespace gives to a name hold only for who proved to have it. */
export function rolesOf(principal: Caller["principal"], rules: Rules): readonly Role[] {
  const given = principal.verified ? rules.roles.get(principal.agent) : undefined;
  return given ?? principal.roles;
}

const noRules: Rules = { version: "", tokensRequired: false, roles: new Map(), grants: [] };

function parseRules(fields: ReadonlyMap<string, string>): Rules {
  const roles = new Map<string, readonly Role[]>();
  const grants: Grant[] = [];
  for (const [field, value] of fields) {
    if (field.startsWith("roles:")) roles.set(field.slice("roles:".length), value.split(",") as Role[]);
    if (field.startsWith("grant:")) grants.push(JSON.parse(value) as Grant);
  }
  return {
    version: fields.get("version") ?? "",
    tokensRequired: fields.get("tokens-required") === "1",
    roles,
    grants,
  };
}
