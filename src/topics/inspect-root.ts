import { loadScript, topicRootKeys } from "../redis/index.js";
import type { TopicContext } from "./context.js";
import {
  covers,
  type MessageFacts,
  parseFacts,
  parseStanding,
  positionOf,
  type Standing,
} from "./delivery-state.js";
import type { Follows } from "./follows.js";
import {
  type Ask,
  type Candidate,
  isAskedFor,
  isDue,
  isExpired,
  isOpenAsk,
  isPlain,
  isTopicAskedFor,
  leadOf,
  lowestPosition,
  type TopicView,
  unhandledRanges,
} from "./plan-page.js";

const lookScript = loadScript(import.meta.url, "look-topics.lua");
const peekScript = loadScript(import.meta.url, "peek-topics.lua");

/** Who reads, as the scripts know it. */
export interface Reader {
  readonly namespace: string;
  readonly agent: string;
  readonly unbound: boolean;
  /** Whether the rules let the agent read a topic now; its access list has its own say, in the scripts. */
  readonly mayRead: (topic: string) => boolean;
}

/** One root as an agent sees it: where it stands, and what the topics with news hold. Looking takes nothing. */
export interface RootView {
  readonly root: string;
  readonly standing: Standing;
  readonly views: readonly TopicView[];
  /** Topics with news that the agent may not read: nothing of it is shown or counted. */
  readonly hidden: readonly string[];
  /** Every topic with news was looked at, so that floors may rise when all are caught up. */
  readonly complete: boolean;
  /** Topics that had something above the lowest floor. */
  readonly headsSeen: number;
}

/** Pages of a run whose reply arrived, and those whose reply did not. */
export interface Batches {
  readonly seen: readonly string[];
  readonly unseen: readonly string[];
}

export const noBatches: Batches = { seen: [], unseen: [] };

const headsMost = 1_000;
/** How far ahead of the page urgent messages are found, at least and per message of the page. */
const windowLeast = 30;
const windowFactor = 3;

/** Looks at one root, first settling the batches that were seen and giving back those that were not. */
export async function inspectRoot(
  context: TopicContext,
  reader: Reader,
  root: string,
  follows: Follows,
  ask: Ask,
  batches: Batches,
): Promise<RootView> {
  const { limits } = context;
  let [, revision, sequence, deliveries, open, heads, where, now] = await look(
    context,
    reader,
    root,
    batches,
    "",
    headsMost,
  );
  const standing = parseStanding(
    String(revision),
    String(sequence),
    String(now),
    deliveries as readonly string[],
    open as readonly string[],
    (pattern) => follows.patterns.has(pattern),
    reader.mayRead,
  );
  const news: string[] = [];
  const hidden: string[] = [];
  let headsSeen = 0;
  let complete = ask.topic === undefined;
  for (;;) {
    const flat = heads as readonly string[];
    for (let n = 0; n < flat.length; n += 3) {
      headsSeen++;
      const topic = flat[n]!;
      if (!isTopicAskedFor(ask.topic, topic) || !hasNews(standing, topic, Number(flat[n + 1]))) continue;
      if (flat[n + 2] === "0" || !reader.mayRead(topic)) hidden.push(topic);
      else if (news.length < limits.topicsMost) news.push(topic);
      else complete = false;
    }
    if (!where || !complete) break;
    [, , , , , heads, where] = await look(context, reader, root, noBatches, String(where), headsMost);
  }
  const views = await peekAt(context, reader, root, standing, news, ask);
  return { root, standing, views, hidden, complete: complete && !where, headsSeen };
}

/** Settles the batches that were seen and gives back those that were not, in a root that is not read now. */
export async function settleBatches(
  context: TopicContext,
  reader: Reader,
  root: string,
  batches: Batches,
): Promise<void> {
  await look(context, reader, root, batches, "", 0);
}

function look(
  context: TopicContext,
  reader: Reader,
  root: string,
  batches: Batches,
  after: string,
  most: number,
): ReturnType<TopicContext["run"]> {
  const { namespace, agent, unbound } = reader;
  const keys = topicRootKeys(namespace, root);
  return context.run(
    namespace,
    root,
    lookScript,
    [keys.deliveries(agent), keys.open(agent)],
    [
      agent,
      batches.seen.join(","),
      batches.unseen.join(","),
      context.limits.unconfirmedMs,
      after,
      most,
      unbound ? "1" : "0",
    ],
  );
}

function hasNews(standing: Standing, topic: string, head: number): boolean {
  return standing.subscriptions.some(
    (one) => one.live && covers(one, topic) && positionOf(standing, one, topic) < head,
  );
}

async function peekAt(
  context: TopicContext,
  reader: Reader,
  root: string,
  standing: Standing,
  topics: readonly string[],
  ask: Ask,
): Promise<TopicView[]> {
  if (topics.length === 0) return [];
  const window = Math.max(ask.limit * windowFactor, windowLeast);
  const first = await peek(context, reader, root, standing, topics, window, () => undefined);
  const views: TopicView[] = [];
  for (const held of first) {
    const view = { ...held, fromPosition: true, toEnd: held.candidates.length < window };
    const plain = isPlain(standing, view.topic);
    const isBusy = plain && isOpenAsk(ask) && ask.limit > 0 && view.waiting > ask.limit && !view.toEnd;
    if (isBusy) views.push(await newestOf(context, reader, root, standing, view, ask, window));
    else if (view.toEnd || (plain && isOpenAsk(ask))) views.push(view);
    else views.push(await searchOn(context, reader, root, standing, view, ask, window, plain));
  }
  return views;
}

/** The newest of a busy topic, and what it begins with that expired: that is told, however much comes behind it. */
async function newestOf(
  context: TopicContext,
  reader: Reader,
  root: string,
  standing: Standing,
  view: TopicView,
  ask: Ask,
  window: number,
): Promise<TopicView> {
  const [last] = await peek(context, reader, root, standing, [view.topic], window, () => ({ newest: true }));
  const isDueNow = (one: Candidate): boolean => isDue(standing, one) && !isExpired(one.facts, standing.nowMs);
  const held = { ...last!, fromPosition: false, toEnd: true };
  const lead = leadOf(standing, view.candidates);
  const endsDue = held.candidates.some(isDueNow);
  if (endsDue && !lead.isAll) return { ...held, lead };
  // Nothing of the beginning, or of the end, is due: what is lies between.
  const until = endsDue ? isDueNow : undefined;
  const searched = await searchOn(context, reader, root, standing, view, ask, window, false, until);
  return endsDue ? { ...held, lead: leadOf(standing, searched.candidates) } : searched;
}

/** Goes on looking until the filters leave a window full, so that a filter never hides a match behind a page. */
async function searchOn(
  context: TopicContext,
  reader: Reader,
  root: string,
  standing: Standing,
  view: TopicView,
  ask: Ask,
  window: number,
  plain: boolean,
  isLast: (candidate: Candidate) => boolean = () => false,
): Promise<TopicView> {
  const candidates = [...view.candidates];
  let { toEnd } = view;
  const most = 1_000;
  // Of a busy topic the newest are wanted, and without looking nobody knows how many are due.
  const wholeTopic = isOpenAsk(ask) && !plain;
  while (!toEnd && candidates.length < context.limits.scanMost && !candidates.some(isLast)) {
    const found = candidates.filter((one) => isDue(standing, one) && isAskedFor(ask, one.facts)).length;
    if (!wholeTopic && found >= window) break;
    const above = candidates.at(-1)!.facts.sequence;
    const [more] = await peek(context, reader, root, standing, [view.topic], most, () => ({ above }));
    candidates.push(...more!.candidates);
    toEnd = more!.candidates.length < most;
  }
  return { ...view, candidates, toEnd };
}

interface Held {
  readonly topic: string;
  readonly position: number;
  readonly waiting: number;
  readonly trimmedTo: number;
  readonly missed: number;
  readonly candidates: readonly Candidate[];
}

async function peek(
  context: TopicContext,
  reader: Reader,
  root: string,
  standing: Standing,
  topics: readonly string[],
  most: number,
  where: (topic: string) => { readonly above?: number; readonly newest?: boolean } | undefined,
): Promise<Held[]> {
  const keys = topicRootKeys(reader.namespace, root);
  const args: (string | number)[] = [most];
  for (const topic of topics) {
    const position = lowestPosition(standing, topic) ?? standing.sequence;
    const at = where(topic);
    args.push(
      topic,
      position,
      at?.above ?? position,
      at?.newest ? "newest" : "oldest",
      sinceOf(standing, topic),
      unhandledRanges(standing, topic),
    );
  }
  const [, ...held] = await context.run(
    reader.namespace,
    root,
    peekScript,
    [keys.taken(reader.agent), ...topics.flatMap((topic) => [keys.index(topic), keys.trims(topic)])],
    args,
  );
  return held.map((one, n) => {
    const [topic, above, taken, trimmedTo, missed, list] = one as readonly [
      string,
      string,
      string,
      string,
      string,
      readonly string[],
    ];
    const candidates: Candidate[] = [];
    for (let i = 0; i < list.length; i += 3) {
      const facts: MessageFacts | undefined = parseFacts(list[i + 1]!);
      if (facts) candidates.push({ id: list[i]!, facts, taken: list[i + 2] === "1" });
    }
    if (where(topic)?.newest) candidates.reverse();
    return {
      topic,
      position: Number(args[2 + n * 6]),
      waiting: Number(above) - Number(taken),
      trimmedTo: Number(trimmedTo),
      missed: Number(missed),
      candidates,
    };
  });
}

/** Since when trimmed messages count as missed: since the subscription that stands lowest was made. */
function sinceOf(standing: Standing, topic: string): number {
  let since = standing.sequence;
  let lowest = Number.POSITIVE_INFINITY;
  for (const one of standing.subscriptions) {
    if (!one.live || !covers(one, topic)) continue;
    const position = positionOf(standing, one, topic);
    if (position < lowest) {
      lowest = position;
      since = one.since;
    }
  }
  return since;
}
