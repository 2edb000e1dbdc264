import { refuse } from "../errors/index.js";
import { type Caller, PendingRow } from "../identity/index.js";
import type { LockContext } from "./context.js";
import type { LockAnswer, TellOptions } from "./contract.js";
import type { FoundLock } from "./find-lock.js";
import { lossNamed, tellOfRefused } from "./loss-named.js";
import { plainId } from "./plain-id.js";
import { askStandings } from "./standings.js";

/**
 * Renews a lease. Never shortens it; undefined for a ticket that waits or is offered. One that another run of the agent has
 * passes to this run, but for that of an edit hook, which still gives it back.
 *
 * @param found what it is for; undefined when there is no such lease
 * @throws {MailboxError} `lock.not_yours` when the lease is over or somebody else's; `lock.deadlock` when this run waits for
 *   somebody who waits for it; `lock.full`
 */
export async function renewLease(
  context: LockContext,
  caller: Caller,
  id: string,
  leaseSeconds: number | undefined,
  found: FoundLock | undefined,
  { tells }: TellOptions,
): Promise<LockAnswer | undefined> {
  const resources = found?.resources ?? [];
  const admissions = [];
  for (const resource of resources.length > 0 ? resources.map((one) => `lock:${one}`) : ["*"])
    admissions.push(await context.deps.admit(caller, "lock.acquire", resource));
  const { text: rows } = new PendingRow(...admissions);
  const leaseMs = leaseSeconds === undefined ? "" : leaseSeconds * 1000;
  const standing = (
    await askStandings(context, caller, { how: "renew", leaseMs, rows, mostLost: 1 }, [id])
  ).get(id);
  if (!standing || standing.word === "LOST") {
    const known = context.known(caller);
    tellOfRefused(
      known,
      await lossNamed(context, caller, id, standing?.token ?? 0),
      tells ?? (() => undefined),
    );
    known?.drop(id);
    return refuse("lock.not_yours", { lock_id: plainId(id) });
  }
  if (standing.word !== "HELD") return undefined;
  // What a hook has is not this run's: its calls do not prolong it, and its end is no loss.
  if (!found?.ofHook) {
    context
      .memory(caller)
      .holds({ id, resources, token: standing.token, mode: standing.mode }, standing.leftMs);
    context.pulse(caller.principal.namespace).goOn();
  }
  return {
    state: "renewed",
    lock_id: id,
    token: standing.token,
    expires_at: new Date(standing.endsAt).toISOString(),
    resources,
    ...(found?.ofHook && { own_edit_hook: true }),
  };
}
