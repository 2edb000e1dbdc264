// Several agents in one process that ask before a step, called as answer-lines.mjs says.
import { answerLines, openWhenThere } from "./answer-lines.mjs";

const house = await openWhenThere(process.env);
const { policy } = house.rooms;

answerLines(house, {
  check_policy: (caller, input) => policy.checkPolicy(caller, input),
  settle_reservation: (caller, input) => policy.settleReservation(caller, input),
});
