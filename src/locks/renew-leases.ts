import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import type { LockContext } from "./context.js";
import type { LockAnswer } from "./contract.js";
import { plainId } from "./plain-id.js";

const renewLocks = loadScript(import.meta.url, "renew-locks.lua");

/** How a lease, an offer or a place in the queue stands now. */
export interface Standing {
  readonly word: "HELD" | "OFFERED" | "WAITING" | "SKIPPED" | "LOST";
  readonly token: number;
  readonly endsAt: number;
}

/**
 * Renews a lease. Never shortens it; undefined for a ticket that waits or is offered.
 *
 * @throws {MailboxError} `lock.not_yours` when the lease is over or somebody else's
 */
export async function renewLease(
  context: LockContext,
  caller: Caller,
  id: string,
  leaseSeconds: number | undefined,
): Promise<LockAnswer | undefined> {
  const resources = context.known(caller)?.leases.get(id)?.resources ?? [];
  for (const resource of resources.length > 0 ? resources.map((one) => `lock:${one}`) : ["*"])
    await context.deps.admit(caller, "lock.acquire", resource);
  const leaseMs = leaseSeconds === undefined ? "" : leaseSeconds * 1000;
  const standing = (await ask(context, caller, "renew", leaseMs, [id])).get(id);
  if (!standing || standing.word === "LOST") {
    context.known(caller)?.drop(id);
    return refuse("lock.not_yours", { lock_id: plainId(id) });
  }
  if (standing.word !== "HELD") return undefined;
  const lease = { id, resources, token: standing.token, expiresAt: standing.endsAt };
  context.memory(caller).holds(lease, context.deps.store.now());
  return {
    state: "renewed",
    lock_id: id,
    token: standing.token,
    expires_at: new Date(standing.endsAt).toISOString(),
    resources,
  };
}

/** Prolongs leases because their run called, to at most an hour beyond the grant or the last renewal; asks how tickets stand. */
export function touchLeases(
  context: LockContext,
  caller: Caller,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Standing>> {
  return ask(context, caller, "touch", "", ids);
}

async function ask(
  context: LockContext,
  caller: Caller,
  how: "renew" | "touch",
  leaseMs: number | "",
  ids: readonly string[],
): Promise<ReadonlyMap<string, Standing>> {
  const { namespace, agent } = caller.principal;
  const [, flat] = await context.run(namespace, renewLocks, [
    agent,
    how,
    leaseMs,
    context.limits.longestTouchedMs,
    ...ids,
  ]);
  const words = flat as readonly string[];
  const standings = new Map<string, Standing>();
  for (let n = 0; n + 3 < words.length; n += 4)
    standings.set(words[n]!, {
      word: words[n + 1] as Standing["word"],
      token: Number(words[n + 2]),
      endsAt: Number(words[n + 3]),
    });
  return standings;
}
