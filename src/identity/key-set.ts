import { readFile } from "node:fs/promises";
import type { CryptoKey, JSONWebKeySet, JWSHeaderParameters } from "jose";
import { refuse } from "../errors/index.js";

/** Keys are read anew when they are older than this, so that a withdrawn one is forgotten. */
const freshMs = 10 * 60_000;

/** Reading begins at most this often, whatever tokens name: an unknown key id must not make us knock at an issuer. */
const cooldownMs = 60_000;

/** While none was ever read, nobody can be let in: then it begins again sooner. */
const soonMs = 5_000;

const timeoutMs = 5_000;
const mostBytes = 1024 * 1024;

type KeyFinder = (header: JWSHeaderParameters) => Promise<CryptoKey>;

/** The public keys of an issuer, from a file or a URL, as they were at most ten minutes ago. */
export class KeySet {
  readonly #source: string;
  readonly #log: (event: string, facts: Record<string, unknown>) => void;
  readonly #now: () => number;
  #find: KeyFinder | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  /** @param source a path, or a URL with https: (http: on this machine alone) */
  constructor(
    source: string,
    log: (event: string, facts: Record<string, unknown>) => void,
    now: () => number = Date.now,
  ) {
    this.#source = source;
    this.#log = log;
    this.#now = now;
  }

  /** The key a token names. What an issuer withdrew while it cannot be reached stays until it can. @throws without one; {MailboxError} `auth.unavailable` while none was ever read */
  async key(header: JWSHeaderParameters): Promise<CryptoKey> {
    if (!this.#find || this.#now() - this.#readAt > freshMs) await this.#read();
    try {
      return await this.#found(header);
    } catch (error) {
      const before = this.#find;
      await this.#read();
      if (this.#find === before) throw error;
      return this.#found(header);
    }
  }

  #found(header: JWSHeaderParameters): Promise<CryptoKey> {
    if (!this.#find) refuse("auth.unavailable");
    return this.#find(header);
  }

  #read(): Promise<void> {
    if (this.#reading) return this.#reading;
    if (this.#now() - this.#triedAt < (this.#find ? cooldownMs : soonMs)) return Promise.resolve();
    this.#triedAt = this.#now();
    this.#reading = this.#load()
      .catch((error: Error) => this.#log("the keys for JWTs could not be read", { error: error.message }))
      .finally(() => {
        this.#reading = undefined;
      });
    return this.#reading;
  }

  async #load(): Promise<void> {
    const { createLocalJWKSet } = await import("jose");
    const text = isUrl(this.#source) ? await fetched(this.#source) : await readFile(this.#source, "utf8");
    const find = createLocalJWKSet(parsed(text));
    this.#find = (header) => find(header);
    this.#readAt = this.#now();
  }
}

export function isUrl(source: string): boolean {
  return /^https?:\/\//i.test(source);
}

/** The parser's own words would quote what it read. */
function parsed(text: string): JSONWebKeySet {
  try {
    return JSON.parse(text) as JSONWebKeySet;
  } catch {
    throw new Error("they are not JSON");
  }
}

async function fetched(url: string): Promise<string> {
  const response = await fetch(url, {
    redirect: "error",
    signal: AbortSignal.timeout(timeoutMs),
    headers: { accept: "application/json" },
  });
  if (!response.ok || !response.body) throw new Error(`the answer was ${response.status}`);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw new Error(`the answer has more than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
