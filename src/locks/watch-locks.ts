import { setTimeout as delay } from "node:timers/promises";
import type { Caller } from "../identity/index.js";
import { lockKeys } from "../redis/index.js";
import type { LockContext } from "./context.js";
import { visibleRows } from "./list-locks.js";

/** Where something may not be seen: how long it is between two looks at all that is there, ms. */
const betweenLooksMs = 500;

/**
 * Calls back when who holds and who waits may have changed. Of what the caller may not see nothing is told: where there is
 * something like that, it is looked with each change whether what is left became another. Resolves when it listens.
 *
 * @throws {MailboxError} `access.denied`
 */
export async function watchLocks(
  context: LockContext,
  caller: Caller,
  onChange: () => void,
): Promise<() => void> {
  const { admit, rightsOf, hints } = context.deps;
  let seen: string | undefined;
  const isNews = async (): Promise<boolean> => {
    const may = await rightsOf(caller);
    if (!may("lock.read", "*")) return false;
    const before = seen;
    seen = may("lock.read", "lock:**")
      ? undefined
      : JSON.stringify((await visibleRows(context, caller, [])).rows);
    return seen === undefined || seen !== before;
  };
  let last: Promise<unknown> = Promise.resolve();
  let isNext = false;
  let isOver = false;
  const heard = (): void => {
    // Several changes that wait are one look, and no look overtakes another.
    if (isNext) return;
    isNext = true;
    last = last.then(async () => {
      if (seen !== undefined) await delay(betweenLooksMs, undefined, { ref: false });
      isNext = false;
      if (isOver) return;
      const isTold = await isNews().catch(() => false); // away, or no longer believed: who may look asks
      if (isTold && !isOver) onChange();
    });
  };
  await admit(caller, "lock.read", "*");
  // What is there now is no change.
  await isNews();
  const stop = await hints.listen(lockKeys(caller.principal.namespace).changes, heard);
  return () => {
    isOver = true;
    stop();
  };
}
