import { z } from "zod";
import { AckMessages, type AckResult } from "../../mailbox/index.js";
import { allRefused } from "../all-refused.js";
import { defineTool } from "../define-tool.js";

export const ackMessages = defineTool({
  name: "ack_messages",
  title: "Settle messages",
  description:
    "Say what became of jobs and of messages that asked for it. Ordinary mail needs no acknowledgement; a reply settles too.",
  input: AckMessages,
  output: z.object({
    results: z.array(
      z.object({
        id: z.string(),
        state: z.enum(["settled", "retrying", "dead", "extended", "refused"]),
        at: z.string().exactOptional(),
        refusal: z.object({ code: z.string(), message: z.string() }).exactOptional(),
      }),
    ),
    replayed: z.boolean(),
  }),
  needs: ["mailbox.read"],
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  handle: (input, { caller, mail }) => mail.ackMessages(caller, input),
  say: tell,
  refusal: ({ results }) => allRefused(results),
});

const words = {
  settled: "settled",
  retrying: "given back, ready again",
  dead: "moved to the dead letters",
  extended: "kept",
} as const;

function tell({ results, replayed }: AckResult): string {
  const lines = results.map((one) => {
    if (one.state === "refused") return one.refusal?.message ?? `${one.id}: refused`;
    const until = one.at ? `${one.state === "extended" ? " until" : " at"} ${one.at}` : "";
    return `${replayed ? "replayed: " : ""}${one.id} ${words[one.state]}${until}`;
  });
  return lines.join("\n");
}
