// Stops an agent, and dies as soon as the rule is written: nothing that the agent has is given up by this process.
import { openHouse } from "../../dist/compose.js";
import { readConfig } from "../../dist/config/index.js";
import { operatorPrincipal } from "../../dist/identity/index.js";
import { openLog } from "../../dist/observability/index.js";

const config = readConfig(process.env);
const house = await openHouse(config, openLog("silent"));
const change = house.access.change.bind(house.access);
house.access.change = async (...given) => {
  await change(...given);
  process.kill(process.pid, "SIGKILL");
  await new Promise(() => {});
};
const operator = { principal: operatorPrincipal(config.namespace), run: { id: "operator/dies" } };
await house.killSwitch.stop(operator, process.argv[2], "it dies on the way");
