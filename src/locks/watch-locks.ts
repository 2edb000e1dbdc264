import { setTimeout as delay } from "node:timers/promises";
import type { Caller } from "../identity/index.js";
import { directoryKeys, lockKeys } from "../redis/index.js";
import type { LockContext } from "./context.js";
import { visibleRows } from "./list-locks.js";

/** Where something may not be seen: how long it is between two looks at all that is there, ms. */
const betweenLooksMs = 500;

/**
 * Calls back when who holds and who waits may have changed. Of what the caller may not see nothing is told: where there is
 * something like that, it is looked with each change whether what is left became another; and with each change of what it may
 * see, so that the first change of what is hidden from then on is not taken for one. Resolves when it listens.
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
  const isNews = async (ofLocks: boolean): Promise<boolean> => {
    const may = await rightsOf(caller);
    if (!may("lock.read", "*")) return false;
    const before = seen;
    seen = may("lock.read", "lock:**")
      ? undefined
      : JSON.stringify((await visibleRows(context, caller, [])).rows);
    return seen !== before || (ofLocks && seen === undefined);
  };
  let last: Promise<unknown> = Promise.resolve();
  let isNext = false;
  let isOver = false;
  let ofLocks = false;
  const look = (): void => {
    // Several changes that wait are one look, and no look overtakes another.
    if (isNext) return;
    isNext = true;
    last = last.then(async () => {
      if (seen !== undefined) await delay(betweenLooksMs, undefined, { ref: false });
      isNext = false;
      const isOfLocks = ofLocks;
      ofLocks = false;
      if (isOver) return;
      const isTold = await isNews(isOfLocks).catch(() => false); // away, or no longer believed: who may look asks
      if (isTold && !isOver) onChange();
    });
  };
  await admit(caller, "lock.read", "*");
  // What is there now is no change.
  await isNews(false);
  const { namespace } = caller.principal;
  const stops = await Promise.all([
    hints.listen(lockKeys(namespace).changes, () => {
      ofLocks = true;
      look();
    }),
    hints.listen(directoryKeys(namespace).channel, (message) => {
      if (message === "access" || message === "") look();
    }),
  ]);
  return () => {
    isOver = true;
    for (const stop of stops) stop();
  };
}
