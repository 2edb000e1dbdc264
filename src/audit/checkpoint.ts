import { createPublicKey, hash, type KeyObject, sign, verify } from "node:crypto";

/** What was true of the chain when it was signed. */
export interface Checkpoint {
  /** Number and hash of a sealed row. */
  readonly number: number;
  readonly hash: string;
  /** By the store's clock, ms. */
  readonly at: number;
  /** Rows up to this number were trimmed on purpose, because they were too old; 0 for none. */
  readonly trimmed: number;
  /** Which key signed it. */
  readonly key: string;
  readonly signature: string;
}

/** A short name of a public key. */
export function keyName(key: KeyObject): string {
  return hash("sha256", key.export({ type: "spki", format: "der" }), "base64url").slice(0, 16);
}

export function signCheckpoint(
  namespace: string,
  about: Pick<Checkpoint, "number" | "hash" | "at" | "trimmed">,
  key: KeyObject,
): Checkpoint {
  const signature = sign(null, signedText(namespace, about), key).toString("base64url");
  return { ...about, key: keyName(createPublicKey(key)), signature };
}

export function isSigned(namespace: string, checkpoint: Checkpoint, key: KeyObject): boolean {
  return verify(null, signedText(namespace, checkpoint), key, Buffer.from(checkpoint.signature, "base64url"));
}

/** One line; the number comes first, for scripts. */
export function writeCheckpoint({ number, hash: own, at, trimmed, key, signature }: Checkpoint): string {
  return JSON.stringify({ n: number, h: own, t: at, x: trimmed, k: key, s: signature });
}

/** Undefined when the line is no checkpoint, such as one that was torn when the machine stopped. */
export function parseCheckpoint(line: string): Checkpoint | undefined {
  try {
    const { n, h, t, x, k, s } = JSON.parse(line) as Record<string, unknown>;
    if (typeof n !== "number" || typeof h !== "string" || typeof s !== "string") return undefined;
    return { number: n, hash: h, at: Number(t), trimmed: Number(x), key: String(k), signature: s };
  } catch {
    return undefined;
  }
}

function signedText(
  namespace: string,
  { number, hash: own, at, trimmed }: Pick<Checkpoint, "number" | "hash" | "at" | "trimmed">,
): Buffer {
  return Buffer.from(["llm-mailbox audit checkpoint", namespace, number, own, at, trimmed].join("\n"));
}
