import { isRefusal, refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import type { MailContext } from "./context.js";
import type { MessageLock, SendMessage } from "./contract.js";

/** The lease under which something is sent, as its token was verified. */
interface Lease {
  readonly lock: MessageLock;
  /** Whether it was over when it was looked at. */
  readonly isOver: boolean;
  /** What scripts take of it, see redis/lua/lease.lua. */
  readonly text: string;
}

/** A lease that is over and of nothing: what is stored under it is stored no more, and what was is answered again. */
export const leaseOver = "0|0|0|";

type UnderLock = Pick<SendMessage, "resource" | "fencing_token">;

/** @throws {MailboxError} `input.invalid` for a resource without its token, or a token without its resource */
export function checkLock({ resource, fencing_token: token }: UnderLock): void {
  if ((resource === undefined) !== (token === undefined))
    refuse("input.invalid", {
      problem: "resource and fencing_token go together: both are told when a lock is granted",
    });
}

/**
 * The lease under which a message is sent. One that is over, or another's, is told as over: what was stored while it held
 * is answered again, and nothing new is stored.
 *
 * @throws {MailboxError} `lock.resource_invalid`, and `access.denied` for who may not look at locks
 */
export async function leaseOfSend(
  context: MailContext,
  caller: Caller,
  { resource, fencing_token: token }: UnderLock,
): Promise<Lease | undefined> {
  if (resource === undefined || token === undefined) return undefined;
  try {
    const { resource: locked, expiresAt, shared } = await context.deps.leaseOf(caller, resource, token);
    return {
      lock: { resource: locked, fencing_token: token },
      isOver: false,
      text: `${Math.floor(expiresAt)}|${shared ? 1 : 0}|${token}|${locked}`,
    };
  } catch (error) {
    if (!isRefusal(error, "lock.stale_token")) throw error;
    return { lock: { resource, fencing_token: token }, isOver: true, text: `0|0|${token}|${resource}` };
  }
}
