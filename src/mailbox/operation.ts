import { hash } from "node:crypto";

/** What a call is remembered by, so that it is done once. */
export interface Operation {
  readonly key: string;
  readonly digest: string;
  /** How long it is remembered, ms. */
  readonly keepMs: number;
  /** This call of the caller; our own repetitions of it share it. */
  readonly attempt: string;
  /** Without a key of the caller an equal send is a duplicate, not a replay. */
  readonly keyed: boolean;
}

/** 128 bits of SHA-256 over a canonical form: equal content, equal digest, whatever the order of the keys. */
export function digest(content: unknown): string {
  return hash("sha256", canonical(content), "base64url").slice(0, 22);
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value && typeof value === "object") {
    let fields = "";
    for (const key of Object.keys(value).sort()) {
      const inner = (value as Record<string, unknown>)[key];
      if (inner !== undefined) fields += `${fields && ","}${JSON.stringify(key)}:${canonical(inner)}`;
    }
    return `{${fields}}`;
  }
  return JSON.stringify(value) ?? "null";
}
