import { randomUUID } from "node:crypto";
import { GrantBook } from "../../src/agents/grant-book.js";
import { mayAnywhere } from "../../src/agents/may-anywhere.js";
import { MailboxError, refuse } from "../../src/errors/index.js";
import type { Action, Caller, Principal, RunId } from "../../src/identity/index.js";
import type { DeliveredMessage, Inbox, SendMessage } from "../../src/mailbox/contract.js";
import type { Rooms, WatchTarget, WholeMessage } from "../../src/mcp/index.js";
import type { StateEntry } from "../../src/state/index.js";

interface Batch {
  readonly name: string;
  readonly agent: string;
  readonly messages: DeliveredMessage[];
  reached: boolean | undefined;
}

/** The capabilities in the memory of one process, simple enough to be read: what the face is tried on. */
export interface World extends Rooms {
  /** What was told about each batch, in order. */
  readonly confirmations: { agent: string; batch: string; reached: boolean }[];
  readonly begun: Principal[];
  readonly ended: Caller[];
  /** In how many ways clients are seen to be here now. */
  seen(): number;
  /** How many calls wait for mail now. */
  waiting(): number;
  watchers(): number;
  /** Puts a message into a mailbox as if somebody else had sent it. */
  put(to: string, message: Partial<DeliveredMessage>): DeliveredMessage;
  /** Announces a change, as the store's hints do. */
  change(kind: WatchTarget["kind"], agent?: string): void;
  /** Resolves when the condition holds; looks after every event of this world. */
  until(condition: () => boolean): Promise<void>;
}

/** What an agent may to whom nobody granted anything. */
export function mayOrdinary(action: Action): boolean {
  return mayAnywhere({ agent: "anybody", roles: ["agent"], isOperator: false }, action, new GrantBook([]), 0);
}

export function memoryRooms({ waitingEveryMs = 10_000, mayUse = mayOrdinary } = {}): World {
  const boxes = new Map<string, DeliveredMessage[]>();
  const open = new Map<string, DeliveredMessage>();
  const batches: Batch[] = [];
  const topics = new Map<string, DeliveredMessage[]>();
  const following = new Map<string, Set<string>>();
  const entries = new Map<string, StateEntry>();
  const news = new Set<string>();
  const waiters = new Set<{ agent: string; wake: () => void }>();
  const watching = new Set<{ agent: string; target: WatchTarget; onChange: () => void }>();
  const observers = new Set<() => void>();
  const locked = new Map<string, string>();
  const confirmations: World["confirmations"] = [];
  const begun: Principal[] = [];
  const ended: Caller[] = [];
  let sequence = 0;
  let here = 0;

  const happened = (): void => {
    for (const observer of [...observers]) observer();
  };
  const box = (name: string): DeliveredMessage[] => {
    if (!boxes.has(name)) boxes.set(name, []);
    return boxes.get(name)!;
  };
  const change = (kind: WatchTarget["kind"], agent?: string): void => {
    for (const one of watching)
      if (one.target.kind === kind && (agent === undefined || one.agent === agent)) one.onChange();
    happened();
  };
  const put = (to: string, message: Partial<DeliveredMessage>): DeliveredMessage => {
    const id = message.id ?? `m${++sequence}`;
    const whole: DeliveredMessage = {
      id,
      from: "bob",
      verified: false,
      to,
      sent_at: "2026-01-01T00:00:00.000Z",
      priority: "normal",
      thread: id,
      content_type: "text/plain",
      body: "hello",
      ack_required: false,
      delivery_count: 1,
      expires_at: "2026-01-08T00:00:00.000Z",
      ...message,
    };
    box(to).push(whole);
    news.add(to);
    for (const waiter of [...waiters]) if (waiter.agent === to) waiter.wake();
    change("inbox", to);
    return whole;
  };
  const find = (id: string): WholeMessage => {
    const all = [...boxes.values(), ...topics.values()].flat();
    const message = all.find((one) => one.id === id) ?? open.get(id) ?? seen(id);
    if (!message) refuse("mailbox.not_yours", { message_id: id });
    return { ...message, excerpt: message.body.slice(0, 300), states: [{ to: message.to, state: "stored" }] };
  };
  const seen = (id: string): DeliveredMessage | undefined =>
    batches.flatMap((batch) => batch.messages).find((one) => one.id === id);

  return {
    confirmations,
    begun,
    ended,
    waiting: () => waiters.size,
    seen: () => here,
    watchers: () => watching.size,
    put,
    change,
    until: async (condition) => {
      if (condition()) return;
      await new Promise<void>((resolve) => {
        const look = (): void => {
          if (!condition()) return;
          observers.delete(look);
          resolve();
        };
        observers.add(look);
      });
    },
    // Names are believed here, and no credential proves anything.
    identity: {
      verify: async () => refuse("auth.invalid"),
      check: async () => undefined,
      refused: async () => undefined,
      whileHolds: () => () => undefined,
    },
    runs: {
      begin: async (principal) => {
        begun.push(principal);
        return { principal, run: { id: randomUUID() as RunId } };
      },
      seen: () => {
        here += 1;
        happened();
        return () => {
          here -= 1;
          happened();
        };
      },
      seenAgoMs: async () => Number.POSITIVE_INFINITY,
      end: async (caller) => {
        ended.push(caller);
        happened();
      },
    },
    access: { usableBy: async () => mayUse },
    mail: {
      sendMessage: async (caller, input) => {
        if (input.body === "break") throw new Error("secret detail of the store");
        const id = `m${++sequence}`;
        const recipients = input.to.map((to) => {
          if (to === "full") {
            const refusal = new MailboxError("mailbox.full", { address: to, count: 10_000, bytes: 1 });
            return {
              to,
              state: "refused" as const,
              refusal: { code: refusal.code, message: refusal.message },
            };
          }
          deliver(caller, to, id, input);
          return { to, state: "stored" as const, ...(to.startsWith("new") && { opened: true }) };
        });
        return { message_id: id, recipients, replayed: false };
      },
      readInbox: async (caller, input, options) => {
        const { agent } = caller.principal;
        news.delete(agent);
        if (input.message_id) return part(find(input.message_id), input.offset ?? 0, options.maxChars);
        if (!input.peek) again(agent, input.after);
        const ready = box(agent);
        const started = Date.now();
        const waitMs = (input.wait_seconds ?? 0) * 1000;
        if (ready.length === 0 && waitMs > 0) await wait(agent, waitMs, options);
        const messages = ready.slice(0, input.limit ?? 10);
        if (!input.peek) ready.splice(0, messages.length);
        const batch = { name: `b${++sequence}`, agent, messages, reached: undefined };
        if (!input.peek && messages.length) batches.push(batch);
        return {
          messages,
          ...(!input.peek && messages.length && { batch: batch.name }),
          unread: input.peek ? ready.length : ready.length,
          urgent: ready.filter((one) => one.priority === "urgent").length,
          open: [...open.values()].filter((one) => one.to === agent).length,
          reminders: [],
          gaps: [],
          collapsed: [],
          timed_out:
            messages.length === 0 &&
            waitMs > 0 &&
            (options.over?.aborted || Date.now() - started >= waitMs - 5),
        };
      },
      ackMessages: async (_caller, input) => ({
        replayed: false,
        results: input.ids.map((id) => {
          const refusal = new MailboxError("delivery.not_open", { message_id: id });
          return seen(id)
            ? { id, state: "settled" as const }
            : { id, state: "refused" as const, refusal: { code: refusal.code, message: refusal.message } };
        }),
      }),
      searchMessages: async (caller, input) => ({
        messages: [...box(caller.principal.agent)]
          .filter((one) => !input.query || one.body.includes(input.query))
          .slice(0, input.limit ?? 10)
          .map((one) => find(one.id))
          .map(({ body, content_type, data, in_reply_to, attachments, ...found }) => found),
      }),
      manageDeadLetters: async () => ({ letters: [], more: false, done: 0, missing: [] }),
      confirm: (caller, batch, reached) => {
        confirmations.push({ agent: caller.principal.agent, batch, reached });
        const known = batches.find((one) => one.name === batch);
        if (known) known.reached = reached;
        happened();
      },
      news: async (caller) => {
        if (!news.delete(caller.principal.agent)) return undefined;
        const ready = box(caller.principal.agent);
        return { unread: ready.length, urgent: ready.filter((one) => one.priority === "urgent").length };
      },
      unread: async (caller) => {
        const ready = box(caller.principal.agent);
        return {
          unread: ready.length,
          urgent: ready.filter((one) => one.priority === "urgent").length,
          open: 0,
          dead: 0,
          senders: [...new Set(ready.map((one) => one.from))],
          newestAt: 0,
          lookedAt: Date.now(),
        };
      },
      messageById: async (_caller, id) => find(id),
      // As the real one: a thread nobody may see is an empty one.
      thread: async (_caller, id) => ({ messages: id === "none" ? [] : [find(id)], earlier: 0 }),
    },
    topics: {
      subscribeTopic: async (caller, input) => {
        const name = input.topic.replace(/^topic:/, "");
        if (!following.has(name)) following.set(name, new Set());
        following.get(name)!.add(caller.principal.agent);
        return {
          pattern: name,
          state: input.stop ? "stopped" : "subscribed",
          topics: topics.has(name) ? [name] : [],
          topics_total: topics.has(name) ? 1 : 0,
          position: "2026-01-01T00:00:00.000Z",
        };
      },
      listTopics: async () => [...topics].map(([name, messages]) => ({ name, messages: messages.length })),
      history: async (_caller, topic, { before, limit }) => {
        const all = topics.get(topic);
        if (!all) return refuse("topic.unknown", { topic });
        const end = before ? all.findIndex((one) => one.id === before) : all.length;
        const start = Math.max(0, end - limit);
        return { messages: all.slice(start, end), ...(start > 0 && { before: all[start]!.id }) };
      },
    },
    locks: {
      acquireLock: async (caller, input) => {
        const resources = input.resources ?? [];
        const holder = locked.get(resources.join());
        if (holder === undefined || holder === caller.principal.agent) {
          locked.set(resources.join(), caller.principal.agent);
          return {
            state: holder === undefined ? "granted" : "already_held",
            lock_id: "lk-1",
            token: 7,
            expires_at: "2026-01-01T00:10:00.000Z",
            resources,
          };
        }
        const until = "2026-01-01T00:10:00.000Z";
        return {
          state: "queued",
          ticket: "lk-2",
          place: 1,
          holders: [{ agent: holder, mode: "exclusive", state: "held", resource: resources[0] ?? "", until }],
          timed_out: false,
          resources,
        };
      },
      releaseLock: async () => {
        const state = locked.size > 0 ? "released" : "gone";
        locked.clear();
        return { state, next: [], replayed: false };
      },
      guardFiles: async () => ({ reserved: [], wanted: [], refused: [], untold: [], unnameable: [] }),
      guardStop: async () => undefined,
      hasAny: async ({ agent }) => [...locked.values()].includes(agent),
      listLocks: async () => ({
        holders: [...locked].map(([resource, agent]) => ({
          lock_id: "lk-1",
          agent,
          mode: "exclusive" as const,
          state: "held" as const,
          resources: [resource],
          until: "2026-01-01T00:10:00.000Z",
        })),
        waiters: [],
        more: 0,
      }),
      news: async () => [],
      noteAbsence: async () => undefined,
      keepNews: () => undefined,
    },
    state: {
      getState: async (_caller, { key, prefix }) => ({
        entries: [...entries.values()].filter((one) =>
          prefix === undefined ? one.key === key : one.key.startsWith(prefix),
        ),
      }),
      putState: async (caller, { key, value = "", expected_version }) => {
        const current = entries.get(key);
        if (expected_version !== undefined && expected_version !== (current?.version ?? 0))
          return { key, state: "conflict", ...(current && { current }), replayed: false };
        const version = ++sequence;
        const by = caller.principal.agent;
        entries.set(key, { key, version, value, by, verified: false, at: "2026-01-01T00:00:00.000Z" });
        change("state");
        return { key, state: "stored", version, replayed: false };
      },
    },
    policy: {
      hook: async () => ({}),
      news: async () => [],
      keepNews: () => undefined,
      checkPolicy: async (_caller, { action, reserve }) => ({
        decision: action === "file.delete" ? "deny" : "allow",
        reasons:
          action === "file.delete" ? [{ by: "rule no-deletes", reason: "nothing is deleted here" }] : [],
        obligations: [],
        known: true,
        nearest: [],
        limits: [],
        ...(reserve === undefined
          ? {}
          : {
              reservation_id: "rs-1",
              reserved: reserve,
              reservation_expires_at: "2026-01-01T00:15:00.000Z",
            }),
        unheld: false,
        replayed: false,
      }),
      settleReservation: async (_caller, { reservation_id, cost }) => ({
        ...{ reservation_id, reserved: cost, cost, late: false, limits: [], replayed: false },
      }),
    },
    // Nobody asks for anything here.
    approvals: {
      attendApprovals: async () => ({ waiting: [] }),
      listApprovals: async () => [],
      getApproval: async () => refuse("approval.unknown", { approval_id: "with that id" }),
      decideApproval: async () => refuse("approval.unknown", { approval_id: "with that id" }),
      askedOfClient: async () => undefined,
      untilDecided: async () => undefined,
      decideByClient: async () => refuse("approval.unknown", { approval_id: "with that id" }),
    },
    approvalLinks: {
      see: async () => refuse("approval.link_void", { because: "it is none of ours" }),
      seeAgain: async () => refuse("approval.link_void", { because: "it is none of ours" }),
      decide: async () => refuse("approval.link_void", { because: "it is none of ours" }),
    },
    agents: {
      findRecipients: async () => ({
        agents: [...new Set(begun.map((one) => one.agent))].map((name) => ({
          name,
          online: true,
          description: `I am ${name}\u202e`,
          capabilities: ["review"],
        })),
        queues: [],
        topics: [...topics.keys()].map((name) => ({ name })),
        more: 0,
      }),
      myStatus: async (caller) => ({
        name: caller.principal.agent,
        namespace: caller.principal.namespace,
        verified: false,
        run: caller.run.id,
        other_runs: 0,
        rights: ["send"],
        unread: box(caller.principal.agent).length,
        urgent: 0,
        open: 0,
        overdue: [],
        dead_letters: 0,
        subscriptions: [],
        budgets: [],
        store: "memory",
        tier: "D0",
      }),
    },
    watch: async (caller, target, onChange) => {
      const one = { agent: caller.principal.agent, target, onChange };
      watching.add(one);
      happened();
      return () => {
        watching.delete(one);
        happened();
      };
    },
  };

  function deliver(caller: Caller, to: string, id: string, input: SendMessage): void {
    const message = {
      id,
      from: caller.principal.agent,
      body: input.body,
      ...(input.subject !== undefined && { subject: input.subject }),
      ...(input.data !== undefined && { data: input.data }),
    };
    const topic = to.match(/^topic:(.+)$/)?.[1];
    if (!topic) {
      put(to, message);
      return;
    }
    if (!topics.has(topic)) topics.set(topic, []);
    topics.get(topic)!.push({ ...put(`#${topic}`, message), to });
    change("topic");
    for (const agent of following.get(topic) ?? []) put(agent, { ...message, to });
  }

  /** What did not reach the client comes again; what did is settled. */
  function again(agent: string, after: string | undefined): void {
    for (const batch of batches.filter((one) => one.agent === agent)) {
      if (batch.name === after) batch.reached = true;
      if (batch.reached !== false) continue;
      batch.reached = true;
      box(agent).unshift(
        ...batch.messages.map((one) => ({ ...one, delivery_count: one.delivery_count + 1 })),
      );
    }
  }

  async function wait(
    agent: string,
    waitMs: number,
    options: { signal?: AbortSignal; over?: AbortSignal; onWaiting?: (secondsLeft: number) => void },
  ): Promise<void> {
    const until = Date.now() + waitMs;
    const ticking = setInterval(
      () => options.onWaiting?.(Math.round((until - Date.now()) / 1000)),
      waitingEveryMs,
    );
    let timer: NodeJS.Timeout | undefined;
    const waiter: { agent: string; wake: () => void } = { agent, wake: () => undefined };
    try {
      await new Promise<void>((resolve, reject) => {
        waiter.wake = () => resolve();
        timer = setTimeout(resolve, waitMs);
        options.signal?.addEventListener("abort", () => reject(options.signal!.reason), { once: true });
        options.over?.addEventListener("abort", () => resolve(), { once: true });
        if (options.over?.aborted) resolve();
        waiters.add(waiter);
        happened();
      });
    } finally {
      waiters.delete(waiter);
      clearInterval(ticking);
      clearTimeout(timer);
      happened();
    }
  }
}

function part(message: WholeMessage, offset: number, maxChars: number): Inbox {
  const body = message.body.slice(offset, offset + maxChars);
  const next = offset + body.length;
  const { excerpt, states, attachments, ...rest } = message;
  return {
    messages: [
      {
        ...rest,
        ...(attachments && { attachments }),
        body,
        ack_required: false,
        delivery_count: 1,
        expires_at: "2026-01-08T00:00:00.000Z",
      },
    ],
    unread: 0,
    urgent: 0,
    open: 0,
    reminders: [],
    gaps: [],
    collapsed: [],
    timed_out: false,
    part: { offset, total: message.body.length, ...(next < message.body.length && { next_offset: next }) },
  };
}
