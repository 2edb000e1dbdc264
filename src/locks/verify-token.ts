import { parseResource, type Resource } from "../addresses/index.js";
import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import type { LockContext } from "./context.js";
import type { Mode } from "./contract.js";
import { modeInWords } from "./state-in-words.js";

const verifyTokenScript = loadScript(import.meta.url, "verify-token.lua");

/** Whether a token is good for a resource, and if not, who holds it. */
export type Verdict =
  | {
      readonly valid: true;
      readonly lockId: string;
      readonly agent: string;
      readonly mode: Mode;
      readonly expiresAt: number;
    }
  | { readonly valid: false; readonly holder?: string };

/**
 * Whether the token is the one of a lease that holds this resource at this instant. A valid token can become stale the
 * instant after: whatever is written must refuse tokens below the highest it has seen.
 */
export async function verifyToken(
  context: LockContext,
  caller: Caller,
  given: string,
  token: number,
): Promise<Verdict> {
  const resource = parseResource(given);
  await context.deps.record(caller, await context.deps.admit(caller, "lock.read", `lock:${resource}`));
  return verdictOn(context, caller, resource, token);
}

/**
 * The lease of the caller's agent that a token is of, for whoever writes under it. The row of the look is left where it is
 * the caller's; where it is not, that of the refusal.
 *
 * @throws {MailboxError} `lock.stale_token`, also for a token of somebody else; `access.denied`
 */
export async function ownLease(
  context: LockContext,
  caller: Caller,
  given: string,
  token: number,
): Promise<{ readonly expiresAt: number; readonly resource: Resource; readonly shared: boolean }> {
  const resource = parseResource(given);
  const admission = await context.deps.admit(caller, "lock.read", `lock:${resource}`);
  const verdict = await verdictOn(context, caller, resource, token);
  if (!verdict.valid || verdict.agent !== caller.principal.agent) return refuse("lock.stale_token");
  await context.deps.record(caller, admission);
  return { expiresAt: verdict.expiresAt, resource, shared: verdict.mode === "shared" };
}

async function verdictOn(
  context: LockContext,
  caller: Caller,
  resource: Resource,
  token: number,
): Promise<Verdict> {
  const { namespace } = caller.principal;
  const args = [resource, token];
  const [word, first, agent, mode, endsAt] = await context.look(namespace, verifyTokenScript, args, 5);
  if (word === "STALE") return { valid: false, ...(first === "" ? {} : { holder: String(first) }) };
  return {
    valid: true,
    lockId: String(first),
    agent: String(agent),
    mode: modeInWords(String(mode)),
    expiresAt: Number(endsAt),
  };
}
