import { refuse } from "../errors/index.js";
import { type Admission, type Caller, PendingRow, rowOf } from "../identity/index.js";
import { loadScript, lockKeys } from "../redis/index.js";
import type { LockContext } from "./context.js";
import type { Released, ReleaseLock, TellOptions } from "./contract.js";
import { findLock } from "./find-lock.js";
import { forceRelease, retryMs } from "./force-release.js";
import { newLockId } from "./lock-id.js";
import { lossNamed } from "./loss-named.js";
import { type NamedCall, namedCall } from "./named-call.js";

const releaseLockScript = loadScript(import.meta.url, "release-lock.lua");

/**
 * Gives a lease back, declines an offer, or leaves the queue: whatever the id stands for by now, in one step. What has
 * ended already is a normal answer, which says where the run lost it. It may be what another run of the agent has (a client without a session is another
 * run in each process): that one is told with its next reply that it lost it.
 *
 * Its own an agent may always give back, whatever it may lock by now: it has to be believed, and is asked for no right. What
 * another agent has is answered as what never was: nothing is released, and whether it is there is not told. With a
 * `reason` it is taken by force, by whoever may do that.
 *
 * @throws {MailboxError} `access.denied` to whoever may lock nothing and has nothing under this id, and to whoever gives a
 *   reason for what is not its own and may take nothing by force
 */
export async function releaseLock(
  context: LockContext,
  caller: Caller,
  input: ReleaseLock,
  { tells }: TellOptions = {},
): Promise<Released> {
  const id = input.lock_id ?? input.ticket;
  if (id === undefined) refuse("input.invalid", { problem: "name a lock_id or a ticket" });
  const { namespace } = caller.principal;
  const known = context.known(caller);
  const named = namedCall(caller, "release_lock", input.idempotency_key, [id]);
  // What neither knows is over, or another agent's.
  const own = known?.resourcesOf(id) ?? (await findLock(context, caller, id))?.resources;
  const isOwn = own !== undefined || (known?.knows(id) ?? false);
  if (!isOwn && input.reason !== undefined && !(await wasDone(context, caller, named)))
    return takeByForce(context, caller, id, input.reason, input.idempotency_key);
  const admissions = await admissionsTo(context, caller, own, named);
  const [word, was, before, ...told] = await context.run(namespace, releaseLockScript, [
    caller.run.id,
    id,
    newLockId(),
    named.operation,
    named.digest,
    named.operation === "" ? retryMs : context.limits.idempotencyMs,
    new PendingRow(...admissions).text,
  ]);
  if (word === "CONFLICT") refuse("lock.idempotency_conflict");
  // Whoever has not been told yet that it lost its lease is told so now, and not again.
  const loss = word === "GONE" ? await lossNamed(context, caller, id, Number(was)) : undefined;
  if (loss) tells?.(loss);
  known?.drop(id);
  if (word === "GONE")
    return {
      state: loss?.what === "lost" ? "lost" : "gone",
      ...(loss?.what === "lost" && loss.still_under !== undefined && { still_under: loss.still_under }),
      ...{ next: [], replayed: false },
    };
  // A run is named agent/id, and no agent has a slash in its name.
  const [other, ...more] = told as string[];
  const isRun = other?.includes("/") ?? false;
  // Its own where it repeats, by its key, what another run released for it.
  const isOther = isRun && other !== caller.run.id;
  return {
    state: was === "waiting" ? "left_queue" : "released",
    ...(isOther && { other_run: other!.slice(other!.indexOf("/") + 1) }),
    next: isRun ? more : (told as string[]),
    replayed: before === "1",
  };
}

/** What another agent has, by whoever may do so; to nobody else is told whether there is anything. */
async function takeByForce(
  context: LockContext,
  caller: Caller,
  id: string,
  reason: string,
  key: string | undefined,
): Promise<Released> {
  const named = namedCall(caller, "release_lock", key, [id, "by force"]);
  const taken = await forceRelease(context, caller, id, reason, named);
  if (!taken) return { state: "gone", next: [], replayed: false };
  const { agent, next, replayed } = taken;
  return { state: "released", taken_from: agent, next, replayed };
}

/** For what is not its own, whoever may lock nothing is refused; what was done by the same key is decided already. */
async function admissionsTo(
  context: LockContext,
  caller: Caller,
  own: readonly string[] | undefined,
  named: NamedCall,
): Promise<readonly Admission[]> {
  const { admit, rightsOf } = context.deps;
  // Refuses whoever is not believed, or is stopped.
  await rightsOf(caller);
  if (own) {
    const decided = { action: "lock.release", outcome: "allow", because: "own" } as const;
    return own.map((resource) => ({ row: rowOf(caller, { ...decided, resource: `lock:${resource}` }) }));
  }
  return (await wasDone(context, caller, named)) ? [] : [await admit(caller, "lock.acquire", "*")];
}

/** Whether what this call names was given back by an earlier one of the same key. */
async function wasDone(context: LockContext, caller: Caller, named: NamedCall): Promise<boolean> {
  if (named.operation === "") return false;
  const { operations } = lockKeys(caller.principal.namespace);
  const done = await context.deps.store.command("HGET", operations, named.operation);
  return typeof done === "string" && done.startsWith(`${named.digest}|`);
}
