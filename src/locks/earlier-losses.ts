import type { Caller } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import type { LockContext } from "./context.js";
import type { EarlierLoss } from "./contract.js";
import { newLockId } from "./lock-id.js";

const takeLosses = loadScript(import.meta.url, "take-losses.lua");

/**
 * Takes what earlier runs of the caller's agent lost, so that one run tells of it once: one store command at the first
 * reply of a run. While other runs of the agent have something to lose, hints are listened for, and it is asked again
 * when one comes: a process that died is often noticed only after its client goes on elsewhere. While none has, a reply asks
 * again where the last time was a minute ago: another run may have taken something since.
 *
 * What the caller's own run lost, because others took it for gone, is not among it: it is told that as any run that lives.
 */
export async function earlierLosses(context: LockContext, caller: Caller): Promise<readonly EarlierLoss[]> {
  const { losses } = context;
  if (!losses.isDue(caller)) return [];
  // Before asking, so that what is hinted meanwhile is asked for with the next reply.
  losses.asked(caller, false);
  try {
    const { told, others } = await take(context, caller);
    if (others === 0) return told;
    const pulse = context.pulse(caller.principal.namespace);
    if (pulse.isListening) {
      if (!losses.isDue(caller)) losses.asked(caller, true);
      return told;
    }
    if (told.length > 0) {
      // They are told now, and hints are listened for with the next reply.
      losses.forget(caller.run.id);
      return told;
    }
    await pulse.listen();
    losses.asked(caller, true);
    // What was lost before hints were heard.
    return (await take(context, caller)).told;
  } catch (error) {
    losses.forget(caller.run.id);
    throw error;
  }
}

async function take(
  context: LockContext,
  caller: Caller,
): Promise<{ readonly told: readonly EarlierLoss[]; readonly others: number }> {
  const { principal, run } = caller;
  const { namespace, agent } = principal;
  const own = context.known(caller);
  const [, more, flat, others] = await context.runForAgent(namespace, agent, takeLosses, [
    run.id,
    newLockId(),
  ]);
  const words = flat as readonly string[];
  const told: EarlierLoss[] = [];
  const ofItself = new Set<string>();
  for (let n = 0; n + 2 < words.length; n += 3) {
    const [what, id, resources] = [words[n], words[n + 1]!, words[n + 2]!.split("\n")];
    if (own?.knows(id)) ofItself.add(id);
    else
      told.push({ what: what === "held" ? "lost with its run" : "place lost with its run", id, resources });
  }
  own?.heard(ofItself);
  const count = Number(more) - (ofItself.size > 0 ? own!.besides(ofItself) : 0);
  if (count > 0) told.push({ what: "more lost with their run", count });
  return { told, others: Number(others) };
}
