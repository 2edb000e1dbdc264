import type { Caller } from "../identity/index.js";
import { policyKeys } from "../redis/index.js";
import { limitField, limitState, windowAt } from "./budget-field.js";
import type { PolicyContext } from "./context.js";
import type { LimitState } from "./contract.js";
import { askedBy } from "./question-of.js";
import { scanHash } from "./scan-hash.js";

/** Limits that somebody has taken from in a window that still runs. @throws {MailboxError} `access.denied` */
export async function listBudgets(context: PolicyContext, caller: Caller): Promise<readonly LimitState[]> {
  const { deps } = context;
  await deps.record(caller, await deps.admit(caller, "admin.policy", "*"));
  const { counts } = policyKeys(caller.principal.namespace);
  const now = deps.store.now();
  return [...(await scanHash(deps.store, counts, "l|*"))]
    .flatMap(([field, text]) => {
      const [windowMs, begin] = field.split("|").slice(-2).map(Number) as [number, number];
      const [used, held, most] = text.split(",").map(Number) as [number, number, number];
      const endsAt = begin + windowMs;
      return endsAt > now ? [limitState(field, [used, held, most, endsAt])] : [];
    })
    .sort((a, b) => compare(a.subject, b.subject) || compare(a.id, b.id));
}

/**
 * The limits that concern a caller, whatever it may do, with what is left of them. Those that look at the context of a
 * step are asked without one. For whoever was admitted to look.
 */
export async function budgetsOf(context: PolicyContext, caller: Caller): Promise<readonly LimitState[]> {
  const { store, inForce } = context.deps;
  const { namespace } = caller.principal;
  const { rules } = await inForce(namespace);
  const { agent, nowMs } = await askedBy(context, caller, "", "", {});
  const limits = rules.limitsFor(agent, nowMs).filter(({ shadow }) => !shadow);
  if (limits.length === 0) return [];
  const windows = limits.map((limit) => ({ limit, ...windowAt(limitField(limit), limit.windowMs, nowMs) }));
  const texts = await store.command("HMGET", policyKeys(namespace).counts, ...windows.map(({ key }) => key));
  return windows.map(({ key, limit, endsAt }, n) => {
    const [used = 0, held = 0] = (texts as readonly (string | null)[])[n]?.split(",").map(Number) ?? [];
    return limitState(key, [used, held, limit.most, endsAt]);
  });
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
