// Several agents in one process that ask before a step, called by lines of JSON: {id, agent, tool, input} in,
// {id, result | refused} out.
import { createInterface } from "node:readline";
import { openHouse } from "../../dist/compose.js";
import { readConfig } from "../../dist/config/index.js";
import { isRefusal } from "../../dist/errors/index.js";
import { localPrincipal } from "../../dist/identity/index.js";
import { openLog } from "../../dist/observability/index.js";

const config = readConfig(process.env);
const house = await openHouse(config, openLog("silent"));
const callers = new Map();
const { policy } = house.rooms;

const callerOf = (agent) => {
  if (!callers.has(agent))
    callers.set(agent, house.rooms.runs.begin(localPrincipal(config.namespace, agent)));
  return callers.get(agent);
};
const tools = {
  check_policy: (caller, input) => policy.checkPolicy(caller, input),
  settle_reservation: (caller, input) => policy.settleReservation(caller, input),
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
