import { createHash } from "node:crypto";
import type { JWTPayload } from "jose";
import { isAgentName, isNamespace } from "../addresses/index.js";
import { isRefusal, refuse } from "../errors/index.js";
import { isUrl, KeySet } from "./key-set.js";
import { type Principal, type Role, roles } from "./principal.js";

/** What can be pinned: signatures that only the holder of a private key can make. */
export const jwtAlgorithms = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
] as const;

export interface JwtSettings {
  /** A file, or a URL with https: (http: on this machine alone). */
  readonly jwks: string;
  readonly issuer: string;
  readonly audience: string;
  readonly algorithms: readonly string[];
  readonly agentClaim: string;
  readonly namespaceClaim: string;
  readonly rolesClaim: string;
  /** Whoever's token names no namespace belongs here. */
  readonly namespace: string;
}

/** How far the clock of an issuer may be ahead of ours, for the times before which a token is not valid. */
const leewaySeconds = 30;

/** Kinds of JWT that are no access tokens are refused, whatever else is right about them. */
const kinds = new Set(["jwt", "at+jwt", "application/at+jwt"]);

const mostChars = 16 * 1024;

/** Turns JWTs of one issuer into principals. */
export class JwtVerifier {
  readonly #settings: JwtSettings;
  readonly #keys: KeySet;
  readonly #now: () => number;

  /** @throws {MailboxError} `config.invalid` for keys over http: from another machine, and for a symmetric algorithm */
  constructor(
    settings: JwtSettings,
    log: (event: string, facts: Record<string, unknown>) => void,
    now: () => number = Date.now,
  ) {
    if (isUrl(settings.jwks)) checkUrl(settings.jwks);
    const known: readonly string[] = jwtAlgorithms;
    if (settings.algorithms.length === 0 || settings.algorithms.some((one) => !known.includes(one)))
      refuse("config.invalid", {
        setting: "LLM_MAILBOX_JWT_ALGORITHMS",
        problem: "names an algorithm that we do not accept",
        allowed: known.join(", "),
      });
    this.#settings = settings;
    this.#keys = new KeySet(settings.jwks, log, now);
    this.#now = now;
  }

  /**
   * The principal a JWT proves: signature, issuer, audience, algorithm and kind are as pinned, it has not expired, and
   * its times lie at most 30 s ahead of our clock.
   *
   * @throws {MailboxError} `auth.invalid`, whatever is wrong with it; `auth.unavailable` while the keys of the issuer were
   *   never read, so that nobody knows
   */
  async verify(text: string): Promise<Principal> {
    try {
      return this.#principal(await this.#payload(text), text);
    } catch (error) {
      if (isRefusal(error)) throw error;
      return refuse("auth.invalid", {}, { cause: plain(error) });
    }
  }

  async #payload(text: string): Promise<JWTPayload> {
    if (text.length > mostChars) throw new Error("too long");
    const { jwtVerify } = await import("jose");
    const { issuer, audience, algorithms } = this.#settings;
    const { payload, protectedHeader } = await jwtVerify(text, (header) => this.#keys.key(header), {
      issuer,
      audience,
      algorithms: [...algorithms],
      requiredClaims: ["exp"],
      clockTolerance: leewaySeconds,
      currentDate: new Date(this.#now()),
    });
    if (protectedHeader.typ !== undefined && !kinds.has(protectedHeader.typ.toLowerCase()))
      throw new Error("not an access token");
    const nowSeconds = this.#now() / 1000;
    // The leeway is for tokens that a fast clock made; one that has expired is over.
    if (payload.exp! <= nowSeconds) throw new Error("expired");
    if (payload.iat !== undefined && payload.iat > nowSeconds + leewaySeconds)
      throw new Error("issued in the future");
    return payload;
  }

  #principal(claims: JWTPayload, text: string): Principal {
    const { agentClaim, namespaceClaim, rolesClaim } = this.#settings;
    const agent = claims[agentClaim];
    if (typeof agent !== "string" || !isAgentName(agent)) throw new Error("names no agent");
    // A claim that is there and empty is a mistake of the issuer, not the absence of one.
    const namespace = namespaceClaim in claims ? claims[namespaceClaim] : this.#settings.namespace;
    if (typeof namespace !== "string" || !isNamespace(namespace)) throw new Error("names no namespace");
    return {
      namespace,
      agent,
      verified: true,
      roles: rolesIn(claims[rolesClaim]),
      credential: {
        kind: "jwt",
        id: createHash("sha256").update(text).digest("hex").slice(0, 16),
        expiresAt: claims.exp! * 1000,
      },
    };
  }
}

/** The roles we know among those a claim lists; an agent when it lists none of them. */
function rolesIn(claim: unknown): readonly Role[] {
  const words = typeof claim === "string" ? claim.split(/[\s,]+/) : Array.isArray(claim) ? claim : [];
  const known = roles.filter((role) => (words as readonly unknown[]).includes(role));
  return known.length > 0 ? known : ["agent"];
}

function checkUrl(url: string): void {
  const { protocol, hostname } = URL.canParse(url) ? new URL(url) : { protocol: "", hostname: "" };
  const isHere = hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
  if (protocol === "https:" || isHere) return;
  refuse("config.invalid", {
    setting: "LLM_MAILBOX_JWKS",
    problem:
      "is no address of keys, or one without TLS on another machine, where anybody on the way could replace them",
    allowed: "a file, or an https: address",
  });
}

/** What was wrong, for the log of the operator, without the token that some errors carry. */
function plain(error: unknown): Error {
  return new Error(error instanceof Error ? error.message : "unknown");
}
