import { z } from "zod";
import { SubscribeTopic, type SubscriptionReceipt } from "../../topics/index.js";
import { defineTool } from "../define-tool.js";

export const subscribeTopic = defineTool({
  name: "subscribe_topic",
  title: "Follow a topic",
  description:
    "Follow a topic or pattern; its messages then come with read_inbox. Lasts until stop: true. Publish with send_message to: topic:name.",
  input: SubscribeTopic,
  output: z.object({
    pattern: z.string(),
    state: z.enum(["subscribed", "already_subscribed", "stopped", "not_subscribed"]),
    topics: z.array(z.string()),
    topics_total: z.number(),
    position: z.string(),
  }),
  needs: ["topic.read"],
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  handle: (input, { caller, topics }) => topics.subscribeTopic(caller, input),
  say: tell,
});

function tell(receipt: SubscriptionReceipt): string {
  if (receipt.state === "stopped") return `stopped following ${receipt.pattern}`;
  if (receipt.state === "not_subscribed") return `you were not following ${receipt.pattern}`;
  const head = `${receipt.state === "subscribed" ? "following" : "already following"} ${receipt.pattern} from ${receipt.position}`;
  if (receipt.topics_total === 0) return `${head}; no topic of that name yet`;
  const more = receipt.topics_total - receipt.topics.length;
  return `${head}; now: ${receipt.topics.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
