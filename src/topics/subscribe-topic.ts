import {
  matchesTopic,
  parseAddress,
  parsePattern,
  patternRoot,
  type TopicPattern,
} from "../addresses/index.js";
import { refuse } from "../errors/index.js";
import { type Caller, PendingRow, rowOf } from "../identity/index.js";
import { loadScript, topicRootKeys } from "../redis/index.js";
import { denied, isUnbound, type TopicContext } from "./context.js";
import type { SubscribeTopic, SubscriptionReceipt } from "./contract.js";
import { parseFacts } from "./delivery-state.js";
import {
  type Batch,
  bind,
  bindEverywhere,
  followsOf,
  lookFollows,
  notePattern,
  noteRoot,
  strikePattern,
} from "./follows.js";
import { type RootListing, readRoot } from "./list-topics.js";
import { priorities } from "./settings.js";

const stopScript = loadScript(import.meta.url, "stop-subscription.lua");

const topicsShown = 20;

/**
 * Makes the caller's agent follow a topic or pattern, or stop. Repeating it keeps the position and replaces the
 * filters; what was handed out before stays open after a stop.
 *
 * @throws {MailboxError} `topic.subscribers_full`, `topic.position_unknown`, `access.denied`, `address.pattern_invalid`
 */
export async function subscribeTopic(
  context: TopicContext,
  caller: Caller,
  input: SubscribeTopic,
): Promise<SubscriptionReceipt> {
  const pattern = parsePattern(input.topic);
  const resource = `topic:${pattern}`;
  // Whoever may not read a topic any more may still stop following it.
  const row = new PendingRow(
    input.stop
      ? { row: rowOf(caller, { action: "topic.read", resource, outcome: "allow", because: "stops" }) }
      : await context.admit(caller, "topic.read", resource),
  );
  return input.stop ? stop(context, caller, pattern, row) : follow(context, caller, pattern, input, row);
}

async function follow(
  context: TopicContext,
  caller: Caller,
  pattern: TopicPattern,
  input: SubscribeTopic,
  row: PendingRow,
): Promise<SubscriptionReceipt> {
  const { namespace, agent } = caller.principal;
  const root = patternRoot(pattern);
  const sender = senderOf(input.sender);
  const minPriority = String(priorities.indexOf(input.min_priority ?? "low"));
  const start = await startOf(context, namespace, root, input.start_at?.trim() || "now");
  if (root !== undefined) await context.registerRoot(namespace, root);
  const roots = root !== undefined ? [root] : [...(await context.roots(namespace)).keys()];
  // Decided before anything is written, and decided again where a root changed meanwhile.
  const versions = new Map<string, string>();
  for (const one of roots) versions.set(one, await roomFor(context, caller, one, pattern));

  // Asked before it is noted: our own repetition of a note whose answer was lost finds it there.
  const followed = (await lookFollows(context, namespace, agent)).patterns.has(pattern);
  if (root !== undefined) await noteRoot(context, namespace, agent, root, row);
  const noted = await notePattern(
    context,
    namespace,
    agent,
    pattern,
    start,
    sender,
    minPriority,
    batchOf(input),
    row,
  );
  let from = noted.followed.start;
  if (root === undefined) {
    if (noted.known)
      for (const [one, number] of noted.roots)
        if (number <= noted.followed.rootsSeen)
          await bind(
            context,
            namespace,
            agent,
            one,
            pattern,
            `@${noted.followed.now}`,
            sender,
            minPriority,
            "",
            "",
          );
    await bindEverywhere(context, namespace, agent, pattern, noted.followed, noted.roots, !noted.known);
    from = noted.followed.start === "now" ? String(noted.followed.now) : noted.followed.start;
  } else {
    const asked = isUnbound(caller) || pattern.includes("*") ? "" : pattern;
    for (;;) {
      const version = versions.get(root)!;
      const bound = await bind(
        context,
        namespace,
        agent,
        root,
        pattern,
        start,
        sender,
        minPriority,
        version,
        asked,
      );
      if (bound.word === "DENIED") {
        await strikePattern(context, namespace, agent, pattern);
        denied(caller, "follow", pattern);
      }
      if (bound.word !== "CHANGED") {
        from = bound.start;
        break;
      }
      try {
        versions.set(root, await roomFor(context, caller, root, pattern));
      } catch (error) {
        await strikePattern(context, namespace, agent, pattern);
        throw error;
      }
    }
  }
  const topics = await matching(context, caller, pattern);
  return {
    pattern,
    state: followed ? "already_subscribed" : "subscribed",
    topics: topics.slice(0, topicsShown),
    topics_total: topics.length,
    // In a root that has no message yet, now and the earliest are one place.
    position: from === "0" && start === "now" ? "now" : positionText(from),
  };
}

function senderOf(given: string | undefined): string {
  if (!given?.trim()) return "";
  const sender = parseAddress(given);
  return sender.kind === "agent"
    ? sender.name
    : refuse("input.invalid", { problem: "sender is the name of an agent" });
}

/** Either half of a batch may be left out: a size alone waits a minute at most, a time alone for any number. */
function batchOf(input: SubscribeTopic): Batch | undefined {
  if (input.batch_size === undefined && input.batch_seconds === undefined) return undefined;
  return { size: input.batch_size ?? 1_000_000, ms: (input.batch_seconds ?? 60) * 1000 };
}

async function stop(
  context: TopicContext,
  caller: Caller,
  pattern: TopicPattern,
  row: PendingRow,
): Promise<SubscriptionReceipt> {
  const { namespace, agent } = caller.principal;
  const follows = await followsOf(context, namespace, agent);
  const root = patternRoot(pattern);
  await strikePattern(context, namespace, agent, pattern, row);
  let stopped = follows.patterns.has(pattern);
  for (const one of root !== undefined ? [root] : follows.roots.keys())
    if (await unbind(context, namespace, agent, one, pattern)) stopped = true;
  return {
    pattern,
    state: stopped ? "stopped" : "not_subscribed",
    topics: [],
    topics_total: 0,
    position: "none",
  };
}

/** Ends the subscription of an agent to one topic, as when the topic is deleted. */
export async function endBinding(
  context: TopicContext,
  namespace: string,
  agent: string,
  root: string,
  pattern: string,
  row: PendingRow,
): Promise<void> {
  await strikePattern(context, namespace, agent, pattern, row);
  await unbind(context, namespace, agent, root, pattern);
}

async function unbind(
  context: TopicContext,
  namespace: string,
  agent: string,
  root: string,
  pattern: string,
): Promise<boolean> {
  const keys = topicRootKeys(namespace, root);
  const [word] = await context.run(
    namespace,
    root,
    stopScript,
    [keys.deliveries(agent), keys.taken(agent)],
    [agent, pattern],
  );
  return word === "STOPPED";
}

/** now, 0 for the earliest, or the sequence before the named message, which is the first that will be delivered. */
async function startOf(
  context: TopicContext,
  namespace: string,
  root: string | undefined,
  given: string,
): Promise<string> {
  const word = given.toLowerCase();
  if (word === "now") return "now";
  if (word === "earliest") return "0";
  const roots = root !== undefined ? [root] : [...(await context.roots(namespace)).keys()];
  if (/^[0-9a-z-]{1,100}$/.test(word))
    for (const one of roots) {
      const text = await context.store.command("HGET", topicRootKeys(namespace, one).facts, word);
      const facts = parseFacts(String(text ?? ""));
      if (facts) return String(facts.sequence - 1);
    }
  refuse("topic.position_unknown", {
    given: JSON.stringify(given.slice(0, 40).replace(/[^\x20-\x7e]/g, "?")),
  });
}

/**
 * Answers the version of the root for which there is room for one more subscriber in every topic the pattern means, or
 * an empty one when nothing limits it.
 */
async function roomFor(
  context: TopicContext,
  caller: Caller,
  root: string,
  pattern: TopicPattern,
): Promise<string> {
  const { namespace, agent } = caller.principal;
  const listing = await readRoot(context, namespace, root, "settings");
  // Before anything is noted, so that a denied call leaves one row; asked again where it binds.
  if (!pattern.includes("*") && !isUnbound(caller) && !listing.mayRead(pattern, agent))
    denied(caller, "follow", pattern);
  if (!listing.hasLimits) return "";
  const whole = await readRoot(context, namespace, root, "everything");
  const full = fullTopic(whole, agent, pattern);
  if (full) refuse("topic.subscribers_full", full);
  return whole.version;
}

function fullTopic(
  listing: RootListing,
  agent: string,
  pattern: TopicPattern,
): { readonly topic: string; readonly limit: number } | undefined {
  const topics = new Set(listing.topics.keys());
  if (!pattern.includes("*")) topics.add(pattern);
  for (const topic of topics) {
    if (!matchesTopic(pattern, topic)) continue;
    const limit = listing.effective(topic).subscribersMost;
    if (limit === undefined) continue;
    const agents = listing.subscribersOf(topic);
    if (!agents.has(agent) && agents.size >= limit) return { topic, limit };
  }
  return undefined;
}

async function matching(context: TopicContext, caller: Caller, pattern: TopicPattern): Promise<string[]> {
  const { namespace, agent } = caller.principal;
  const root = patternRoot(pattern);
  const roots = root !== undefined ? [root] : [...(await context.roots(namespace)).keys()];
  const found: string[] = [];
  for (const one of roots) {
    const listing = await readRoot(context, namespace, one, "settings");
    for (const topic of listing.topics.keys())
      if (matchesTopic(pattern, topic) && (isUnbound(caller) || listing.mayRead(topic, agent)))
        found.push(topic);
  }
  return found.sort();
}

function positionText(start: string): string {
  return start === "0" ? "earliest" : new Date(Math.floor(Number(start) / 1000)).toISOString();
}
