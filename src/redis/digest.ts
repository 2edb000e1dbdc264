import { hash } from "node:crypto";

/** 128 bits of SHA-256 over a canonical form: equal content, equal digest, whatever the order of the keys. */
export function digest(content: unknown): string {
  return digestOfText(canonical(content));
}

/** The same over a text as it is. */
export function digestOfText(text: string): string {
  return hash("sha256", text, "base64url").slice(0, 22);
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
