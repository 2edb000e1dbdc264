import { isRefusal } from "../errors/index.js";
import { type JwtVerifier, looksLikeToken, type Principal } from "../identity/index.js";
import type { Access, Held } from "./access.js";
import type { Tokens } from "./tokens.js";

/** What a credential that does not hold any more is refused with. */
const ends: ReadonlySet<string> = new Set(["auth.required", "auth.invalid", "access.stopped"]);

/** Rules are at most 750 ms old: with this on top, what ends is noticed within a second. */
const lookEveryMs = 200;

export interface CredentialsDependencies {
  readonly access: Access;
  readonly tokens: Tokens;
  /** Without it, a JWT proves nothing here. */
  readonly jwt?: JwtVerifier;
  readonly log: (event: string, facts: Record<string, unknown>) => void;
}

/** @param code what a call is refused with from now on: `auth.required`, `auth.invalid` or `access.stopped` */
type Watcher = (code: string) => void;

/** What proves who calls: from a credential to its principal, and whether it holds as long as it is used. */
export class Credentials {
  readonly #deps: CredentialsDependencies;
  readonly #held = new Map<Held, Set<Watcher>>();
  readonly #byCredential = new Map<string, Held>();
  #timer: NodeJS.Timeout | undefined;
  #looking = false;

  constructor(deps: CredentialsDependencies) {
    this.#deps = deps;
  }

  /** @throws {MailboxError} `auth.invalid`, whatever is wrong with it */
  async verify(credential: string): Promise<Principal> {
    const { tokens, jwt, log } = this.#deps;
    if (looksLikeToken(credential) || !jwt) return tokens.verify(credential);
    try {
      return await jwt.verify(credential);
    } catch (error) {
      if (isRefusal(error))
        log("a JWT was refused", { because: (error.cause as Error | undefined)?.message });
      throw error;
    }
  }

  /** @throws {MailboxError} `auth.required`, `auth.invalid` when it does not hold any more, `access.stopped` */
  async check(held: Held): Promise<void> {
    await this.#deps.access.check(held);
  }

  /**
   * Calls back once, within a second of the end of the credential: it expired, was revoked, or a name alone is not
   * believed any more; or of the moment when its agent is stopped. The answer gives the watch up.
   */
  whileHolds(held: Held, onEnd: Watcher): () => void {
    const { kind } = held.credential;
    if (kind === "operator") return () => undefined;
    const id = "id" in held.credential ? held.credential.id : "";
    const name = `${held.namespace} ${held.agent ?? ""} ${kind} ${id}`;
    const shared = this.#byCredential.get(name) ?? held;
    this.#byCredential.set(name, shared);
    const watchers = this.#held.get(shared) ?? new Set();
    this.#held.set(shared, watchers);
    const watcher: Watcher = (code) => onEnd(code);
    watchers.add(watcher);
    this.#timer ??= setInterval(() => void this.#look(), lookEveryMs).unref();
    return () => {
      watchers.delete(watcher);
      if (watchers.size > 0 || this.#held.get(shared) !== watchers) return;
      this.#held.delete(shared);
      this.#byCredential.delete(name);
    };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#held.clear();
    this.#byCredential.clear();
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      for (const [held, watchers] of [...this.#held]) {
        const code = await this.#endOf(held);
        if (code === undefined) continue;
        // One that is watched again later begins anew.
        for (const watcher of [...watchers]) {
          watchers.delete(watcher);
          watcher(code);
        }
      }
      for (const [name, held] of this.#byCredential) {
        if ((this.#held.get(held)?.size ?? 0) > 0) continue;
        this.#held.delete(held);
        this.#byCredential.delete(name);
      }
    } finally {
      this.#looking = false;
    }
  }

  /** While the store cannot be asked nothing is known to have ended; calls are refused meanwhile all the same. */
  async #endOf(held: Held): Promise<string | undefined> {
    try {
      await this.#deps.access.check(held);
    } catch (error) {
      if (isRefusal(error) && ends.has(error.code)) return error.code;
      if (!isRefusal(error)) this.#deps.log("a credential could not be looked at", { error: String(error) });
    }
    return undefined;
  }
}
