import { parentsOf, rootOf } from "../addresses/index.js";
import type { TopicContext } from "./context.js";
import { readRoot } from "./list-topics.js";
import type { TopicSettings } from "./settings.js";

/** The lists that narrow who may publish to a topic and who may read it, and for which topic each was set. */
export async function accessLists(
  context: TopicContext,
  namespace: string,
  topic: string,
): Promise<{
  readonly publishers?: SetList;
  readonly readers?: SetList;
}> {
  const listing = await readRoot(context, namespace, rootOf(topic), "settings");
  const inherited = (name: "publishers" | "readers"): SetList | undefined => {
    for (const at of [topic, ...parentsOf(topic)]) {
      const agents = listing.own(at)[name];
      if (agents !== undefined) return { agents, setFor: at };
    }
    return undefined;
  };
  const publishers = inherited("publishers");
  const readers = inherited("readers");
  return { ...(publishers ? { publishers } : {}), ...(readers ? { readers } : {}) };
}

interface SetList {
  readonly agents: NonNullable<TopicSettings["readers"]>;
  readonly setFor: string;
}
