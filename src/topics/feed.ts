import type { Caller } from "../identity/index.js";
import type { Delivery, Head, StoredMessage, TopicFeed } from "../mailbox/index.js";
import { topicRootKeys } from "../redis/index.js";
import type { TopicContext } from "./context.js";
import { parseOpen } from "./delivery-state.js";
import { lookFollows } from "./follows.js";
import { findMessage, searchTopics } from "./list-history.js";
import { listenToTopics } from "./listen.js";
import { isTopicAskedFor } from "./plan-page.js";
import { deliveriesOf, type Looked, lookAtHeads, readerOf, takeHeads } from "./read-topics.js";
import { priorities } from "./settings.js";
import { releaseRun, settleTopics } from "./settle-topics.js";

/** The followed topics as the mailbox room reads them. Remembers what each run looked at last, and nothing else. */
export class Feed implements TopicFeed {
  readonly #context: TopicContext;
  readonly #looked = new Map<string, Looked>();
  readonly #turns = new Map<string, number>();
  readonly #alarms = new Alarms();

  constructor(context: TopicContext) {
    this.#context = context;
  }

  async follows(caller: Caller): Promise<boolean> {
    const { namespace, agent } = caller.principal;
    const follows = await lookFollows(this.#context, namespace, agent);
    return follows.patterns.size > 0 || follows.roots.size > 0;
  }

  async heads(caller: Caller, ask: Parameters<TopicFeed["heads"]>[1]): ReturnType<TopicFeed["heads"]> {
    const { answer, looked } = await lookAtHeads(
      this.#context,
      caller,
      { ...ask.filter, limit: ask.limit, ...(ask.looksOnly ? { looksOnly: true } : {}) },
      ask,
      this.#turns.get(place(caller)) ?? 0,
    );
    if (this.#looked.size > 5_000) this.#looked.clear();
    if (this.#turns.size > 5_000) this.#turns.clear();
    this.#looked.set(place(caller), looked);
    this.#turns.set(place(caller), looked.nextTurn);
    if (looked.nextDueAt !== undefined)
      this.#alarms.set(agentOf(caller), looked.nextDueAt - this.#context.store.now());
    return answer;
  }

  async take(
    caller: Caller,
    batch: string,
    heads: readonly Head[],
    options: { readonly cutBytes?: number; readonly claimMs?: number } = {},
  ): ReturnType<TopicFeed["take"]> {
    return takeHeads(this.#context, caller, batch, heads, this.#looked.get(place(caller)), {
      cutBytes: options.cutBytes ?? this.#context.limits.cutBytes,
      claimMs: options.claimMs ?? 0,
    });
  }

  async open(
    caller: Caller,
    limit: number,
    filter: Parameters<TopicFeed["open"]>[2],
    behind?: Parameters<TopicFeed["open"]>[3],
  ): Promise<readonly Delivery[]> {
    const { namespace, agent } = caller.principal;
    const reader = await readerOf(this.#context, caller);
    const follows = await lookFollows(this.#context, namespace, agent);
    const deliveries = await Promise.all(
      [...follows.roots.keys()].map(async (root) => {
        const flat = await this.#context.store.command("HGETALL", topicRootKeys(namespace, root).open(agent));
        const records = entriesOf(flat)
          .map(([id, text]) => parseOpen(id, text))
          .filter((record) => record.state === "open" && isTopicAskedFor(filter.topic, record.topic))
          .filter((record) => !behind || byPlace(record, behind) > 0)
          .sort(byPlace);
        const found: Delivery[] = [];
        for (let n = 0; n < records.length && found.length < limit; n += openAtOnce) {
          const some = await deliveriesOf(this.#context, reader, root, records.slice(n, n + openAtOnce));
          found.push(...some.filter(({ message }) => isMeant(filter, message)));
        }
        return found;
      }),
    );
    return deliveries
      .flat()
      .sort((a, b) => byPlace(placeOf(a), placeOf(b)))
      .slice(0, limit);
  }

  find(caller: Caller, id: string): Promise<Delivery | undefined> {
    return findMessage(this.#context, caller, id);
  }

  settle(
    caller: Caller,
    ids: readonly string[],
    outcome: Parameters<TopicFeed["settle"]>[2],
    delayMs: number,
    operation?: Parameters<TopicFeed["settle"]>[4],
  ): ReturnType<TopicFeed["settle"]> {
    return settleTopics(this.#context, caller, ids, outcome, delayMs, operation);
  }

  async releaseRun(namespace: string, agent: string, run: string): Promise<void> {
    this.#looked.delete(`${namespace} ${run}`);
    this.#turns.delete(`${namespace} ${run}`);
    await releaseRun(this.#context, namespace, agent, run);
  }

  /** Wakes also when something that was given back with a delay is due, as far as reads of this process saw it. */
  async listen(caller: Caller, wake: () => void): Promise<() => void> {
    const silence = this.#alarms.add(agentOf(caller), wake);
    const stop = await listenToTopics(this.#context, caller, wake).catch((error: unknown) => {
      silence();
      throw error;
    });
    return () => {
      silence();
      stop();
    };
  }

  search(caller: Caller, ask: Parameters<TopicFeed["search"]>[1]): ReturnType<TopicFeed["search"]> {
    return searchTopics(this.#context, caller, ask);
  }
}

const openAtOnce = 50;

interface OpenPlace {
  readonly sequence: number;
  readonly id: string;
}

function byPlace(a: OpenPlace, b: OpenPlace): number {
  return a.sequence - b.sequence || (a.id === b.id ? 0 : a.id < b.id ? -1 : 1);
}

function placeOf({ sequence, message }: Delivery): OpenPlace {
  return { sequence, id: message.id };
}

function isMeant(
  { sender, thread, minPriority }: Parameters<TopicFeed["open"]>[2],
  message: StoredMessage,
): boolean {
  return (
    (sender === undefined || message.from === sender) &&
    (thread === undefined || message.thread === thread) &&
    priorities.indexOf(message.priority) >= minPriority
  );
}

/** Calls the waiters of an agent when a time has come; where nobody waits, nothing runs. */
class Alarms {
  readonly #waiters = new Map<string, Set<() => void>>();
  readonly #timers = new Map<string, { readonly at: number; readonly timer: NodeJS.Timeout }>();

  add(agent: string, wake: () => void): () => void {
    const waiters = this.#waiters.get(agent) ?? new Set();
    this.#waiters.set(agent, waiters.add(wake));
    return () => {
      waiters.delete(wake);
      if (waiters.size > 0 || this.#waiters.get(agent) !== waiters) return;
      this.#waiters.delete(agent);
      clearTimeout(this.#timers.get(agent)?.timer);
      this.#timers.delete(agent);
    };
  }

  set(agent: string, inMs: number): void {
    if (!this.#waiters.has(agent)) return;
    const at = Date.now() + inMs;
    const known = this.#timers.get(agent);
    if (known && known.at <= at) return;
    clearTimeout(known?.timer);
    const timer = setTimeout(
      () => {
        this.#timers.delete(agent);
        for (const wake of this.#waiters.get(agent) ?? []) wake();
      },
      Math.min(Math.max(inMs, 1), 3_600_000),
    );
    timer.unref();
    this.#timers.set(agent, { at, timer });
  }
}

function agentOf(caller: Caller): string {
  return `${caller.principal.namespace} ${caller.principal.agent}`;
}

function place(caller: Caller): string {
  return `${caller.principal.namespace} ${caller.run.id}`;
}

function entriesOf(flat: unknown): readonly (readonly [string, string])[] {
  if (!Array.isArray(flat)) return Object.entries((flat ?? {}) as Record<string, string>);
  const entries: [string, string][] = [];
  for (let n = 0; n < flat.length; n += 2) entries.push([String(flat[n]), String(flat[n + 1])]);
  return entries;
}
