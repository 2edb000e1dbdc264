// Several agents in one process that exchange mail, called as answer-lines.mjs says.
import { openHouse } from "../../dist/compose.js";
import { readConfig } from "../../dist/config/index.js";
import { openLog } from "../../dist/observability/index.js";
import { answerLines } from "./answer-lines.mjs";

const house = await openHouse(readConfig(process.env), openLog("silent"));
const { mail } = house.rooms;

answerLines(
  house,
  {
    send_message: (caller, input) => mail.sendMessage(caller, input),
    read_inbox: (caller, input) => mail.readInbox(caller, input, { maxChars: 10_500 }),
    ack_messages: (caller, input) => mail.ackMessages(caller, input),
  },
  (caller, result) => {
    if (result.batch) mail.confirm(caller, result.batch, true);
  },
);
