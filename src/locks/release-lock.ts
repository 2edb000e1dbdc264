import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import type { LockContext } from "./context.js";
import type { Released, ReleaseLock } from "./contract.js";
import { newLockId } from "./lock-id.js";
import { namedCall } from "./named-call.js";
import { plainId } from "./plain-id.js";

const releaseLockScript = loadScript(import.meta.url, "release-lock.lua");

/** How long our own repetition of a release finds what the first one did. */
const retryMs = 60_000;

/**
 * Gives a lease back, declines an offer, or leaves the queue: whatever the id stands for by now, in one step. What has
 * ended already is a normal answer.
 *
 * @throws {MailboxError} `lock.not_yours` when another agent has it
 */
export async function releaseLock(
  context: LockContext,
  caller: Caller,
  input: ReleaseLock,
): Promise<Released> {
  const id = input.lock_id ?? input.ticket;
  if (id === undefined) refuse("input.invalid", { problem: "name a lock_id or a ticket" });
  const { namespace, agent } = caller.principal;
  const known = context.known(caller);
  const resources = (known?.leases.get(id) ?? known?.waits.get(id))?.resources.map((one) => `lock:${one}`);
  for (const resource of resources ?? ["*"]) await context.deps.admit(caller, "lock.acquire", resource);
  const named = namedCall(caller, "release_lock", input.idempotency_key, [id]);
  const [word, was, before, ...next] = await context.run(namespace, releaseLockScript, [
    agent,
    id,
    newLockId(),
    named.operation,
    named.digest,
    named.operation === "" ? retryMs : context.limits.idempotencyMs,
  ]);
  if (word === "CONFLICT") refuse("mailbox.idempotency_conflict");
  if (word === "NOT_YOURS") refuse("lock.not_yours", { lock_id: plainId(id) });
  known?.drop(id);
  if (word === "GONE") return { state: "gone", next: [], replayed: false };
  return {
    state: was === "waiting" ? "left_queue" : "released",
    next: next as string[],
    replayed: before === "1",
  };
}
