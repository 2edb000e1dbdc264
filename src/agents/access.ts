import { refuse } from "../errors/index.js";
import { type Action, type Admission, type Caller, type Role, rowOf } from "../identity/index.js";
import { directoryKeys, type Hints, loadScript, type Store } from "../redis/index.js";
import { type Decision, decideAccess } from "./decide-access.js";
import type { Grant } from "./grant.js";

const changeAccess = loadScript(import.meta.url, "change-access.lua");

/** Rules are asked for anew when they are older than this: with the way there and back a change holds within a second. */
const freshMs = 750;

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

/**
 * The gate: decides for each call whether its caller may, by rules that are at most a second old.
 *
 * The version of the rules is asked for at most once in 750 ms, and only when there is a call to decide.
 */
export class Access {
  readonly #store: Store;
  readonly #hints: Hints;
  readonly #known = new Map<string, { rules: Rules; askedAt: number; asking: Promise<Rules> | undefined }>();

  constructor(deps: { readonly store: Store; readonly hints: Hints }) {
    this.#store = deps.store;
    this.#hints = deps.hints;
  }

  /**
   * Lets the caller pass or refuses, whether or not the resource exists.
   *
   * @throws {MailboxError} `access.denied`, `auth.required`
   */
  async admit(caller: Caller, action: Action, resource: string): Promise<Admission> {
    const { principal } = caller;
    const { allowed, because } = await this.decide(caller, action, resource);
    // Why is for the audit alone: a caller need not know which rule it was.
    if (!allowed)
      refuse("access.denied", { principal: principal.agent, action, resource }, { cause: because });
    return { row: rowOf(caller, { action, resource, outcome: "allow", because }) };
  }

  /** @throws {MailboxError} `auth.required` when the namespace has tokens and this caller came without */
  async decide(caller: Caller, action: Action, resource: string): Promise<Decision> {
    const { principal } = caller;
    const rules = await this.rules(principal.namespace);
    if (rules.tokensRequired && principal.credential.kind === "none") refuse("auth.required");
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

  /** Rules that were asked for less than 750 ms ago. */
  rules(namespace: string): Promise<Rules> | Rules {
    const known = this.#known.get(namespace);
    if (known && Date.now() - known.askedAt < freshMs) return known.rules;
    return this.#refresh(namespace);
  }

  /** Changes the rules: all of the changes or none. Holds in this process at once, in every other within a second. */
  async change(namespace: string, changes: readonly RuleChange[], admission: Admission): Promise<void> {
    const keys = directoryKeys(namespace);
    await this.#store.run(
      changeAccess,
      [keys.access, keys.channel, keys.audit],
      [admission.row, ...changes.flatMap(({ field, value }) => [field, value ?? ""])],
    );
    const known = this.#known.get(namespace);
    if (known) known.askedAt = 0;
  }

  async #refresh(namespace: string): Promise<Rules> {
    let known = this.#known.get(namespace);
    if (!known) {
      known = { rules: noRules, askedAt: 0, asking: undefined };
      this.#known.set(namespace, known);
      const slot = known;
      // A hint brings a change sooner; without it the age does.
      void this.#hints.listen(directoryKeys(namespace).channel, (message) => {
        if (message === "access" || message === "") slot.askedAt = 0;
      });
    }
    // Calls at once ask once.
    known.asking ??= this.#ask(namespace, known).finally(() => {
      known.asking = undefined;
    });
    return known.asking;
  }

  async #ask(namespace: string, known: { rules: Rules; askedAt: number }): Promise<Rules> {
    const { access } = directoryKeys(namespace);
    const askedAt = Date.now();
    const version = ((await this.#store.command("HGET", access, "version")) as string | null) ?? "";
    if (version !== known.rules.version) known.rules = parseRules(await this.#store.hash(access));
    known.askedAt = askedAt;
    return known.rules;
  }
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
