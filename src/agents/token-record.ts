import { directoryKeys, type Store } from "../redis/index.js";

/** What is kept of a token: everything but the token. Times are the store's, in ms. */
export interface TokenRecord {
  readonly agent: string;
  /** SHA-256 of the whole token, in hexadecimal. */
  readonly hash: string;
  readonly createdAt: number;
  /** Without it the token holds until it is revoked. */
  readonly expiresAt?: number;
  readonly revokedAt?: number;
  /** Who had it issued. */
  readonly by: string;
  readonly note?: string;
}

export type TokenState = "live" | "expired" | "revoked";

/** A token is over at the instant it expires. */
export function tokenState(record: TokenRecord, nowMs: number): TokenState {
  if (record.revokedAt !== undefined) return "revoked";
  return record.expiresAt !== undefined && record.expiresAt <= nowMs ? "expired" : "live";
}

/**
 * Whether an agent had tokens and has none that holds, since one was revoked. One that was replaced by another is none
 * of these, nor is an agent that never had a token.
 */
export async function isRevoked(store: Store, namespace: string, agent: string): Promise<boolean> {
  const texts = (await store.hash(directoryKeys(namespace).tokens)).values();
  const states = [...texts]
    .map((text) => JSON.parse(text) as TokenRecord)
    .filter((record) => record.agent === agent)
    .map((record) => tokenState(record, store.now()));
  return states.includes("revoked") && !states.includes("live");
}

/** What the store has of a token, as a text that a change can be made conditional on. */
export async function storedToken(
  store: Store,
  namespace: string,
  id: string,
): Promise<{ readonly text: string; readonly record: TokenRecord } | undefined> {
  const text = (await store.command("HGET", directoryKeys(namespace).tokens, id)) as string | null;
  return text === null ? undefined : { text, record: JSON.parse(text) as TokenRecord };
}
