import type { Caller } from "../identity/index.js";
import type { LockContext } from "./context.js";
import type { LockNews } from "./contract.js";
import type { LeaseMemory } from "./lease-memory.js";
import { type Standing, touchLeases } from "./standings.js";
import { hasAllOf, withRest } from "./with-rest.js";

/**
 * What a call that names it tells of a loss, by which it counts as told. Whether the run has another lease on all of that, the
 * store is asked: it may be over as well.
 *
 * @param lastToken see `withRest`
 */
export async function lossNamed(
  context: LockContext,
  caller: Caller,
  id: string,
  lastToken: number,
): Promise<LockNews | undefined> {
  const memory = context.known(caller);
  const loss = memory?.lossOf(id);
  // Before the store is asked: another call of the run, which is over meanwhile, would tell it too.
  memory?.drop(id);
  if (!memory || loss?.what !== "lost") return loss;
  const others = [...memory.leases.values()].filter((one) => one.id !== id && hasAllOf(one, loss));
  if (others.length === 0) return loss;
  const ids = others.map((one) => one.id);
  // Where that cannot be said, others may have changed it.
  const standings = await touchLeases(context, caller, ids, new Set(ids), 0).catch(
    () => new Map<string, Standing>(),
  );
  return withRest(
    loss,
    others.filter((one) => standings.get(one.id)?.word === "HELD"),
    lastToken,
  );
}

/** Of what a refusal names: it says what to do where nothing is left of it; what is left, the line says that closes it. */
export function tellOfRefused(
  memory: LeaseMemory | undefined,
  loss: LockNews | undefined,
  tells: (news: LockNews) => void,
): void {
  if (loss?.what === "lost" && loss.still_under !== undefined) memory?.kept.push(loss);
  else if (loss) tells(loss);
}
