import { parseTopic, rootOf } from "../addresses/index.js";
import { refuse } from "../errors/index.js";
import { type Caller, PendingRow } from "../identity/index.js";
import { loadScript, topicRootKeys } from "../redis/index.js";
import type { TopicContext } from "./context.js";
import { readRoot } from "./list-topics.js";
import { settingField, settingNames } from "./settings.js";
import { endBinding } from "./subscribe-topic.js";

const removeScript = loadScript(import.meta.url, "remove-topic.lua");
const trimScript = loadScript(import.meta.url, "trim-topic.lua");

const messagesAtOnce = 500;
const triesMost = 100;

/**
 * Deletes a topic with its history and settings. The topics below it stay; they inherit from above it then.
 *
 * Subscriptions to exactly this topic end when it is forced, wildcard ones go on for the other topics they mean; what
 * was delivered stays open at its readers and can still be read there.
 *
 * @throws {MailboxError} `topic.has_subscribers` unless forced, `topic.unknown`, `access.denied`
 */
export async function deleteTopic(
  context: TopicContext,
  caller: Caller,
  topic: string,
  options: { readonly force?: boolean } = {},
): Promise<{ readonly topic: string; readonly ended: number }> {
  const name = parseTopic(topic);
  const row = new PendingRow(await context.admit(caller, "admin.topics", `topic:${name}`));
  const { namespace } = caller.principal;
  const root = rootOf(name);
  const ended = new Set<string>();
  for (let tries = 0; tries < triesMost; tries++) {
    const listing = await readRoot(context, namespace, root, "everything");
    const record = listing.topics.get(name);
    if (!record) {
      if (tries > 0) return { topic: name, ended: ended.size };
      refuse("topic.unknown", { topic: name });
    }
    const subscribers = listing.subscribersOf(name).size;
    if (subscribers > 0 && !options.force)
      refuse("topic.has_subscribers", { topic: name, count: subscribers });
    const bound = listing.boundTo(name);
    for (const agent of bound) {
      await endBinding(context, namespace, agent, root, name, row);
      ended.add(agent);
    }
    if (bound.length > 0) continue;
    if (await remove(context, namespace, root, name, listing.version, "", row))
      return { topic: name, ended: ended.size };
  }
  refuse("store.unavailable");
}

/**
 * Removes topics that nobody has used or followed for a day and for which nothing was set, and applies retention where
 * nobody publishes any more. Any process may call it at any time; what is used meanwhile stays.
 */
export async function removeIdleTopics(
  context: TopicContext,
  namespace: string,
): Promise<{ readonly removed: readonly string[]; readonly trimmed: number }> {
  const removed: string[] = [];
  let trimmed = 0;
  const { limits } = context;
  const now = context.store.now();
  for (const root of (await context.roots(namespace)).keys()) {
    let listing = await readRoot(context, namespace, root, "everything");
    // The deepest first, so that parents which existed only for them go with them.
    const names = [...listing.topics.keys()].sort((a, b) => b.split(".").length - a.split(".").length);
    for (const name of names) {
      const record = listing.topics.get(name);
      if (!record) continue;
      const idle = record.lastAt + limits.idleMs <= now;
      const needed =
        record.explicit ||
        listing.isSet(name) ||
        listing.subscribersOf(name).size > 0 ||
        [...listing.topics.keys()].some((other) => other.startsWith(`${name}.`));
      if (idle && !needed) {
        if (await remove(context, namespace, root, name, listing.version, String(record.lastAt)))
          removed.push(name);
        listing = await readRoot(context, namespace, root, "everything");
        continue;
      }
      const kept = listing.effective(name).retentionMs ?? limits.retentionMs;
      if (record.bytes > 0 && record.lastAt + Math.min(kept, limits.idleMs) <= now)
        trimmed += await trim(context, namespace, root, name);
    }
  }
  return { removed, trimmed };
}

async function remove(
  context: TopicContext,
  namespace: string,
  root: string,
  topic: string,
  version: string,
  lastAt: string,
  row?: PendingRow,
): Promise<boolean> {
  const keys = topicRootKeys(namespace, root);
  const fields = settingNames.map((name) => settingField(topic, name));
  for (;;) {
    const [word] = await context.run(
      namespace,
      root,
      removeScript,
      [keys.index(topic), keys.trims(topic), keys.audit],
      [topic, version, lastAt, messagesAtOnce, row?.text ?? "", ...fields],
    );
    if (word !== "CHANGED") row?.written();
    if (word !== "MORE") return word === "REMOVED";
  }
}

async function trim(context: TopicContext, namespace: string, root: string, topic: string): Promise<number> {
  const keys = topicRootKeys(namespace, root);
  const { retentionMs, retentionCount, retentionBytes } = context.limits;
  let total = 0;
  for (;;) {
    const [, gone] = await context.run(
      namespace,
      root,
      trimScript,
      [keys.index(topic), keys.trims(topic)],
      [topic, retentionMs, retentionCount, retentionBytes, messagesAtOnce],
    );
    total += Number(gone);
    if (Number(gone) < messagesAtOnce) return total;
  }
}
