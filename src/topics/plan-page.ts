import { matchesTopic, parsePattern } from "../addresses/index.js";
import {
  covers,
  type MessageFacts,
  positionField,
  positionOf,
  type Standing,
  type Subscription,
  writeSubscription,
} from "./delivery-state.js";

/** What a read asks for. */
export interface Ask {
  readonly sender?: string;
  /** Topic or pattern. */
  readonly topic?: string;
  readonly thread?: string;
  readonly minPriority: number;
  readonly limit: number;
  /** Nothing is read: what was missed is shown and stays to be told. */
  readonly looksOnly?: boolean;
}

/** A message of a topic as it was peeked at, oldest first. */
export interface Candidate {
  readonly id: string;
  readonly facts: MessageFacts;
  /** It was delivered before, out of order. */
  readonly taken: boolean;
}

/** What was seen of one topic above the agent's position there. */
export interface TopicView {
  readonly topic: string;
  /** The lowest position of the subscriptions that mean the topic. */
  readonly position: number;
  /** Messages above the position, those already taken out of order not counted. */
  readonly waiting: number;
  readonly trimmedTo: number;
  readonly missed: number;
  readonly candidates: readonly Candidate[];
  /** Between the position and the first candidate nothing was left out (false for the newest of a busy topic). */
  readonly fromPosition: boolean;
  /** Of the newest of a busy topic: how many expired at its beginning, before anything that is due, and where those end. */
  readonly lead?: { readonly expired: number; readonly to: number };
  /** There is nothing above the last candidate. */
  readonly toEnd: boolean;
}

export function passes(subscription: Subscription, facts: MessageFacts): boolean {
  return (
    (subscription.sender === "" || subscription.sender === facts.sender) &&
    facts.priority >= subscription.minPriority
  );
}

export function isAskedFor(ask: Ask, facts: MessageFacts): boolean {
  return (
    (ask.sender === undefined || ask.sender === facts.sender) &&
    (ask.thread === undefined || ask.thread === facts.thread) &&
    facts.priority >= ask.minPriority &&
    (ask.topic === undefined || isTopicAskedFor(ask.topic, facts.topic))
  );
}

export function isTopicAskedFor(asked: string | undefined, topic: string): boolean {
  return asked === undefined || matchesTopic(parsePattern(asked), topic);
}

/** Nothing narrows the ask, so that older messages of a busy topic may be passed over. */
export function isOpenAsk(ask: Ask): boolean {
  return (
    ask.topic === undefined && ask.sender === undefined && ask.thread === undefined && ask.minPriority === 0
  );
}

/** Messages of these topics can be counted without looking at them: every subscription stands at one place, unfiltered. */
export function isPlain(standing: Standing, topic: string): boolean {
  const matching = standing.subscriptions.filter((one) => covers(one, topic));
  const live = matching.filter((one) => one.live);
  if (live.some((one) => one.sender !== "" || one.minPriority > 0)) return false;
  const places = new Set(live.map((one) => positionOf(standing, one, topic)));
  if (places.size !== 1) return false;
  const [place] = places;
  return matching.every((one) => one.live || positionOf(standing, one, topic) <= place!);
}

export function lowestPosition(standing: Standing, topic: string): number | undefined {
  let lowest: number | undefined;
  for (const one of standing.subscriptions) {
    if (!one.live || !covers(one, topic)) continue;
    const position = positionOf(standing, one, topic);
    if (lowest === undefined || position < lowest) lowest = position;
  }
  return lowest;
}

/** The stretches above the lowest position that no subscription has handled, as `from:to` for the count of a gap. */
export function unhandledRanges(standing: Standing, topic: string): string {
  let ranges: [number, number][] = [];
  for (const one of standing.subscriptions)
    if (one.live && covers(one, topic))
      ranges.push([positionOf(standing, one, topic), Number.POSITIVE_INFINITY]);
  if (ranges.length === 0) return "";
  ranges = [[Math.min(...ranges.map(([from]) => from)), Number.POSITIVE_INFINITY]];
  for (const one of standing.subscriptions) {
    if (!covers(one, topic) || one.sender !== "" || one.minPriority > 0) continue;
    const done: readonly [number, number] = [one.start, positionOf(standing, one, topic)];
    ranges = ranges.flatMap(([from, to]) => {
      if (done[1] <= from || done[0] >= to) return [[from, to]];
      const parts: [number, number][] = [];
      if (done[0] > from) parts.push([from, done[0]]);
      if (done[1] < to) parts.push([done[1], to]);
      return parts;
    });
  }
  return ranges.map(([from, to]) => `${from}:${to === Number.POSITIVE_INFINITY ? "+inf" : to}`).join(",");
}

/**
 * Whether the message still has to be delivered: a live subscription means it and stands below it, and neither another
 * one nor a delivery out of order has dealt with it already.
 */
export function isDue(standing: Standing, candidate: Candidate): boolean {
  const { facts } = candidate;
  if (candidate.taken || standing.open.has(candidate.id)) return false;
  let due = false;
  for (const one of standing.subscriptions) {
    if (!covers(one, facts.topic) || !passes(one, facts)) continue;
    const position = positionOf(standing, one, facts.topic);
    if (facts.sequence > one.start && facts.sequence <= position) return false;
    if (one.live && facts.sequence > position) due = true;
  }
  return due;
}

export function isExpired(facts: MessageFacts, nowMs: number): boolean {
  return facts.expiresAt > 0 && facts.expiresAt <= nowMs;
}

/** What one topic has for the page that is asked for. */
export interface TopicOffer {
  readonly offered: readonly Candidate[];
  readonly unread: number;
  readonly urgent: number;
  /** Messages before the first offered one that are passed over when one of these is taken, what expired among them too. */
  readonly passedOver: number;
  /** How many of the unread these are. */
  readonly unreadPassed: number;
}

const newest = 3;

export function offerOf(standing: Standing, view: TopicView, ask: Ask): TopicOffer {
  const pending = view.candidates.filter((one) => isDue(standing, one));
  const due = pending.filter((one) => !isExpired(one.facts, standing.nowMs));
  const asked = due.filter((one) => isAskedFor(ask, one.facts));
  const plain = isPlain(standing, view.topic);
  // What expired is told with the gap and waits for nobody.
  const { expired: before, to: leadTo } = view.lead ?? noLead;
  const expired = before + pending.filter((one) => one.facts.sequence > leadTo).length - due.length;
  const unread = plain ? Math.max(view.waiting - expired, due.length) : due.length;
  const urgent = due.filter((one) => one.facts.priority === 3).length;
  if (view.fromPosition && (!isOpenAsk(ask) || unread <= ask.limit || ask.limit <= 0))
    return { offered: asked, unread, urgent, ...nothingPassed };
  const offered = asked.slice(-newest);
  const [first] = offered;
  if (!first) return { offered, unread, urgent, ...nothingPassed };
  const unseen = view.fromPosition ? 0 : Math.max(view.waiting - pending.length, 0);
  const unreadPassed = unread - (due.length - due.indexOf(first));
  return { offered, unread, urgent, passedOver: unseen + pending.indexOf(first), unreadPassed };
}

const nothingPassed = { passedOver: 0, unreadPassed: 0 };

const noLead = { expired: 0, to: 0 };

/** What a topic begins with that waits for nobody: it expired, or was dealt with. `isAll`: there is nothing else. */
export function leadOf(
  standing: Standing,
  candidates: readonly Candidate[],
): { readonly expired: number; readonly to: number; readonly isAll: boolean } {
  let expired = 0;
  let to = 0;
  for (const candidate of candidates) {
    if (isDue(standing, candidate)) {
      if (!isExpired(candidate.facts, standing.nowMs)) return { expired, to, isAll: false };
      expired++;
    }
    to = candidate.facts.sequence;
  }
  return { expired, to, isAll: true };
}

/** How the positions of one topic may move. */
export interface Advance {
  readonly topic: string;
  readonly to: number;
  /** Everything there was when the root was looked at is behind the new position. */
  readonly caughtUp: boolean;
  /** Messages that expired unread and are passed over now; they are told with the gap. */
  readonly expired: number;
  /** Messages passed over that no subscription wants. */
  readonly filtered: number;
}

/**
 * How far the position can move: over what is handled, open, unwanted, claimed now, or passed over in a busy topic, and
 * never over a message that somebody still has to get. Trimmed or expired messages stop it too unless they are told.
 *
 * @param options.passOver the first message that is offered of a busy topic: what is before it is passed over, and told
 *   with their count
 */
export function advanceOf(
  standing: Standing,
  view: TopicView,
  claimed: ReadonlySet<string>,
  options: { readonly passOver?: string; readonly tellGaps: boolean },
): Advance {
  const still = { topic: view.topic, to: view.position, caughtUp: false, expired: 0, filtered: 0 };
  if (view.missed > 0 && !options.tellGaps) return still;
  let to = Math.max(view.position, Math.min(view.trimmedTo, standing.sequence));
  if (!view.fromPosition && options.passOver === undefined) {
    if (!options.tellGaps) return still;
    return { ...still, to: Math.max(to, view.lead?.to ?? 0), expired: view.lead?.expired ?? 0 };
  }
  let expired = 0;
  let filtered = 0;
  let met = options.passOver === undefined;
  for (const candidate of view.candidates) {
    const due = isDue(standing, candidate);
    if (candidate.id === options.passOver) met = true;
    if (!claimed.has(candidate.id)) {
      if (due && isExpired(candidate.facts, standing.nowMs)) {
        if (!options.tellGaps && met) return { ...still, to, expired, filtered };
        if (options.tellGaps) expired++;
      } else if (due && met) return { ...still, to, expired, filtered };
      else if (!due) filtered++;
    }
    to = Math.max(to, candidate.facts.sequence);
  }
  if (!view.toEnd) return { ...still, to, expired, filtered };
  return { topic: view.topic, to: Math.max(to, standing.sequence), caughtUp: true, expired, filtered };
}

/** Past a topic that may not be read now: what is there is skipped, also if it may be read later. */
export function pastHidden(standing: Standing, topic: string): Advance {
  return { topic, to: standing.sequence, caughtUp: true, expired: 0, filtered: 0 };
}

/** Changes of an agent's delivery fields that move its positions. */
export interface Moves {
  readonly sets: readonly (readonly [field: string, value: string])[];
  readonly drops: readonly string[];
  /** Deliveries out of order up to here are behind every position. */
  readonly purgeTo?: number;
}

/**
 * Turns advances into fields. When `complete` (every topic with news was looked at) and all of them are caught up, the
 * floors rise instead, so that positions of single topics need not be kept.
 */
export function movesOf(standing: Standing, advances: readonly Advance[], complete: boolean): Moves {
  const live = standing.subscriptions.filter((one) => one.live);
  if (complete && live.length > 0 && advances.every((one) => one.caughtUp)) {
    const sets = live
      .filter((one) => one.floor < standing.sequence)
      .map((one) => [`s:${one.pattern}`, writeSubscription({ ...one, floor: standing.sequence })] as const);
    const behind = new Set(live.map((one) => one.pattern as string));
    const drops: string[] = [];
    for (const one of standing.subscriptions)
      if (!one.live && one.until <= standing.sequence) {
        behind.add(one.pattern);
        drops.push(`s:${one.pattern}`);
      }
    for (const [field, position] of standing.positions) {
      if (!behind.has(field.slice(0, field.indexOf(" ")))) continue;
      if (position <= standing.sequence) drops.push(`p:${field}`);
    }
    return { sets, drops, purgeTo: standing.sequence };
  }
  const sets: (readonly [string, string])[] = [];
  for (const { topic, to } of advances)
    for (const one of live)
      if (covers(one, topic) && positionOf(standing, one, topic) < to)
        sets.push([positionField(one.pattern, topic), String(to)]);
  return { sets, drops: [] };
}
