import { isAgentName, parseAddress, visible } from "../../addresses/index.js";
import { refuse } from "../../errors/index.js";
import type { Prompt } from "./list.js";

export const handOver: Prompt = {
  name: "hand-over",
  title: "Hand over",
  description: "End a work session: settle what you hold and hand the rest to somebody.",
  arguments: [
    {
      name: "to",
      description: "Agent or queue that takes over; without it you are asked to find one",
      required: false,
    },
    { name: "about", description: "The piece of work", required: false },
  ],
  text: ({ to, about }) => {
    const who = to?.trim() ? address(to) : undefined;
    return `Hand over ${about?.trim() ? `this work: ${visible(about.trim().slice(0, 500))}` : "your work"} through LLM Mailbox.

1. Call read_inbox once more, and my_status to see what is open.
2. ${who ? `The work goes to ${who}.` : "Call find_recipients and choose who can take it over; ask me if it is not clear."}
3. Send one message with send_message${who ? ` to ${who}` : ""}, ack_required: true, with a subject. Write: the goal; what is done and how it was checked; what is not done; what you would do next; files, branches and commands; the ids of the messages that matter; what is uncertain. Whoever reads it knows nothing of this conversation.
4. Settle each job you hold with ack_messages: done if it is finished, otherwise retry with a reason, so that another consumer gets it at once.
5. Tell me what you handed over, to whom, and the message id.`;
  },
};

function address(given: string): string {
  const parsed = parseAddress(given);
  if (parsed.kind === "queue") return `queue:${parsed.name}`;
  if (parsed.kind === "agent" && isAgentName(parsed.name)) return parsed.name;
  return refuse("address.invalid", {
    given: parsed.kind === "topic" ? "a topic" : "everyone",
    problem: "work is handed over to one agent or one queue",
  });
}
