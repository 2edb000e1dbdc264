// Several agents in one process that exchange mail, called as answer-lines.mjs says.
import { answerLines, openWhenThere } from "./answer-lines.mjs";

const house = await openWhenThere(process.env);
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
