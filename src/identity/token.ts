import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { isNamespace } from "../addresses/index.js";

/** A token as it is shown once, and what is kept of it. */
export interface MintedToken {
  readonly id: string;
  /** `lmt_NAMESPACE_`, 16 hexadecimal characters that name it, and 256 random bits. */
  readonly text: string;
  readonly hash: string;
}

/** A token as somebody showed it, taken apart. Nothing is known yet about whether it was ever issued. */
export interface ShownToken {
  readonly namespace: string;
  readonly id: string;
  readonly hash: string;
}

const form = /^lmt_([a-z0-9._-]{1,63})_([0-9a-f]{16})([A-Za-z0-9_-]{43})$/;

/** A new token for a namespace: the namespace is in it, so that one server can serve several. */
export function mintToken(namespace: string): MintedToken {
  const id = randomBytes(8).toString("hex");
  const text = `lmt_${namespace}_${id}${randomBytes(32).toString("base64url")}`;
  return { id, text, hash: hashOf(text) };
}

/** Undefined for anything that `mintToken` cannot have made. */
export function parseToken(text: string): ShownToken | undefined {
  const [, namespace, id, secret] = form.exec(text) ?? [];
  if (namespace === undefined || id === undefined || secret === undefined) return undefined;
  if (!isNamespace(namespace)) return undefined;
  // The last character has two bits that decode to nothing: one secret is written in one way.
  if (Buffer.from(secret, "base64url").toString("base64url") !== secret) return undefined;
  return { namespace, id, hash: hashOf(text) };
}

/** Whether the text means to be a token of ours, well formed or not. */
export function looksLikeToken(text: string): boolean {
  return text.startsWith("lmt_");
}

const tokens = /lmt_[a-z0-9._-]{1,63}_[0-9a-f]{16}[A-Za-z0-9_-]{43}|eyJ[\w-]{10,}\.[\w-]+\.[\w-]+/g;
/** Who signs in, before the host of an address; of a name of ours, in which no slash is doubled, too. */
const signingIn = /(\b[a-z][a-z0-9+.-]+:\/{1,2})[^\s/?#]+@/gi;
/** What is given with an address under a name that tells that it is to be kept secret. */
const kept = /([?&;#][\w.~%-]*(?:key|token|secret|pass|pwd|auth|sig|cred|session|code)[\w.~%-]*=)[^&;#\s]+/gi;

/**
 * The text with every token of ours and every JWT in it cut short, and without what addresses have of passwords and keys,
 * for what is written down where many may read it.
 */
export function withoutSecrets(text: string): string {
  const bare =
    text.includes("lmt_") || text.includes("eyJ")
      ? text.replace(tokens, (secret) => `${secret.slice(0, 4)}…`)
      : text;
  return bare.includes(":/") ? bare.replace(signingIn, "$1…@").replace(kept, "$1…") : bare;
}

/**
 * Whether the shown token is the kept one. Without a kept one the same comparison is made with nothing, so that an
 * unknown id and a wrong secret take the same time.
 */
export function isSameToken(shown: ShownToken, keptHash: string | undefined): boolean {
  const kept = keptHash !== undefined && /^[0-9a-f]{64}$/.test(keptHash) ? keptHash : "0".repeat(64);
  const same = timingSafeEqual(Buffer.from(shown.hash, "hex"), Buffer.from(kept, "hex"));
  return same && keptHash === kept;
}

/** Of the whole text, so that a hash copied into another namespace or to another id fits no token. */
function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
