// Takes two locks, each in a run of its own, and ends in good order; but what the runs have cannot be given back by then.
import { openHouse } from "../../dist/compose.js";
import { readConfig } from "../../dist/config/index.js";
import { localPrincipal } from "../../dist/identity/index.js";
import { openLog } from "../../dist/observability/index.js";

const config = readConfig(process.env);
const house = await openHouse(config, openLog("silent"));
const { locks, runs } = house.rooms;
const taken = async (resource) => {
  const caller = await runs.begin(localPrincipal(config.namespace, "bob"));
  await locks.acquireLock(caller, { resources: [resource], lease_seconds: 3_600 });
  return caller;
};
const [before] = [await taken("before"), await taken("with")];
const run = house.store.run.bind(house.store);
house.store.run = async (script, ...rest) => {
  if (script.name === "release-run-locks") throw new Error("away");
  return run(script, ...rest);
};
await runs.end(before).catch(() => undefined);
await house.close();
process.exit(0);
