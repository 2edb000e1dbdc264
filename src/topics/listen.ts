import { matchesTopic, parsePattern, patternRoot, rootOf, type TopicPattern } from "../addresses/index.js";
import { isRefusal } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { directoryKeys, RepeatedLook, topicRootKeys } from "../redis/index.js";
import { isUnbound, type TopicContext } from "./context.js";
import { type Follows, lookFollows } from "./follows.js";
import { readRoot } from "./list-topics.js";

/**
 * Calls back when something may have come that the agent follows, or was given back to it. Resolves when it listens, so
 * that a look afterwards misses nothing. New roots and new subscriptions of the agent are noticed by the directory.
 */
export async function listenToTopics(
  context: TopicContext,
  caller: Caller,
  wake: () => void,
): Promise<() => void> {
  const { namespace, agent } = caller.principal;
  const stops = new Map<string, () => void>();
  let ended = false;
  let follows: Follows = { patterns: new Map(), roots: new Map() };
  /** A pattern may mean a root that comes up now. */
  let anyRoot = true;

  const pending = new PendingBatches(wake);
  const hear = (message: string): void => {
    if (message === "" || message === `@${agent}`) wake();
    else if (!message.startsWith("@") && isFollowed(follows, message))
      whereReadable(context, caller, message, () => (ended ? undefined : pending.came(follows, message)));
  };
  /** Roots that it listens to, and did not when it was looked before. */
  let fresh: string[] = [];
  const look = async (): Promise<void> => {
    follows = await lookFollows(context, namespace, agent);
    const roots = new Set(follows.roots.keys());
    anyRoot = false;
    for (const pattern of follows.patterns.keys()) {
      const root = patternRoot(pattern as TopicPattern);
      if (root !== undefined) roots.add(root);
      else anyRoot = true;
    }
    if (anyRoot) for (const root of (await context.roots(namespace)).keys()) roots.add(root);
    for (const root of roots) {
      if (stops.has(root) || ended) continue;
      stops.set(root, () => {});
      const stop = await context.hints.listen(topicRootKeys(namespace, root).channel, hear);
      if (ended) stop();
      else stops.set(root, stop);
      fresh.push(root);
    }
  };
  const again = new RepeatedLook(async (isMore) => {
    await look();
    // A root that came up is told only to whoever may read in it; what is published there later is a hint of its own.
    const isNews = isMore || (await isAnyReadable(context, caller, fresh));
    fresh = [];
    if (!ended && isNews) wake();
  });
  const directory = directoryKeys(namespace);
  // Of what the directory tells everybody, little is for this agent: each look costs the store a script.
  const own = `follows ${directory.follows(agent)}`;
  const stopDirectory = await context.hints.listen(directory.channel, (message) => {
    if (message !== "" && message !== own && !(message === "root" && anyRoot)) return;
    // Something else than a root that came up.
    again.again(message !== "root");
  });
  await look();
  fresh = [];
  return () => {
    ended = true;
    again.stop();
    pending.clear();
    stopDirectory();
    for (const stop of stops.values()) stop();
    stops.clear();
  };
}

function isFollowed(follows: Follows, topic: string): boolean {
  return [...follows.patterns.keys()].some((pattern) => matchesTopic(pattern as TopicPattern, topic));
}

/** Wakes at once for what some pattern wants at once, and for the rest when a batch is full or its time is over. */
class PendingBatches {
  readonly #wake: () => void;
  readonly #counts = new Map<string, { count: number; readonly timer: NodeJS.Timeout }>();

  constructor(wake: () => void) {
    this.#wake = wake;
  }

  came(follows: Follows, topic: string): void {
    const meant = [...follows.patterns].filter(([pattern]) => matchesTopic(pattern as TopicPattern, topic));
    if (meant.length === 0) return;
    if (meant.some(([, followed]) => followed.batch === undefined)) {
      this.#now();
      return;
    }
    for (const [pattern, { batch }] of meant) {
      const known = this.#counts.get(pattern);
      const count = (known?.count ?? 0) + 1;
      if (count >= batch!.size) {
        this.#now();
        return;
      }
      if (known) known.count = count;
      else this.#counts.set(pattern, { count, timer: setTimeout(() => this.#now(), batch!.ms).unref() });
    }
  }

  clear(): void {
    for (const { timer } of this.#counts.values()) clearTimeout(timer);
    this.#counts.clear();
  }

  #now(): void {
    this.clear();
    this.#wake();
  }
}

/** Whether one of these roots has a topic that the caller may read. */
async function isAnyReadable(
  context: TopicContext,
  caller: Caller,
  roots: readonly string[],
): Promise<boolean> {
  const may = await context.rightsOf(caller);
  const { namespace, agent } = caller.principal;
  const unbound = isUnbound(may);
  for (const root of roots) {
    const listing = await readRoot(context, namespace, root, "settings");
    const isReadable = (topic: string): boolean =>
      may("topic.read", `topic:${topic}`) && (unbound || listing.mayRead(topic, agent));
    if ([...listing.topics.keys()].some(isReadable)) return true;
  }
  return false;
}

/** That something happened in a topic is told only to whoever may read it at that moment. */
function whereReadable(context: TopicContext, caller: Caller, topic: string, tell: () => void): void {
  isReadableNow(context, caller, topic).then(
    (isReadable) => {
      if (isReadable) tell();
    },
    (error: unknown) => {
      // Where the rules cannot be had, only who looks again finds out; whose credential is over finds nothing.
      if (!isRefusal(error) || error.kind !== "UNAUTHENTICATED") tell();
    },
  );
}

/** By the rules, and by the list of readers that the topic itself has. */
async function isReadableNow(context: TopicContext, caller: Caller, topic: string): Promise<boolean> {
  const may = await context.rightsOf(caller);
  if (!may("topic.read", `topic:${topic}`)) return false;
  if (isUnbound(may)) return true;
  const { namespace, agent } = caller.principal;
  return (await listingNow(context, namespace, rootOf(topic))).mayRead(topic, agent);
}

const listings = new WeakMap<TopicContext, Map<string, ReturnType<typeof readRoot>>>();

/** What all who hear of one publish ask at once is read once, and not kept: the next hint may be of another list. */
function listingNow(context: TopicContext, namespace: string, root: string): ReturnType<typeof readRoot> {
  const shared = listings.get(context) ?? new Map<string, ReturnType<typeof readRoot>>();
  listings.set(context, shared);
  const place = `${namespace} ${root}`;
  const known = shared.get(place);
  if (known) return known;
  const reading = readRoot(context, namespace, root, "settings");
  shared.set(place, reading);
  setImmediate(() => shared.delete(place));
  return reading;
}

/**
 * Calls back when something was published to a topic, or to one that a pattern with a fixed first level means.
 *
 * @throws {MailboxError} `access.denied`
 */
export async function watchTopic(
  context: TopicContext,
  caller: Caller,
  topic: string,
  onChange: () => void,
): Promise<() => void> {
  const pattern = parsePattern(topic);
  await context.record(caller, await context.admit(caller, "topic.read", `topic:${pattern}`));
  const { channel } = topicRootKeys(caller.principal.namespace, rootOf(pattern));
  return context.hints.listen(channel, (message) => {
    if (message === "") onChange();
    else if (!message.startsWith("@") && matchesTopic(pattern, message))
      whereReadable(context, caller, message, onChange);
  });
}

/**
 * Calls back when a topic may have come up, changed or gone, or something was published to one.
 *
 * @throws {MailboxError} `access.denied`
 */
export async function watchTopics(
  context: TopicContext,
  caller: Caller,
  onChange: () => void,
): Promise<() => void> {
  await context.record(caller, await context.admit(caller, "topic.read", "*"));
  const { namespace } = caller.principal;
  const stops = new Map<string, () => void>();
  let ended = false;
  const hear = (message: string): void => {
    if (message === "") onChange();
    else if (!message.startsWith("@")) whereReadable(context, caller, message, onChange);
  };
  /** Roots that it listens to, and did not when it was looked before. */
  let fresh: string[] = [];
  const look = async (): Promise<void> => {
    for (const root of (await context.roots(namespace)).keys()) {
      if (stops.has(root) || ended) continue;
      stops.set(root, () => {});
      const stop = await context.hints.listen(topicRootKeys(namespace, root).channel, hear);
      if (ended) stop();
      else stops.set(root, stop);
      fresh.push(root);
    }
  };
  const again = new RepeatedLook(async (isMore) => {
    await look();
    const isNews = isMore || (await isAnyReadable(context, caller, fresh));
    fresh = [];
    if (!ended && isNews) onChange();
  });
  const stopDirectory = await context.hints.listen(directoryKeys(namespace).channel, (message) => {
    if (message !== "" && message !== "root") return;
    // Anything may have happened meanwhile.
    again.again(message === "");
  });
  await look();
  fresh = [];
  return () => {
    ended = true;
    again.stop();
    stopDirectory();
    for (const stop of stops.values()) stop();
    stops.clear();
  };
}
