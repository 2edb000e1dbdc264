import { randomBytes } from "node:crypto";
import { refuse } from "../errors/index.js";
import type { Admit, Caller, RecordDecision } from "../identity/index.js";
import type { Store } from "../redis/index.js";
import type { Access, RuleChange } from "./access.js";
import { isLive } from "./decide-access.js";
import { type Grant, parseGrant } from "./grant.js";

export interface GrantsDependencies {
  readonly store: Store;
  readonly access: Access;
  readonly admit: Admit;
  readonly record: RecordDecision;
}

/** What is granted anew, as a person says it. */
export interface NewGrant {
  readonly who: string;
  readonly action: string;
  readonly resource: string;
  readonly effect: "allow" | "deny";
  /** Without it the grant holds until it is taken back. */
  readonly lastsMs?: number;
}

const removedAtOnce = 500;

/** What time alone does is nobody's decision. */
const nobodyAsked = { row: "" };

/** The grants of a namespace, for whoever administers them. A change holds in every process within a second. */
export class Grants {
  readonly #store: Store;
  readonly #access: Access;
  readonly #admit: Admit;
  readonly #record: RecordDecision;

  constructor({ store, access, admit, record }: GrantsDependencies) {
    this.#store = store;
    this.#access = access;
    this.#admit = admit;
    this.#record = record;
  }

  /**
   * Adds a grant. What was said before of the same who, action and resource goes, whatever it said: the last word counts.
   *
   * @throws {MailboxError} `access.denied`, `input.invalid`, `address.*`, `access.too_many_grants`
   */
  async add(
    caller: Caller,
    asked: NewGrant,
  ): Promise<{ readonly grant: Grant; readonly replaced: readonly Grant[] }> {
    const admission = await this.#admit(caller, "admin.grants", "*");
    const { namespace, agent } = caller.principal;
    const said = parseGrant(asked);
    const now = Math.round(this.#store.now());
    const grant: Grant = {
      id: newGrantId(),
      ...said,
      effect: asked.effect,
      ...(asked.lastsMs === undefined ? {} : { expiresAt: now + asked.lastsMs }),
      createdAt: now,
      by: agent,
    };
    const replaced = (await this.#fresh(namespace)).filter(
      ({ who, action, resource }) => who === said.who && action === said.action && resource === said.resource,
    );
    const changes: RuleChange[] = [
      ...replaced.map(removal),
      { field: `grant:${grant.id}`, value: JSON.stringify(grant) },
    ];
    if ((await this.#expired(namespace)).length > 0) await this.sweep(namespace);
    await this.#access.change(namespace, changes, admission);
    return { grant, replaced };
  }

  /** @throws {MailboxError} `access.denied`, `access.unknown_grant` */
  async remove(caller: Caller, id: string): Promise<Grant> {
    const admission = await this.#admit(caller, "admin.grants", "*");
    const { namespace } = caller.principal;
    const grant = (await this.#fresh(namespace)).find((one) => one.id === id);
    if (!grant) refuse("access.unknown_grant", { id: /^[0-9a-z]{1,20}$/.test(id) ? id : "with that id" });
    await this.#access.change(namespace, [removal(grant)], admission);
    return grant;
  }

  /** What holds now, the oldest first. @throws {MailboxError} `access.denied` */
  async list(caller: Caller): Promise<readonly Grant[]> {
    await this.#record(caller, await this.#admit(caller, "admin.grants", "*"));
    const now = this.#store.now();
    return (await this.#fresh(caller.principal.namespace))
      .filter((grant) => isLive(grant, now))
      .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
  }

  /** Removes what has expired: it holds no more, and would only take room. Any process may do it at any time. */
  async sweep(namespace: string): Promise<number> {
    const expired = await this.#expired(namespace);
    for (let n = 0; n < expired.length; n += removedAtOnce)
      await this.#access.change(namespace, expired.slice(n, n + removedAtOnce).map(removal), nobodyAsked);
    return expired.length;
  }

  async #expired(namespace: string): Promise<readonly Grant[]> {
    const now = this.#store.now();
    return (await this.#access.rules(namespace)).grants.filter((grant) => !isLive(grant, now));
  }

  /** Whoever changes rules has to see what the last one changed, also in another process a moment ago. */
  async #fresh(namespace: string): Promise<readonly Grant[]> {
    return (await this.#access.rulesNow(namespace)).grants;
  }
}

function removal({ id }: Grant): RuleChange {
  return { field: `grant:${id}` };
}

/** Short enough to be typed; nothing secret depends on it. */
function newGrantId(): string {
  return `g${randomBytes(5).readUIntBE(0, 5).toString(36).padStart(8, "0")}`;
}
