import { refuse } from "../errors/index.js";
import {
  type Action,
  type Admission,
  type Caller,
  isOperator,
  type Principal,
  type Rights,
  type Role,
} from "../identity/index.js";
import { directoryKeys, type Hints, loadScript, type Store } from "../redis/index.js";
import { type Asking, type Decision, decideAccess } from "./decide-access.js";
import { type Grant, grantsMost } from "./grant.js";
import { GrantBook } from "./grant-book.js";
import { mayAnywhere } from "./may-anywhere.js";

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
  /** The same grants, arranged for deciding. */
  readonly book: GrantBook;
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
  readonly #known = new Map<string, Known>();

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
    if (!allowed) refuse("access.denied", { principal: principal.agent, action, resource });
    return {
      row: JSON.stringify({
        agent: principal.agent,
        run: caller.run.id,
        by: principal.credential.kind,
        action,
        resource,
        decision: "allow",
        because,
      }),
    };
  }

  /** @throws {MailboxError} `auth.required` when the namespace has tokens and this caller came without */
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

  /** Which actions somebody may do with anything at all; needs no run. Throws as `decide`. */
  async usableBy(principal: Principal): Promise<(action: Action) => boolean> {
    const { asking, rules } = await this.#askedBy(principal);
    return (action) => mayAnywhere(asking, action, rules.book, this.#store.now());
  }

  async #askedBy(principal: Principal): Promise<{ readonly asking: Asking; readonly rules: Rules }> {
    const rules = await this.rules(principal.namespace);
    if (rules.tokensRequired && principal.credential.kind === "none") refuse("auth.required");
    const asking = {
      agent: principal.agent,
      roles: rolesOf(principal, rules),
      isOperator: isOperator(principal),
    };
    return { asking, rules };
  }

  /** Rules that were asked for less than 750 ms ago, and after the last change that this process heard of. */
  rules(namespace: string): Promise<Rules> | Rules {
    const known = this.#known.get(namespace);
    return known && isFresh(known) ? known.rules : this.#refresh(namespace);
  }

  /** The rules as they are now, not up to a second ago: for whoever is about to change them. */
  rulesNow(namespace: string): Promise<Rules> {
    const known = this.#known.get(namespace);
    if (known) known.changes++;
    return this.#refresh(namespace);
  }

  /**
   * Changes the rules: all of the changes or none. Holds in this process at once, in every other within a second.
   *
   * @throws {MailboxError} `access.too_many_grants`
   */
  async change(namespace: string, changes: readonly RuleChange[]): Promise<void> {
    const keys = directoryKeys(namespace);
    const [word] = await this.#store.run(
      changeAccess,
      [keys.access, keys.channel],
      [grantsMost, ...changes.flatMap(({ field, value }) => [field, value ?? ""])],
    );
    if (word === "FULL") refuse("access.too_many_grants", { limit: grantsMost });
    const known = this.#known.get(namespace);
    if (known) known.changes++;
  }

  async #refresh(namespace: string): Promise<Rules> {
    let known = this.#known.get(namespace);
    if (!known) {
      known = { rules: noRules, askedAt: Number.NEGATIVE_INFINITY, changes: 0, seen: 0, asking: undefined };
      this.#known.set(namespace, known);
      const slot = known;
      // A hint brings a change sooner; without it the age does.
      void this.#hints.listen(directoryKeys(namespace).channel, (message) => {
        if (message === "access" || message === "") slot.changes++;
      });
    }
    // Calls at once ask once; an answer that was under way when a change was heard of may be older than the change.
    do {
      known.asking ??= this.#ask(namespace, known).finally(() => {
        known.asking = undefined;
      });
      await known.asking;
    } while (known.seen !== known.changes);
    return known.rules;
  }

  async #ask(namespace: string, known: Known): Promise<void> {
    const { access } = directoryKeys(namespace);
    const askedAt = performance.now();
    const { changes } = known;
    const version = ((await this.#store.command("HGET", access, "version")) as string | null) ?? "";
    if (version !== known.rules.version) known.rules = parseRules(await this.#store.hash(access));
    known.askedAt = askedAt;
    known.seen = changes;
  }
}

/** The rules of one namespace as this process has them. */
interface Known {
  rules: Rules;
  /** By this process's own clock, which nobody sets back. */
  askedAt: number;
  /** Changes heard of, and how many of them were heard of before the rules were asked for. */
  changes: number;
  seen: number;
  asking: Promise<void> | undefined;
}

function isFresh(known: Known): boolean {
  return known.seen === known.changes && performance.now() - known.askedAt < freshMs;
}

/** The roles a call is decided by. Those the namespace gives to a name hold only for who proved to have it. */
export function rolesOf(principal: Caller["principal"], rules: Rules): readonly Role[] {
  const given = principal.verified ? rules.roles.get(principal.agent) : undefined;
  return given ?? principal.roles;
}

const noRules: Rules = {
  version: "",
  tokensRequired: false,
  roles: new Map(),
  grants: [],
  book: new GrantBook([]),
};

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
    book: new GrantBook(grants),
  };
}
