// Several agents in one process that lock, called as answer-lines.mjs says. What the scripts do is written down beside
// the locks.
import { verifyToken } from "../../dist/locks/index.js";
import { listVersions } from "../../dist/state/index.js";
import { recordHistory } from "../locks/record-history.mjs";
import { answerLines, openWhenThere } from "./answer-lines.mjs";

const { LOCK_LIMITS, ...env } = process.env;
const house = await openWhenThere(env, {
  callTimeoutMs: 2_000,
  locks: JSON.parse(LOCK_LIMITS),
});
recordHistory(house.store);
const { locks, state } = house.rooms;

answerLines(house, {
  acquire_lock: (caller, input) => locks.acquireLock(caller, input),
  release_lock: (caller, input) => locks.releaseLock(caller, input),
  list_locks: (caller, input) => locks.listLocks(caller, input),
  put_state: (caller, input) => state.putState(caller, input),
  list_versions: (caller, { key }) => listVersions(house.state, caller, key),
  verify_token: (caller, { resource, token }) => verifyToken(house.locks, caller, resource, token),
});
