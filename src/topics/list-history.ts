import { matchesTopic, parsePattern, parseTopic, patternRoot, rootOf } from "../addresses/index.js";
import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import type { Delivery } from "../mailbox/index.js";
import { loadScript, topicRootKeys } from "../redis/index.js";
import { isUnbound, type TopicContext } from "./context.js";
import { parseFacts, parseOpen } from "./delivery-state.js";
import { lookFollows } from "./follows.js";
import { readRoot } from "./list-topics.js";
import { deliveriesOf, deliveryOf, readerOf } from "./read-topics.js";

const historyScript = loadScript(import.meta.url, "list-history.lua");

const topicsSearched = 50;

/**
 * A page of a topic's history, newest last. `before` in the answer, or the id of a message, leads to the page of the
 * messages before it: no message is left out or shown twice, whatever is published or trimmed meanwhile.
 *
 * @throws {MailboxError} `access.denied`; `topic.unknown`, also for a topic the caller may not read
 */
export async function history(
  context: TopicContext,
  caller: Caller,
  topic: string,
  options: { readonly before?: string; readonly limit: number },
): Promise<{ readonly deliveries: readonly Delivery[]; readonly before?: string }> {
  const name = parseTopic(topic);
  const admission = await context.admit(caller, "topic.read", `topic:${name}`);
  const found = await page(context, caller, name, options.before ?? "", "", options.limit);
  if (!found) refuse("topic.unknown", { topic: name });
  await context.record(caller, admission);
  const oldest = found.at(-1);
  return {
    deliveries: found.toReversed(),
    ...(oldest && found.length === options.limit ? { before: String(oldest.sequence) } : {}),
  };
}

/** Messages of a topic or of the topics a pattern means, newest first; what the caller may not read is left out. */
export async function searchTopics(
  context: TopicContext,
  caller: Caller,
  ask: {
    readonly topic: string;
    readonly before?: string;
    readonly since?: number;
    readonly until?: number;
    readonly limit: number;
  },
): Promise<{ readonly deliveries: readonly Delivery[]; readonly before?: string }> {
  const topics = await meant(context, caller, ask.topic);
  const until = ask.until === undefined ? undefined : String(Math.floor(ask.until * 1000) + 1000);
  const before = [ask.before, until]
    .filter((one) => one !== undefined)
    .sort((a, b) => Number(a) - Number(b))[0];
  const since = ask.since === undefined ? "" : String(Math.floor(ask.since * 1000));
  const pages = await Promise.all(
    topics.map((topic) => page(context, caller, topic, before ?? "", since, ask.limit)),
  );
  const all = pages.flatMap((one) => one ?? []).sort((a, b) => b.sequence - a.sequence);
  const deliveries = all.slice(0, ask.limit);
  const oldest = deliveries.at(-1);
  return {
    deliveries,
    ...(oldest && deliveries.length === ask.limit ? { before: String(oldest.sequence) } : {}),
  };
}

/** One message that is open at the caller's agent or that it may read in a history. */
export async function findMessage(
  context: TopicContext,
  caller: Caller,
  id: string,
): Promise<Delivery | undefined> {
  if (!/^[0-9a-zA-Z-]{1,100}$/.test(id)) return undefined;
  const { namespace, agent } = caller.principal;
  const reader = readerOf(caller);
  const follows = await lookFollows(context, namespace, agent);
  for (const root of follows.roots.keys()) {
    const text = await context.store.command("HGET", topicRootKeys(namespace, root).open(agent), id);
    if (text) return (await deliveriesOf(context, reader, root, [parseOpen(id, String(text))]))[0];
  }
  for (const root of (await context.roots(namespace)).keys()) {
    const keys = topicRootKeys(namespace, root);
    const facts = parseFacts(String((await context.store.command("HGET", keys.facts, id)) ?? ""));
    if (!facts) continue;
    const listing = await readRoot(context, namespace, root, "settings");
    if (!reader.unbound && !listing.mayRead(facts.topic, agent)) return undefined;
    // What is kept for the agents who have it open is no longer history.
    if ((await context.store.command("SISMEMBER", keys.orphans, id)) === 1) return undefined;
    const body = await context.store.command("HGET", keys.messages, id);
    return body ? deliveryOf(context, String(body), facts, undefined) : undefined;
  }
  return undefined;
}

async function page(
  context: TopicContext,
  caller: Caller,
  topic: string,
  before: string,
  since: string,
  limit: number,
): Promise<Delivery[] | undefined> {
  const root = rootOf(topic);
  const { namespace, agent } = caller.principal;
  const [word, list] = await context.run(
    namespace,
    root,
    historyScript,
    [topicRootKeys(namespace, root).index(topic)],
    [agent, topic, before, since, limit, isUnbound(caller) ? "1" : "0"],
  );
  if (word !== "HISTORY") return undefined;
  const flat = list as readonly string[];
  const found: Delivery[] = [];
  for (let n = 0; n < flat.length; n += 3)
    if (flat[n + 2] !== "")
      found.push(deliveryOf(context, flat[n + 2]!, parseFacts(flat[n + 1]!), undefined));
  return found;
}

async function meant(context: TopicContext, caller: Caller, asked: string): Promise<readonly string[]> {
  const pattern = parsePattern(asked);
  if (!pattern.includes("*")) return [pattern];
  const { namespace } = caller.principal;
  const root = patternRoot(pattern);
  const roots = root === undefined ? [...(await context.roots(namespace)).keys()] : [root];
  const listings = await Promise.all(roots.map((one) => readRoot(context, namespace, one, "settings")));
  return listings
    .flatMap((listing) => [...listing.topics])
    .filter(([topic]) => matchesTopic(pattern, topic))
    .sort((a, b) => b[1].lastAt - a[1].lastAt)
    .slice(0, topicsSearched)
    .map(([topic]) => topic);
}
