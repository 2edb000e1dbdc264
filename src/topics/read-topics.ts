import type { Caller } from "../identity/index.js";
import type { Delivery, Head, StoredMessage, TopicFeed } from "../mailbox/index.js";
import { loadScript, topicRootKeys } from "../redis/index.js";
import { closeDeliveries } from "./close-deliveries.js";
import { isUnbound, type TopicContext } from "./context.js";
import { type MessageFacts, type OpenRecord, parseFacts, parseOpen } from "./delivery-state.js";
import { type Follows, followsOf, leaveRoot } from "./follows.js";
import {
  type Batches,
  inspectRoot,
  noBatches,
  type Reader,
  type RootView,
  settleBatches,
} from "./inspect-root.js";
import {
  type Advance,
  type Ask,
  advanceOf,
  isAskedFor,
  isExpired,
  movesOf,
  offerOf,
  pastHidden,
} from "./plan-page.js";

const takeScript = loadScript(import.meta.url, "take-topics.lua");

type Heads = Awaited<ReturnType<TopicFeed["heads"]>>;
type Page = Awaited<ReturnType<TopicFeed["take"]>>;

/** What a run looked at last, so that its next take knows what the page was chosen from. */
export interface Looked {
  readonly ask: Ask;
  readonly follows: Follows;
  readonly views: Map<string, RootView>;
  readonly nextTurn: number;
  /** When something that was given back with a delay is due, by the store's clock; undefined when nothing is. */
  readonly nextDueAt: number | undefined;
}

export async function readerOf(context: TopicContext, caller: Caller): Promise<Reader> {
  const { namespace, agent } = caller.principal;
  const may = await context.rightsOf(caller);
  return {
    namespace,
    agent,
    unbound: isUnbound(may),
    mayRead: (topic) => may("topic.read", `topic:${topic}`),
  };
}

/**
 * Shows what could be delivered next, most urgent and oldest first in each root. Nothing is taken; what retention took
 * away unread is told once and passed over, and so is what no subscription wants. What may not be read now is passed
 * over by every look at a page, without being counted.
 */
export async function lookAtHeads(
  context: TopicContext,
  caller: Caller,
  ask: Ask,
  batches: Batches,
  turn: number,
): Promise<{ readonly answer: Heads; readonly looked: Looked }> {
  const reader = await readerOf(context, caller);
  const follows = await followsOf(context, reader.namespace, reader.agent);
  const all = [...follows.roots.keys()].sort();
  const most = context.limits.rootsMost;
  const first = all.length > most ? turn % all.length : 0;
  const inTurn = [...all.slice(first), ...all.slice(0, first)];
  const looks: Awaited<ReturnType<typeof lookAtRoot>>[] = [];
  // Where the roots whose turn it is have nothing, the next have theirs: an empty page means that nothing waits.
  while (looks.length < inTurn.length && !looks.some(({ heads }) => heads.length > 0)) {
    const roots = inTurn.slice(looks.length, looks.length + most);
    looks.push(
      ...(await Promise.all(roots.map((root) => lookAtRoot(context, reader, root, follows, ask, batches)))),
    );
    if (ask.limit <= 0) break;
  }
  if (batches.seen.length + batches.unseen.length > 0) {
    // Batches may have messages of roots whose turn it is not.
    await Promise.all(
      inTurn.slice(looks.length).map((root) => settleBatches(context, reader, root, batches)),
    );
  }
  const views = new Map(looks.map(({ view }) => [view.root, view]));
  const dues = looks
    .flatMap(({ view }) =>
      [...view.standing.open.values()].map((record) => [record, view.standing.nowMs] as const),
    )
    .filter(([record, nowMs]) => record.state === "back" && record.dueAt > nowMs)
    .map(([record]) => record.dueAt);
  const nextDueAt = dues.length > 0 ? Math.min(...dues) : undefined;
  return {
    looked: { ask, follows, views, nextTurn: first + looks.length, nextDueAt },
    answer: {
      heads: looks.flatMap(({ heads }) => heads),
      unread: sum(looks.map(({ unread }) => unread)),
      urgent: sum(looks.map(({ urgent }) => urgent)),
      open: sum(looks.map(({ open }) => open)),
      gaps: looks.flatMap(({ gaps }) => gaps),
    },
  };
}

async function lookAtRoot(
  context: TopicContext,
  reader: Reader,
  root: string,
  follows: Follows,
  ask: Ask,
  batches: Batches,
): Promise<{
  readonly view: RootView;
  readonly heads: readonly Head[];
  readonly unread: number;
  readonly urgent: number;
  readonly open: number;
  readonly gaps: Heads["gaps"];
}> {
  let view = await inspectRoot(context, reader, root, follows, ask, batches);
  const gaps: { topic: string; missed: number; until: number }[] = [];
  const over = ask.limit > 0 && !ask.looksOnly ? overBack(view) : [];
  if (over.length > 0) {
    const closed = await closeDeliveries(context, reader.namespace, reader.agent, root, over);
    gaps.push(...missedOf(view, closed));
    view = await inspectRoot(context, reader, root, follows, ask, noBatches);
  }
  // A page of nothing is asked for by those who only count: for them nothing moves.
  for (let tries = 0; ask.limit > 0 && tries < 5; tries++) {
    const { standing: before, hidden } = view;
    const untold = view.views.map((one) => advanceOf(before, one, new Set(), { tellGaps: true }));
    const passed = hidden.map((topic) => pastHidden(before, topic));
    if (ask.looksOnly && passed.length === 0) {
      gaps.push(...gapsOf(view, untold));
      break;
    }
    const advances = ask.looksOnly ? passed : [...untold, ...passed];
    if (!isWorthMoving(view, advances)) break;
    // Of what is only looked at nothing is behind the reader but what it may not see.
    const from = ask.looksOnly ? { ...view, complete: false } : view;
    const moved = await commit(context, reader, from, advances, {
      run: "",
      batch: "",
      claims: [],
      claimMs: 0,
    });
    if (moved) gaps.push(...gapsOf(view, untold));
    view = await inspectRoot(context, reader, root, follows, ask, noBatches);
    if (moved) break;
  }
  const { standing } = view;
  const offers = view.views.map((one) => offerOf(standing, one, ask));
  const back = backHeads(view, ask);
  const offered = offers.flatMap((offer) => offer.offered.map((one) => headOf(root, one.id, one.facts)));
  const records = [...standing.open.values()];
  if (records.length + standing.withheld === 0 && standing.subscriptions.length === 0)
    await leaveQuietly(context, reader, root, follows, standing.nowMs);
  return {
    view,
    heads: [...back, ...offered].sort(byUrgency).slice(0, Math.max(ask.limit, 0)),
    unread: sum(offers.map((offer) => offer.unread)) + back.length,
    urgent: sum(offers.map((offer) => offer.urgent)) + back.filter((head) => head.priority === 3).length,
    open: records.filter((record) => record.state === "open").length,
    gaps,
  };
}

/** A binding is noted in the directory before it is made: what was noted in the last minute stays. */
async function leaveQuietly(
  context: TopicContext,
  reader: Reader,
  root: string,
  follows: Follows,
  nowMs: number,
): Promise<void> {
  const noted = follows.roots.get(root);
  if (noted && nowMs - Number(noted) > 60_000)
    await leaveRoot(context, reader.namespace, reader.agent, root, noted);
}

/** What was trimmed or expired unread, of each topic that was looked at. */
function gapsOf(view: RootView, advances: readonly Advance[]): Heads["gaps"] {
  return view.views
    .map((one, n) => ({
      topic: one.topic,
      missed: one.missed + advances[n]!.expired,
      until: gapUntil(one, advances[n]!),
    }))
    .filter(({ missed }) => missed > 0);
}

function gapUntil(view: RootView["views"][number], advance: Advance): number {
  const last = advance.expired > 0 ? advance.to : view.trimmedTo;
  return Math.floor(last / 1000);
}

/**
 * Moving costs a write, so what is only unwanted waits until it is a lot. A gap is told and passed over at once, and so
 * is what may not be read: whether it comes after all must not depend on what else was there.
 */
function isWorthMoving(view: RootView, advances: readonly Advance[]): boolean {
  if (view.hidden.length > 0) return true;
  if (view.views.some((one) => one.missed > 0) || advances.some((one) => one.expired > 0)) return true;
  if (advances.some((one) => one.filtered >= 50)) return true;
  return view.headsSeen > 100 && view.complete && advances.every((one) => one.caughtUp);
}

/**
 * Takes exactly these for the run, as one batch, and moves the positions over what was handed out and passed over.
 * What another run of the agent took meanwhile is missing from the answer. The same batch again gets the same page.
 *
 * The options are those of `TopicFeed.take`.
 */
export async function takeHeads(
  context: TopicContext,
  caller: Caller,
  batch: string,
  heads: readonly Head[],
  looked: Looked | undefined,
  options: TakeOptions,
): Promise<Page> {
  const reader = await readerOf(context, caller);
  const byRoot = new Map<string, Head[]>();
  for (const head of heads) byRoot.set(head.root, [...(byRoot.get(head.root) ?? []), head]);
  const pages = await Promise.all(
    [...byRoot].map(([root, wanted]) =>
      takeFromRoot(context, caller, reader, root, batch, wanted, looked, options),
    ),
  );
  const order = new Map(heads.map((head, n) => [head.id, n]));
  return {
    deliveries: pages
      .flatMap(({ deliveries }) => deliveries)
      .sort((a, b) => order.get(a.message.id)! - order.get(b.message.id)!),
    collapsed: pages.flatMap(({ collapsed }) => collapsed),
  };
}

async function takeFromRoot(
  context: TopicContext,
  caller: Caller,
  reader: Reader,
  root: string,
  batch: string,
  wanted: readonly Head[],
  looked: Looked | undefined,
  options: TakeOptions,
): Promise<Page> {
  const ask: Ask = looked?.ask ?? { minPriority: 0, limit: wanted.length };
  const follows = looked?.follows ?? (await followsOf(context, reader.namespace, reader.agent));
  let view = looked?.views.get(root);
  looked?.views.delete(root);
  const ids = new Set(wanted.map((head) => head.id));
  for (let tries = 0; tries < 20; tries++) {
    view ??= await inspectRoot(context, reader, root, follows, ask, noBatches);
    const { standing } = view;
    const claims: Claim[] = [];
    const own: OpenRecord[] = [];
    for (const id of ids) {
      const record = standing.open.get(id);
      if (record?.state === "open" && record.batch === batch && record.run === caller.run.id)
        own.push(record);
      else if (record?.state === "back" && record.dueAt <= standing.nowMs) {
        const facts = standing.openFacts.get(id);
        if (facts && reader.mayRead(facts.topic))
          claims.push({ id, facts, cut: facts.bytes > options.cutBytes });
      }
    }
    for (const one of view.views)
      for (const candidate of offerOf(standing, one, ask).offered)
        if (ids.has(candidate.id) && !standing.open.has(candidate.id) && reader.mayRead(one.topic))
          claims.push({
            id: candidate.id,
            facts: candidate.facts,
            cut: candidate.facts.bytes > options.cutBytes,
          });
    if (own.length > 0) return { deliveries: await deliveriesOf(context, reader, root, own), collapsed: [] };
    if (claims.length === 0) return nothingTaken;
    const claimed = new Set(claims.map((claim) => claim.id));
    const collapsed: Page["collapsed"][number][] = [];
    const advances = [
      ...view.views.map((one) => {
        const { offered, passedOver, unreadPassed } = offerOf(standing, one, ask);
        const isTaken = passedOver > 0 && offered.some(({ id }) => claimed.has(id));
        if (isTaken) collapsed.push({ topic: one.topic, count: passedOver, unread: unreadPassed });
        return advanceOf(standing, one, claimed, {
          ...(isTaken ? { passOver: offered[0]!.id } : {}),
          tellGaps: false,
        });
      }),
      ...view.hidden.map((topic) => pastHidden(standing, topic)),
    ];
    const taken = await commit(context, reader, view, advances, {
      run: caller.run.id,
      batch,
      claims,
      claimMs: options.claimMs,
    });
    if (taken) return { deliveries: taken, collapsed };
    view = undefined;
  }
  return nothingTaken;
}

const nothingTaken: Page = { deliveries: [], collapsed: [] };

interface TakeOptions {
  readonly cutBytes: number;
  readonly claimMs: number;
}

interface Claim {
  readonly id: string;
  readonly facts: MessageFacts;
  readonly cut: boolean;
}

/** Writes what was decided, or answers undefined when the agent's deliveries changed since they were looked at. */
async function commit(
  context: TopicContext,
  reader: Reader,
  view: RootView,
  advances: readonly Advance[],
  page: {
    readonly run: string;
    readonly batch: string;
    readonly claims: readonly Claim[];
    readonly claimMs: number;
  },
): Promise<readonly Delivery[] | undefined> {
  const { standing, root } = view;
  const moves = movesOf(standing, advances, view.complete);
  const reached = new Map(advances.map((one) => [one.topic, one.to]));
  const covered = (facts: MessageFacts): boolean =>
    facts.sequence <= (moves.purgeTo ?? reached.get(facts.topic) ?? 0);
  const keys = topicRootKeys(reader.namespace, root);
  const [word, list] = await context.run(
    reader.namespace,
    root,
    takeScript,
    [keys.deliveries(reader.agent), keys.open(reader.agent), keys.taken(reader.agent)],
    [
      standing.revision,
      context.store.attempt(),
      page.run,
      page.batch,
      page.claims.length,
      moves.sets.length,
      moves.drops.length,
      moves.purgeTo ?? "",
      page.claimMs,
      ...page.claims.flatMap(({ id, facts, cut }) => [
        id,
        facts.topic,
        facts.sequence,
        standing.open.has(id) || covered(facts) ? "1" : "0",
        cut ? "1" : "0",
      ]),
      ...moves.sets.flat(),
      ...moves.drops,
    ],
  );
  if (word === "CHANGED") return undefined;
  return parseDeliveries(context, list as readonly string[]);
}

export async function deliveriesOf(
  context: TopicContext,
  reader: Reader,
  root: string,
  records: readonly OpenRecord[],
): Promise<readonly Delivery[]> {
  const keys = topicRootKeys(reader.namespace, root);
  const flat = await Promise.all(
    records.map(async ({ id }) => {
      const [record, facts, body] = await Promise.all([
        context.store.command("HGET", keys.open(reader.agent), id),
        context.store.command("HGET", keys.facts, id),
        context.store.command("HGET", keys.messages, id),
      ]);
      return record && body ? [id, String(record), String(facts ?? ""), String(body)] : [];
    }),
  );
  return parseDeliveries(context, flat.flat());
}

/** Deliveries from a flat list of id, open record, facts, body. */
function parseDeliveries(context: TopicContext, flat: readonly string[]): readonly Delivery[] {
  const deliveries: Delivery[] = [];
  for (let n = 0; n < flat.length; n += 4) {
    const facts = parseFacts(flat[n + 2]!);
    if (flat[n + 3] === "") continue;
    deliveries.push(deliveryOf(context, flat[n + 3]!, facts, parseOpen(flat[n]!, flat[n + 1]!)));
  }
  return deliveries;
}

export function deliveryOf(
  context: TopicContext,
  body: string,
  facts: MessageFacts | undefined,
  record: OpenRecord | undefined,
): Delivery {
  return {
    message: JSON.parse(body) as StoredMessage,
    state: record?.state === "open" ? "read" : "stored",
    sequence: facts?.sequence ?? record?.sequence ?? 0,
    count: record?.count ?? 0,
    ackRequired: false,
    job: false,
    expiresAt: facts?.expiresAt || (facts?.publishedAt ?? 0) + context.limits.retentionMs,
    cut: record?.cut ?? false,
  };
}

/** What expired since it was given back: nobody is given it any more. */
function overBack({ standing }: RootView): string[] {
  return [...standing.openFacts]
    .filter(([id, facts]) => standing.open.get(id)?.state === "back" && isExpired(facts, standing.nowMs))
    .map(([id]) => id);
}

function missedOf({ standing }: RootView, ids: readonly string[]): Heads["gaps"] {
  const gaps = new Map<string, { topic: string; missed: number; until: number }>();
  for (const id of ids) {
    const { topic, sequence } = standing.openFacts.get(id)!;
    const known = gaps.get(topic) ?? { topic, missed: 0, until: 0 };
    const until = Math.max(known.until, Math.floor(sequence / 1000));
    gaps.set(topic, { topic, missed: known.missed + 1, until });
  }
  return [...gaps.values()];
}

function backHeads(view: RootView, ask: Ask): readonly Head[] {
  const heads: Head[] = [];
  for (const record of view.standing.open.values()) {
    const facts = view.standing.openFacts.get(record.id);
    if (record.state !== "back" || !facts || record.dueAt > view.standing.nowMs) continue;
    if (isExpired(facts, view.standing.nowMs)) continue;
    if (isAskedFor(ask, facts)) heads.push(headOf(view.root, record.id, facts));
  }
  return heads;
}

function headOf(root: string, id: string, facts: MessageFacts): Head {
  return { root, id, sequence: facts.sequence, priority: facts.priority, bytes: facts.bytes };
}

export function byUrgency(a: Head, b: Head): number {
  return b.priority - a.priority || a.sequence - b.sequence;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
