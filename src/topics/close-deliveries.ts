import { loadScript, topicRootKeys } from "../redis/index.js";
import type { TopicContext } from "./context.js";

export const settleScript = loadScript(import.meta.url, "settle-topics.lua");

/** Ends deliveries of an agent that nobody is given any more; answers those that had not ended before. */
export async function closeDeliveries(
  context: TopicContext,
  namespace: string,
  agent: string,
  root: string,
  ids: readonly string[],
): Promise<readonly string[]> {
  const keys = topicRootKeys(namespace, root);
  const [, list] = await context.run(
    namespace,
    root,
    settleScript,
    [keys.deliveries(agent), keys.open(agent), keys.audit],
    [agent, "done", 0, context.store.attempt(), "", ...ids],
  );
  const words = list as readonly string[];
  return words.filter((_, n) => n % 3 === 0 && words[n + 1] === "SETTLED");
}
