import { refuse } from "../errors/index.js";
import {
  type Admission,
  type Admit,
  type Caller,
  isSameToken,
  mintToken,
  type Principal,
  parseToken,
  type RecordDecision,
  type Role,
  tokenPrincipal,
} from "../identity/index.js";
import { directoryKeys, type Store } from "../redis/index.js";
import type { Access, RuleChange, TokenChange } from "./access.js";
import { storedToken, type TokenRecord, type TokenState, tokenState } from "./token-record.js";

/** How long what is kept of a token that is over stays in the list. */
const keepEndedMs = 30 * 24 * 3_600_000;

/** Changes of one token at once are rare: more attempts would hide a mistake. */
const mostAttempts = 5;

/** A token as it is listed: never the token, and not its hash either. */
export interface ListedToken {
  readonly id: string;
  readonly agent: string;
  readonly state: TokenState;
  readonly createdAt: number;
  readonly expiresAt?: number;
  readonly revokedAt?: number;
  readonly by: string;
  readonly note?: string;
}

/** The only answer that holds the token itself: it is shown once and kept nowhere. */
export interface IssuedToken extends ListedToken {
  readonly token: string;
}

export interface Lifetime {
  /** Milliseconds from now; without it the token holds until it is revoked. */
  readonly ttlMs?: number;
  readonly note?: string;
}

export interface TokensDependencies {
  readonly store: Store;
  readonly access: Access;
  readonly admit: Admit;
  readonly record: RecordDecision;
  /** Told of an agent of which a token was revoked, before the revocation is answered. */
  readonly onRevoked: (namespace: string, agent: string) => Promise<void>;
}

/**
 * The tokens of the agents of a namespace. Each change is one script with the rules' new version, so that it holds in
 * every process within a second. From the first token on, the namespace believes no name without one.
 */
export class Tokens {
  readonly #store: Store;
  readonly #access: Access;
  readonly #admit: Admit;
  readonly #record: RecordDecision;
  readonly #onRevoked: TokensDependencies["onRevoked"];

  constructor({ store, access, admit, record, onRevoked }: TokensDependencies) {
    this.#store = store;
    this.#access = access;
    this.#admit = admit;
    this.#record = record;
    this.#onRevoked = onRevoked;
  }

  /** @throws {MailboxError} `access.denied` */
  async issue(
    caller: Caller,
    agent: string,
    lifetime: Lifetime = {},
    given?: readonly Role[],
  ): Promise<IssuedToken> {
    const admission = await this.#admit(caller, "admin.tokens", agent);
    const also = given ? [rolesChange(agent, given)] : [];
    return this.#issue(caller, agent, lifetime, async () => also, admission);
  }

  /** Of one agent or of all, newest first; also those that are over, for 30 days. */
  async list(caller: Caller, agent?: string): Promise<readonly ListedToken[]> {
    await this.#record(caller, await this.#admit(caller, "admin.tokens", agent ?? "*"));
    const stored = await this.#all(caller.principal.namespace);
    return stored
      .map(({ id, record }) => this.#listed(id, record))
      .filter((token) => agent === undefined || token.agent === agent)
      .sort((a, b) => b.createdAt - a.createdAt || a.id.localeCompare(b.id));
  }

  /**
   * Issues another token for the agent of this one, which ends after the overlap (or before, if it expires before).
   *
   * @throws {MailboxError} `auth.token_unknown` also for a token that is over
   */
  async rotate(caller: Caller, id: string, overlapMs: number, lifetime: Lifetime = {}): Promise<IssuedToken> {
    const { namespace } = caller.principal;
    const first = await storedToken(this.#store, namespace, id);
    const admission = await this.#admit(caller, "admin.tokens", first?.record.agent ?? "*");
    if (!first) refuse("auth.token_unknown", { id });
    const ending = async (nowMs: number): Promise<readonly TokenChange[]> => {
      const old = await storedToken(this.#store, namespace, id);
      if (!old || tokenState(old.record, nowMs) !== "live") refuse("auth.token_unknown", { id });
      const expiresAt = Math.min(old.record.expiresAt ?? Number.POSITIVE_INFINITY, nowMs + overlapMs);
      return [{ token: id, from: old.text, to: JSON.stringify({ ...old.record, expiresAt }) }];
    };
    return this.#issue(caller, first.record.agent, lifetime, ending, admission);
  }

  /** Ends a token. Safe to repeat. @throws {MailboxError} `auth.token_unknown` */
  async revoke(caller: Caller, id: string): Promise<ListedToken> {
    const { namespace } = caller.principal;
    const first = await storedToken(this.#store, namespace, id);
    const admission = await this.#admit(caller, "admin.tokens", first?.record.agent ?? "*");
    const ending = async (nowMs: number): Promise<readonly TokenChange[]> => {
      const old = await storedToken(this.#store, namespace, id);
      return old ? endings([{ id, ...old }], nowMs) : refuse("auth.token_unknown", { id });
    };
    await this.#change(caller, ending, admission);
    const { record } = (await storedToken(this.#store, namespace, id))!;
    await this.#onRevoked(namespace, record.agent);
    return this.#listed(id, record);
  }

  /** Ends every token of an agent, and answers their ids. */
  async revokeAll(caller: Caller, agent: string): Promise<readonly string[]> {
    const admission = await this.#admit(caller, "admin.tokens", agent);
    const { namespace } = caller.principal;
    const all = async (nowMs: number): Promise<readonly TokenChange[]> =>
      endings(await this.#of(namespace, agent), nowMs);
    const ids = await this.#change(caller, all, admission);
    await this.#onRevoked(namespace, agent);
    return ids;
  }

  /** For an agent whose token is lost or known to others: ends all it has and issues another, at once. */
  async recover(caller: Caller, agent: string, lifetime: Lifetime = {}): Promise<IssuedToken> {
    const admission = await this.#admit(caller, "admin.tokens", agent);
    const { namespace } = caller.principal;
    const all = async (nowMs: number): Promise<readonly TokenChange[]> =>
      endings(await this.#of(namespace, agent), nowMs);
    return this.#issue(caller, agent, lifetime, all, admission);
  }

  /** What an agent that proves its name may without a grant; without roles, what any agent may. */
  async setRoles(caller: Caller, agent: string, given: readonly Role[]): Promise<void> {
    const admission = await this.#admit(caller, "admin.tokens", agent);
    await this.#access.change(caller.principal.namespace, [rolesChange(agent, given)], admission);
  }

  /**
   * The principal that a token proves.
   *
   * @throws {MailboxError} `auth.invalid`, alike for a token that is malformed, unknown, wrong, expired or revoked
   */
  async verify(text: string): Promise<Principal> {
    const shown = parseToken(text);
    if (!shown) return refuse("auth.invalid");
    const record = await this.#access.token(shown.namespace, shown.id);
    const isSame = isSameToken(shown, record?.hash);
    if (!record || !isSame || tokenState(record, this.#store.now()) !== "live") return refuse("auth.invalid");
    return tokenPrincipal(shown.namespace, record.agent, shown.id);
  }

  async #issue(
    caller: Caller,
    agent: string,
    { ttlMs, note }: Lifetime,
    also: (nowMs: number) => Promise<readonly (RuleChange | TokenChange)[]>,
    admission: Admission,
  ): Promise<IssuedToken> {
    const { namespace, agent: by } = caller.principal;
    const { id, text, hash } = mintToken(namespace);
    let record: TokenRecord | undefined;
    const planned = async (nowMs: number): Promise<readonly (RuleChange | TokenChange)[]> => {
      record = {
        agent,
        hash,
        createdAt: nowMs,
        ...(ttlMs === undefined ? {} : { expiresAt: nowMs + ttlMs }),
        by,
        ...(note ? { note } : {}),
      };
      const old = (await this.#all(namespace)).filter((one) => endedAt(one.record) < nowMs - keepEndedMs);
      return [
        { token: id, from: "", to: JSON.stringify(record) },
        { field: "tokens-required", value: "1" },
        ...(await also(nowMs)),
        ...old.map((one) => ({ token: one.id, from: one.text, to: "" })),
      ];
    };
    await this.#change(caller, planned, admission);
    return { ...this.#listed(id, record!), token: text };
  }

  /** Plans the change on what is there and makes it, unless that changed meanwhile: then once more. Answers the ids. */
  async #change(
    caller: Caller,
    plan: (nowMs: number) => Promise<readonly (RuleChange | TokenChange)[]>,
    admission: Admission,
  ): Promise<readonly string[]> {
    const { namespace } = caller.principal;
    for (let attempt = 0; attempt < mostAttempts; attempt++) {
      const changes = await plan(Math.floor(this.#store.now()));
      if (changes.length === 0) {
        await this.#record(caller, admission);
        return [];
      }
      if (await this.#access.change(namespace, changes, admission))
        return changes.flatMap((change) => ("token" in change ? [change.token] : []));
    }
    return refuse("store.unavailable");
  }

  async #all(namespace: string): Promise<readonly StoredToken[]> {
    const fields = await this.#store.hash(directoryKeys(namespace).tokens);
    return [...fields].map(([id, text]) => ({ id, text, record: JSON.parse(text) as TokenRecord }));
  }

  async #of(namespace: string, agent: string): Promise<readonly StoredToken[]> {
    return (await this.#all(namespace)).filter(({ record }) => record.agent === agent);
  }

  #listed(id: string, record: TokenRecord): ListedToken {
    const { hash: _, ...shown } = record;
    return { id, ...shown, state: tokenState(record, this.#store.now()) };
  }
}

interface StoredToken {
  readonly id: string;
  readonly text: string;
  readonly record: TokenRecord;
}

function rolesChange(agent: string, given: readonly Role[]): RuleChange {
  return { field: `roles:${agent}`, value: given.join(",") };
}

/** Ends those that are not over yet. */
function endings(tokens: readonly StoredToken[], nowMs: number): readonly TokenChange[] {
  return tokens
    .filter(({ record }) => tokenState(record, nowMs) === "live")
    .map(({ id, text, record }) => ({
      token: id,
      from: text,
      to: JSON.stringify({ ...record, revokedAt: nowMs }),
    }));
}

function endedAt({ expiresAt, revokedAt }: TokenRecord): number {
  return Math.min(expiresAt ?? Number.POSITIVE_INFINITY, revokedAt ?? Number.POSITIVE_INFINITY);
}
