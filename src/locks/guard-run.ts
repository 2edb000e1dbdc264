import { createHash } from "node:crypto";
import type { RunId } from "../identity/index.js";

/**
 * The run for which edit hooks reserve: a session of a client, which lives in the store alone, since each hook is a
 * process of its own. Two sessions of one agent are two of them.
 */
export function guardRun(agent: string, session: string): RunId {
  const name = createHash("sha256").update(session).digest("base64url").slice(0, 16);
  return `${agent}/guard-${name}` as RunId;
}

export function isGuardRun(run: string): boolean {
  return /^[^/]*\/guard-[\w-]{16}$/.test(run);
}
