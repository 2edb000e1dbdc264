import { parseResource, type Resource } from "../addresses/index.js";
import { refuse } from "../errors/index.js";
import type { Admission, Caller } from "../identity/index.js";
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
  | {
      readonly valid: false;
      readonly holder?: string;
      /** No token that high was given here; its lease holds a part of what is asked about; or it holds nothing of it now. */
      readonly because: "never given" | "of a part" | "not now";
    };

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
  const { verdict, admission } = await lookAtToken(context, caller, given, token);
  await context.deps.record(caller, admission);
  return verdict;
}

/**
 * The lease of the caller's agent that a token is of, for whoever writes under it. The row of the look is left where it is
 * the caller's; where it is not, that of the refusal.
 *
 * @param done what was not done where it is refused
 * @throws {MailboxError} `lock.stale_token`, also for a token of somebody else; `access.denied`
 */
export async function ownLease(
  context: LockContext,
  done: "sent" | "written",
  caller: Caller,
  given: string,
  token: number,
): Promise<{ readonly expiresAt: number; readonly resource: Resource; readonly shared: boolean }> {
  const { verdict, admission, resource } = await lookAtToken(context, caller, given, token);
  if (!verdict.valid || verdict.agent !== caller.principal.agent) return refuse("lock.stale_token", { done });
  await context.deps.record(caller, admission);
  return { expiresAt: verdict.expiresAt, resource, shared: verdict.mode === "shared" };
}

/**
 * The same as `verifyToken`, for whoever decides by it: the row of the look is left to that.
 *
 * @throws {MailboxError} `access.denied`, `store.*`
 */
export async function lookAtToken(
  context: LockContext,
  caller: Caller,
  given: string,
  token: number,
): Promise<{ readonly verdict: Verdict; readonly admission: Admission; readonly resource: Resource }> {
  const resource = parseResource(given);
  const admission = await context.deps.admit(caller, "lock.read", `lock:${resource}`);
  const { namespace } = caller.principal;
  const args = [resource, token];
  const [word, first, agent, mode, endsAt] = await context.look(namespace, verifyTokenScript, args, 5);
  const verdict: Verdict =
    word === "STALE"
      ? {
          valid: false,
          ...(first === "" ? {} : { holder: String(first) }),
          because: agent === "NEVER" ? "never given" : agent === "PART" ? "of a part" : "not now",
        }
      : {
          valid: true,
          lockId: String(first),
          agent: String(agent),
          mode: modeInWords(String(mode)),
          expiresAt: Number(endsAt),
        };
  return { verdict, admission, resource };
}

/** Why a token is not good, for a person: what the store knows of it, and who holds the resource. */
export function staleInWords({ holder, because }: Extract<Verdict, { readonly valid: false }>): string {
  const who = `${holder ?? "nobody"} holds it now`;
  if (because === "never given") return `no token that high was given here yet; ${who}`;
  if (because === "of a part") return "the lock that has this token holds a part of it, and not all";
  return `no lock on it has this token now; ${who}`;
}
