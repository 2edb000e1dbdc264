import type { StateEntry } from "./contract.js";

/** An entry, or an earlier version of one, as lua/entry.lua writes it. */
export interface StoredEntry {
  readonly version: number;
  readonly state: "live" | "deleted" | "expired";
  readonly at: number;
  /** 0 for never. */
  readonly expires: number;
  /** Empty for an expiry, which nobody wrote. */
  readonly agent: string;
  readonly verified: boolean;
  readonly bytes: number;
  /** Versions before the earliest that is kept. */
  readonly forgotten: number;
}

export function parseEntry(text: string): StoredEntry {
  const [version, state, at, expires, agent, verified, bytes, , forgotten] = text.split("|");
  return {
    version: Number(version),
    state: state as StoredEntry["state"],
    at: Number(at),
    expires: Number(expires),
    agent: agent!,
    verified: verified === "1",
    bytes: Number(bytes),
    forgotten: Number(forgotten),
  };
}

export function shownEntry(key: string, text: string, value: string): StateEntry {
  const { version, at, expires, agent, verified } = parseEntry(text);
  return {
    key,
    version,
    value,
    by: agent,
    verified,
    at: isoTime(at),
    ...(expires > 0 ? { expires_at: isoTime(expires) } : {}),
  };
}

export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
