import type { Caller } from "../identity/index.js";
import type { MailContext } from "./context.js";
import type { FeedFilter, TopicFeed } from "./feed.js";
import { topicPlace } from "./run-memory.js";

/**
 * What the topics that the caller follows have for it, once they know which pages of them it has seen and which not.
 *
 * @param after a batch that a client without a session has seen
 */
export async function headsOfTopics(
  context: MailContext,
  caller: Caller,
  after: string | undefined,
  ask: { readonly filter: FeedFilter; readonly limit: number },
): ReturnType<TopicFeed["heads"]> {
  const memory = context.memory(caller);
  const batches = memory.batches(topicPlace, after);
  const feed = await context.deps.feed.heads(caller, { ...batches, ...ask });
  memory.dropBatches(topicPlace, [...batches.seen, ...batches.unseen]);
  return feed;
}
