import { matchesTopic, parsePattern, type TopicPattern } from "../addresses/index.js";

/** A pattern bound to an agent in one root. Sequences are the root's own. */
export interface Subscription {
  readonly pattern: TopicPattern;
  /** An ended binding delivers nothing; it only says what needs no delivery through another. */
  readonly live: boolean;
  /** Reading began after this sequence. */
  readonly start: number;
  /** In every topic it means, everything up to here was handled. */
  readonly floor: number;
  /** The root's sequence when it was made: what was trimmed before was never promised to it. */
  readonly since: number;
  readonly sender: string;
  readonly minPriority: number;
  /** Of an ended binding: the root's sequence when it ended. */
  readonly until: number;
}

/** What was delivered and not settled, or given back. */
export interface OpenRecord {
  readonly id: string;
  readonly state: "open" | "back";
  readonly run: string;
  readonly batch: string;
  readonly count: number;
  readonly dueAt: number;
  readonly sinceAt: number;
  readonly sequence: number;
  readonly topic: string;
  readonly cut: boolean;
}

export interface MessageFacts {
  readonly sequence: number;
  readonly topic: string;
  readonly sender: string;
  readonly priority: number;
  readonly bytes: number;
  readonly thread: string;
  readonly publishedAt: number;
  /** 0: it is kept as long as the history. */
  readonly expiresAt: number;
}

/** Where one agent stands in one root, as it was looked at. */
export interface Standing {
  readonly revision: string;
  /** The root's last sequence at that instant. */
  readonly sequence: number;
  readonly nowMs: number;
  readonly subscriptions: readonly Subscription[];
  /** pattern and topic, with a space between → position above the floor */
  readonly positions: ReadonlyMap<string, number>;
  readonly open: ReadonlyMap<string, OpenRecord>;
  /** Facts of what is open or given back. */
  readonly openFacts: ReadonlyMap<string, MessageFacts>;
  /** How many messages were given back in topics that may not be read now: they wait until they may. */
  readonly withheld: number;
}

/** In this topic, everything up to here was handled for the subscription. */
export function positionOf(standing: Standing, subscription: Subscription, topic: string): number {
  return Math.max(
    subscription.floor,
    standing.positions.get(positionField(subscription.pattern, topic).slice(2)) ?? 0,
  );
}

export function positionField(pattern: string, topic: string): string {
  return `p:${pattern} ${topic}`;
}

export function covers(subscription: Subscription, topic: string): boolean {
  return matchesTopic(subscription.pattern, topic);
}

export function parseSubscription(pattern: string, text: string): Subscription {
  const [state, start, floor, since, sender, priority, until] = text.split("|");
  return {
    pattern: parsePattern(pattern),
    live: state === "live",
    start: Number(start),
    floor: Number(floor),
    since: Number(since),
    sender: sender ?? "",
    minPriority: Number(priority),
    until: Number(until),
  };
}

export function writeSubscription(subscription: Subscription): string {
  const { live, start, floor, since, sender, minPriority, until } = subscription;
  return [live ? "live" : "ended", start, floor, since, sender, minPriority, until].join("|");
}

export function parseFacts(text: string): MessageFacts | undefined {
  if (text === "") return undefined;
  const [sequence, topic, sender, priority, bytes, thread, publishedAt, expiresAt] = text.split("|");
  return {
    sequence: Number(sequence),
    topic: topic!,
    sender: sender!,
    priority: Number(priority),
    bytes: Number(bytes),
    thread: thread!,
    publishedAt: Number(publishedAt),
    expiresAt: Number(expiresAt),
  };
}

export function parseOpen(id: string, text: string): OpenRecord {
  const [state, run, batch, count, dueAt, sinceAt, sequence, topic, cut] = text.split("|");
  return {
    id,
    state: state === "back" ? "back" : "open",
    run: run!,
    batch: batch!,
    count: Number(count),
    dueAt: Number(dueAt),
    sinceAt: Number(sinceAt),
    sequence: Number(sequence),
    topic: topic!,
    cut: cut === "1",
  };
}

/**
 * Reads what `look-topics.lua` returned. What is open was delivered and stays; what was given back has to be delivered
 * again, so it shows only where `mayRead` agrees. Bindings of patterns that may mean any root count only while `followed` still
 * names them: the directory is told first when one ends.
 */
export function parseStanding(
  revision: string,
  sequence: string,
  nowMs: string,
  deliveries: readonly string[],
  open: readonly string[],
  followed: (pattern: string) => boolean,
  mayRead: (topic: string) => boolean,
): Standing {
  const subscriptions: Subscription[] = [];
  const positions = new Map<string, number>();
  for (let n = 0; n < deliveries.length; n += 2) {
    const field = deliveries[n]!;
    const value = deliveries[n + 1]!;
    if (field.startsWith("p:")) positions.set(field.slice(2), Number(value));
    else if (field.startsWith("s:")) {
      const subscription = parseSubscription(field.slice(2), value);
      const stray = subscription.live && field.startsWith("s:*") && !followed(subscription.pattern);
      if (!stray) subscriptions.push(subscription);
    }
  }
  const records = new Map<string, OpenRecord>();
  const openFacts = new Map<string, MessageFacts>();
  let withheld = 0;
  for (let n = 0; n < open.length; n += 3) {
    const id = open[n]!;
    const record = parseOpen(id, open[n + 1]!);
    if (record.state === "back" && !mayRead(record.topic)) {
      withheld++;
      continue;
    }
    records.set(id, record);
    const facts = parseFacts(open[n + 2]!);
    if (facts) openFacts.set(id, facts);
  }
  return {
    revision,
    sequence: Number(sequence),
    nowMs: Number(nowMs),
    subscriptions,
    positions,
    open: records,
    openFacts,
    withheld,
  };
}
