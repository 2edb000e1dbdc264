// Several agents in one process that ask before a step, called as answer-lines.mjs says.
import { openHouse } from "../../dist/compose.js";
import { readConfig } from "../../dist/config/index.js";
import { openLog } from "../../dist/observability/index.js";
import { answerLines } from "./answer-lines.mjs";

const house = await openHouse(readConfig(process.env), openLog("silent"));
const { policy } = house.rooms;

answerLines(house, {
  check_policy: (caller, input) => policy.checkPolicy(caller, input),
  settle_reservation: (caller, input) => policy.settleReservation(caller, input),
});
