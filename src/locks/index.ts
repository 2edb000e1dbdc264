/** Locks: leases on what agents are about to change, queues for them, and fencing tokens. */
export { acquireLock, type WaitOptions } from "./acquire-lock.js";
export { acquireAsAsked } from "./asked-to-acquire.js";
export { LockContext, type LockDependencies } from "./context.js";
export {
  AcquireLock,
  type Force,
  ForceReason,
  type HeldLease,
  type Holder,
  type ListedLock,
  type ListedWaiter,
  ListLocks,
  type LockAnswer,
  type LockList,
  type LockNews,
  type Mode,
  type OwnLocks,
  type Released,
  ReleaseLock,
  type TellOptions,
} from "./contract.js";
export { type ForcedRelease, forceRelease, listForced } from "./force-release.js";
export { GuardFiles, type GuardFindings, GuardStop } from "./guard-contract.js";
export { type GuardOptions, guardFiles } from "./guard-files.js";
export { guardRun } from "./guard-run.js";
export { keepLockTime } from "./keep-lock-time.js";
export { defaultLockLimits, type LockLimits } from "./limits.js";
export { type CurrentLease, conflictsOf, leaseOf, listLocks } from "./list-locks.js";
export { keepNews, lockNews } from "./lock-news.js";
export { noteAbsence } from "./note-absence.js";
export { comesBefore, type Place } from "./order.js";
export { hasLocks, ownLocks } from "./own-locks.js";
export { releaseAgent } from "./release-agent.js";
export { releaseLock } from "./release-lock.js";
export { releaseRun } from "./release-run.js";
export { shownResource, shownResources } from "./shown-resource.js";
export { type Tell, tellOfTurns } from "./tell-of-turns.js";
export { ownLease, staleInWords, type Verdict, verifyToken } from "./verify-token.js";
export { watchLocks } from "./watch-locks.js";
export { whileAwaiting } from "./while-awaiting.js";
