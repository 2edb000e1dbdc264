import type { Caller } from "../identity/index.js";
import { policyKeys } from "../redis/index.js";
import { limitField, limitState } from "./budget-field.js";
import type { PolicyContext } from "./context.js";
import type { LimitState } from "./contract.js";
import type { Limit } from "./decision.js";
import { askedBy } from "./question-of.js";
import { scanHash } from "./scan-hash.js";

/** A rule set can name far more actions than differ in their limits. */
const mostActions = 200;

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
  const question = { ...(await askedBy(context, caller, "", "", {})), counts: {} };
  const limits = new Map<string, Limit>();
  for (const action of [...rules.actions.slice(0, mostActions), "anything.else"])
    for (const limit of rules.limitsOf({ ...question, action }))
      if (!limit.shadow) limits.set(limitField(limit), limit);
  if (limits.size === 0) return [];
  const now = store.now();
  const windows = [...limits].map(([prefix, limit]) => {
    const begin = Math.floor(now / limit.windowMs) * limit.windowMs;
    return { field: `${prefix}|${begin}`, limit, endsAt: begin + limit.windowMs };
  });
  const texts = await store.command(
    "HMGET",
    policyKeys(namespace).counts,
    ...windows.map(({ field }) => field),
  );
  return windows.map(({ field, limit, endsAt }, n) => {
    const [used = 0, held = 0] = (texts as readonly (string | null)[])[n]?.split(",").map(Number) ?? [];
    return limitState(field, [used, held, limit.most, endsAt]);
  });
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
