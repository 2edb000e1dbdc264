import type { Caller } from "../identity/index.js";
import type { TopicFeed } from "../mailbox/index.js";
import { loadScript, topicRootKeys } from "../redis/index.js";
import { settleScript } from "./close-deliveries.js";
import type { TopicContext } from "./context.js";
import { lookFollows } from "./follows.js";
import { findMessage } from "./list-history.js";

const releaseScript = loadScript(import.meta.url, "release-topics.lua");

type Settled = Awaited<ReturnType<TopicFeed["settle"]>>;

const states = {
  SETTLED: "settled",
  RETRYING: "retrying",
  EXTENDED: "extended",
  NOT_OPEN: "not_open",
} as const;

/**
 * Settles, gives back or prolongs what is open at the caller's agent; ids of messages that it neither has nor may
 * read are missing from the answer, whether there is such a message or not. `reject` settles: a topic has no dead letters, its other readers are not concerned.
 */
export async function settleTopics(
  context: TopicContext,
  caller: Caller,
  ids: readonly string[],
  outcome: Parameters<TopicFeed["settle"]>[2],
  delayMs: number,
  { name: attempt = context.store.attempt(), row }: NonNullable<Parameters<TopicFeed["settle"]>[4]> = {},
): Promise<Settled> {
  const { namespace, agent } = caller.principal;
  const { roots } = await lookFollows(context, namespace, agent);
  const results = new Map<
    string,
    { readonly state: (typeof states)[keyof typeof states]; readonly at: number }
  >();
  const settleIn = async (root: string): Promise<void> => {
    const keys = topicRootKeys(namespace, root);
    const [, list, recorded] = await context.run(
      namespace,
      root,
      settleScript,
      [keys.deliveries(agent), keys.open(agent), keys.audit],
      [
        agent,
        outcome === "reject" ? "done" : outcome,
        Math.max(delayMs, 0),
        attempt,
        row?.text ?? "",
        ...ids,
      ],
    );
    if (recorded === "1") row?.written();
    const flat = list as readonly string[];
    for (let n = 0; n < flat.length; n += 3)
      results.set(flat[n]!, {
        state: states[flat[n + 1] as keyof typeof states],
        at: Number(flat[n + 2]) + (flat[n + 1] === "EXTENDED" ? context.limits.unconfirmedMs : 0),
      });
  };
  const left = [...roots.keys()];
  // One after the other until the first that has one of them recorded the decision: it is recorded once.
  while (row !== undefined && row.text !== "" && left.length > 0) await settleIn(left.shift()!);
  await Promise.all(left.map(settleIn));
  // "Not open at you" would tell that there is such a message.
  for (const [id, { state }] of results)
    if (state === "not_open" && !(await findMessage(context, caller, id))) results.delete(id);
  return results;
}

/** Gives back at once what is open at a run that is gone, in every root where its agent has deliveries. */
export async function releaseRun(
  context: TopicContext,
  namespace: string,
  agent: string,
  run: string,
): Promise<void> {
  const { roots } = await lookFollows(context, namespace, agent);
  await Promise.all(
    [...roots.keys()].map((root) => {
      const keys = topicRootKeys(namespace, root);
      return context.run(
        namespace,
        root,
        releaseScript,
        [keys.deliveries(agent), keys.open(agent)],
        [run, agent],
      );
    }),
  );
}
