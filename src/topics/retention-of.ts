import { parentsOf, rootOf } from "../addresses/index.js";
import { topicRootKeys } from "../redis/index.js";
import type { TopicContext } from "./context.js";
import { settingField } from "./settings.js";

/** How long a topic keeps its messages: as set for it or for the nearest of its parents, also before its first use. */
export async function retentionOf(context: TopicContext, namespace: string, topic: string): Promise<number> {
  const { settings } = topicRootKeys(namespace, rootOf(topic));
  const fields = [topic, ...parentsOf(topic)].map((name) => settingField(name, "retentionMs"));
  const values = (await context.store.command("HMGET", settings, ...fields)) as (string | null)[];
  const set = values.find((value) => value !== null);
  return set ? Number(set) : context.limits.retentionMs;
}
