// Several agents in one process that lock, called by lines of JSON: {id, agent, tool, input} in, {id, result | refused}
// out. What the scripts do is written down beside the locks.
import { createInterface } from "node:readline";
import { openHouse } from "../../dist/compose.js";
import { readConfig } from "../../dist/config/index.js";
import { isRefusal } from "../../dist/errors/index.js";
import { localPrincipal } from "../../dist/identity/index.js";
import { verifyToken } from "../../dist/locks/index.js";
import { openLog } from "../../dist/observability/index.js";
import { recordHistory } from "../locks/record-history.mjs";

const { LOCK_LIMITS, ...env } = process.env;
const config = readConfig(env);
const house = await openHouse(config, openLog("silent"), {
  callTimeoutMs: 2_000,
  locks: JSON.parse(LOCK_LIMITS),
});
recordHistory(house.store);
const callers = new Map();
const { locks } = house.rooms;

const callerOf = (agent) => {
  if (!callers.has(agent))
    callers.set(agent, house.rooms.runs.begin(localPrincipal(config.namespace, agent)));
  return callers.get(agent);
};
const tools = {
  acquire_lock: (caller, input) => locks.acquireLock(caller, input),
  release_lock: (caller, input) => locks.releaseLock(caller, input),
  list_locks: (caller, input) => locks.listLocks(caller, input),
  verify_token: (caller, { resource, token }) => verifyToken(house.locks, caller, resource, token),
};

createInterface(process.stdin)
  .on("line", async (line) => {
    const { id, agent, tool, input } = JSON.parse(line);
    try {
      const caller = await callerOf(agent).catch((error) => {
        callers.delete(agent);
        throw error;
      });
      const result = await tools[tool](caller, input);
      process.stdout.write(`${JSON.stringify({ id, result })}\n`);
    } catch (error) {
      const refused = isRefusal(error) ? error.message : `bug: ${error.stack}`;
      process.stdout.write(`${JSON.stringify({ id, refused })}\n`);
    }
  })
  .on("close", () => process.exit(0));
