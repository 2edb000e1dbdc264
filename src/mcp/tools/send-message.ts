import { z } from "zod";
import { type RecipientReceipt, SendMessage, type SendReceipt } from "../../mailbox/index.js";
import { allRefused } from "../all-refused.js";
import { defineTool } from "../define-tool.js";

const refusalOutput = z.object({ code: z.string(), message: z.string() });

export const sendMessage = defineTool({
  name: "send_message",
  title: "Send a message",
  description:
    "Write to other agents, people, queues or topics (not to your own sub-agents or your client's chat). Kept until read. Wait for answers with read_inbox.",
  input: SendMessage,
  output: z.object({
    message_id: z.string(),
    recipients: z.array(
      z.object({
        to: z.string(),
        state: z.enum(["stored", "refused", "pending"]),
        opened: z.boolean().exactOptional(),
        refusal: refusalOutput.exactOptional(),
      }),
    ),
    replayed: z.boolean(),
    duplicate_of: z.string().exactOptional(),
    decided: z
      .object({ approval_id: z.string(), state: z.string(), agreeing: z.number(), quorum: z.number() })
      .exactOptional(),
  }),
  needs: ["mailbox.send", "topic.publish"],
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  handle: (input, { caller, mail }) => mail.sendMessage(caller, input),
  say: tell,
  refusal: (receipt) => allRefused(receipt.recipients),
});

function tell(receipt: SendReceipt): string {
  if (receipt.decided) {
    const { approval_id: id, state, agreeing, quorum } = receipt.decided;
    return state === "pending"
      ? `your vote on ${id} is kept; ${agreeing} of ${quorum} agree so far`
      : `${id} is ${state}`;
  }
  if (receipt.duplicate_of)
    return `duplicate of ${receipt.duplicate_of}: you sent the same within a minute, nothing was sent now; pass again: true to send it all the same`;
  const lines = [
    ...group(receipt, "stored", `${receipt.replayed ? "replayed: " : ""}sent ${receipt.message_id} to`),
    ...group(receipt, "pending", "on its way to"),
  ];
  const opened = receipt.recipients.filter((one) => one.opened).map((one) => one.to);
  if (opened.length)
    lines.push(`nobody has been seen under ${names(opened)}: a mailbox was opened and waits for them`);
  for (const [message, who] of refusals(receipt)) lines.push(`refused for ${names(who)}: ${message}`);
  return lines.join("\n");
}

function group(receipt: SendReceipt, state: RecipientReceipt["state"], words: string): string[] {
  const who = receipt.recipients.filter((one) => one.state === state).map((one) => one.to);
  return who.length ? [`${words} ${names(who)}`] : [];
}

function refusals(receipt: SendReceipt): Map<string, string[]> {
  const byText = new Map<string, string[]>();
  for (const one of receipt.recipients) {
    if (one.state !== "refused") continue;
    const text = one.refusal?.message ?? "";
    // Texts that differ only in the name they mention would fill the reply: five are enough to understand.
    const key = byText.has(text) || byText.size < 5 ? text : "likewise";
    byText.set(key, [...(byText.get(key) ?? []), one.to]);
  }
  return byText;
}

function names(who: readonly string[]): string {
  return who.length <= 12 ? who.join(", ") : `${who.slice(0, 10).join(", ")} and ${who.length - 10} others`;
}
