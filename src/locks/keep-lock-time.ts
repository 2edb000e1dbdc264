import type { LockContext } from "./context.js";

/**
 * Lets lock time go on for leases that have no process of their own, as those of a hook: called by the one process of a
 * namespace that sweeps, every few seconds; it beats then as a process that holds something does.
 */
export function keepLockTime(context: LockContext, namespace: string): Promise<void> {
  return context.pulse(namespace).sweep();
}
