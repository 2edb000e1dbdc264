import { createHash } from "node:crypto";
import type { Caller } from "../identity/index.js";
import { directoryKeys, lockKeys, RepeatedLook } from "../redis/index.js";
import type { LockContext } from "./context.js";
import { allRows, maySee, type Row } from "./list-locks.js";
import { SharedLooks } from "./shared-looks.js";

/** For all who may not see all of it, the looks at what there is in a namespace. */
const looks = new WeakMap<LockContext, Map<string, SharedLooks<readonly Row[]>>>();

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
  const { admit, record, rightsOf, hints } = context.deps;
  const { namespace } = caller.principal;
  let seen: string | undefined;
  /** By the rights of when it is looked, which may be some time after it was asked for. */
  const digestOf = async (all: readonly Row[]): Promise<string> => {
    const may = await rightsOf(caller);
    return digest(all.filter((row) => maySee(may, row)));
  };
  const isNews = async (ofLocks: boolean): Promise<boolean> => {
    const may = await rightsOf(caller);
    if (!may("lock.read", "*")) return false;
    const before = seen;
    seen = may("lock.read", "lock:**") ? undefined : await looksOf(context, namespace).for(digestOf);
    return seen !== before || (ofLocks && seen === undefined);
  };
  let isOver = false;
  const look = new RepeatedLook(async (isOfLocks) => {
    if ((await isNews(isOfLocks)) && !isOver) onChange();
  });
  await record(caller, await admit(caller, "lock.read", "*"));
  // What is there now is no change.
  await isNews(false);
  const stops = await Promise.all([
    hints.listen(lockKeys(namespace).changes, () => look.again(true)),
    hints.listen(directoryKeys(namespace).channel, (message) => {
      if (message === "access" || message === "") look.again();
    }),
  ]);
  return () => {
    isOver = true;
    look.stop();
    for (const stop of stops) stop();
  };
}

function looksOf(context: LockContext, namespace: string): SharedLooks<readonly Row[]> {
  const ofContext = looks.get(context) ?? new Map<string, SharedLooks<readonly Row[]>>();
  looks.set(context, ofContext);
  const known = ofContext.get(namespace) ?? new SharedLooks(() => allRows(context, namespace));
  ofContext.set(namespace, known);
  return known;
}

function digest(rows: readonly Row[]): string {
  return createHash("sha256").update(JSON.stringify(rows)).digest("base64");
}
