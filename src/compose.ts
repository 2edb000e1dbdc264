import { realpathSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { formatAddress, parseAddress, parsePattern, parseStatePrefix } from "./addresses/index.js";
import { Access, Directory, myStatus, Runs } from "./agents/index.js";
import { type Places, Recorder, Sealer, type SealTimes } from "./audit/index.js";
import type { Config } from "./config/index.js";
import { refuse } from "./errors/index.js";
import { type Admit, type Caller, type May, type RecordDecision, rowOf } from "./identity/index.js";
import * as lock from "./locks/index.js";
import * as mail from "./mailbox/index.js";
import type { Rooms, WholeMessage } from "./mcp/index.js";
import type { Logger } from "./observability/index.js";
import { ensureEngine } from "./redis/engine/index.js";
import { directoryKeys, type Endpoint, Hints, lockKeys, mailboxKeys, Store } from "./redis/index.js";
import * as shared from "./state/index.js";
import { Topics } from "./topics/index.js";

/** Everything of one process, put together: the store, the capabilities, and what the faces are given. */
export interface House {
  readonly config: Config;
  readonly store: Store;
  readonly mail: mail.MailContext;
  readonly topics: Topics;
  readonly locks: lock.LockContext;
  readonly state: shared.StateContext;
  readonly directory: Directory;
  readonly access: Access;
  readonly runs: Runs;
  readonly recorder: Recorder;
  readonly sealer: Sealer;
  /** Where decisions are recorded. */
  readonly places: Places;
  readonly rooms: Rooms;
  close(): Promise<void>;
}

const sweepTopicsEveryMs = 60_000;

/**
 * Opens the store and puts the rooms together. The one place that knows them all: where one capability needs another,
 * it is handed a function here.
 *
 * @param timing.callTimeoutMs how long one call of a configured store may take in all, retries included
 * @param timing.locks how long leases and offers last, where tests have no time to wait
 * @param timing.seal when audit rows are sealed, signed and trimmed
 * @throws {MailboxError} `store.unavailable`, `store.tier_too_low`, `config.invalid`
 */
export async function openHouse(
  config: Config,
  log: Logger,
  timing: {
    readonly callTimeoutMs?: number;
    readonly locks?: Partial<lock.LockLimits>;
    readonly seal?: Partial<SealTimes>;
  } = {},
): Promise<House> {
  const logEvent = (event: string, facts?: Record<string, unknown>): void => log.warn(facts ?? {}, event);
  const store = await openStore(config, log, timing);
  const hints = new Hints(store.endpoint, logEvent);
  const limits = { ...mail.defaultMailboxLimits, ...config.limits };
  const directory = new Directory(store, 100);
  const access = new Access({ store, hints });
  const admit: Admit = (caller, action, resource) => access.admit(caller, action, resource);
  const may: May = async (caller, action, resource) =>
    (await access.decide(caller, action, resource)).allowed;
  const recorder = new Recorder({ store, log: logEvent });
  const record: RecordDecision = (caller, admission) => recorder.record(caller, admission);
  const topics = new Topics({ store, hints, admit, may, record });
  const places: Places = {
    mailboxes: (namespace) => directory.mailboxes(namespace),
    roots: (namespace) => topics.roots(namespace),
    groups: async (namespace) => [...(await state.rooms.groups(namespace)).keys()],
  };
  const locks = new lock.LockContext({
    ...{ store, hints, admit, may, log: logEvent },
    limits: { ...lock.defaultLockLimits, ...config.lockLimits, ...timing.locks },
  });
  const folder = join(config.dataDir, "audit");
  const sealer = new Sealer({
    store,
    places,
    folder,
    keyFile: config.auditKeyFile ?? join(folder, "key.pem"),
    ...(timing.seal ? { times: timing.seal } : {}),
    log: logEvent,
  });
  let sweptTopicsAt = 0;
  const runs = new Runs({
    store,
    namespace: config.namespace,
    release: async (agent, run, inGoodOrder) => {
      // Neither waits for the other: what could not be given back now is given back by the next sweep.
      await Promise.all([
        lock.releaseRun(locks, config.namespace, run, inGoodOrder),
        mail.releaseRun(context, config.namespace, agent, run, inGoodOrder),
      ]);
    },
    sweep: async () => {
      // By itself: neither keeps the other from being done.
      await sealer
        .sweep(config.namespace)
        .catch((error: Error) => logEvent("audit rows wait to be sealed", { error: error.message }));
      await mail.sweepOutboxes(context, config.namespace);
      await keeper.sweep(config.namespace);
      await groupKeeper.sweep(config.namespace);
      if (Date.now() - sweptTopicsAt < sweepTopicsEveryMs) return;
      sweptTopicsAt = Date.now();
      await topics.removeIdleTopics(config.namespace);
    },
    log: logEvent,
  });
  const context = new mail.MailContext({
    store,
    hints,
    limits,
    admit,
    may,
    record,
    feed: topics.feed,
    directory,
    runs,
    publish: (caller, topic, message, operation, row, ttlMs) =>
      topics.publish(caller, { ...message, to: `topic:${topic}` }, operation, row, ttlMs),
    topicRetentionMs: (namespace, topic) => topics.retentionMs(namespace, topic),
    ...(config.filesDir === undefined ? {} : { filesDir: config.filesDir }),
    log: logEvent,
  });
  const keeper = new mail.MailboxKeeper(context);
  const state = new shared.StateContext({
    store,
    hints,
    limits: { ...shared.defaultStateLimits, ...config.stateLimits },
    admit,
    may,
    record,
    leaseOf: async (caller, given, token) => {
      const verdict = await lock.verifyToken(locks, caller, given, token);
      if (!verdict.valid || verdict.agent !== caller.principal.agent) refuse("lock.stale_token");
      return { expiresAt: verdict.expiresAt, resource: lock.parseResource(given) };
    },
  });
  const groupKeeper = new shared.GroupKeeper(state);
  const rooms = roomsOf({ config, store, hints, context, directory, runs, topics, locks, state, recorder });
  return {
    config,
    store,
    mail: context,
    topics,
    locks,
    state,
    directory,
    access,
    runs,
    recorder,
    sealer,
    places,
    rooms,
    close: async () => {
      await runs.close();
      locks.close();
      hints.close();
      store.close();
    },
  };
}

/** Where the store is, in the order of preference: a configured address, or the local engine of the data directory. */
async function openStore(
  config: Config,
  log: Logger,
  timing: { readonly callTimeoutMs?: number },
): Promise<Store> {
  const store =
    config.redisUrl === undefined
      ? await openLocal(config, log)
      : await openRemote(config.redisUrl, log, timing);
  if (config.tier !== undefined && store.tier < config.tier) {
    const actual = store.tier;
    store.close();
    refuse("store.tier_too_low", { actual, required: config.tier });
  }
  return store;
}

async function openRemote(
  url: string,
  log: Logger,
  timing: { readonly callTimeoutMs?: number },
): Promise<Store> {
  const shown = url.replace(/\/\/[^@/]*@/, "//…@");
  return Store.open({
    endpoint: { url },
    label: shown,
    ...timing,
    log: (event, facts) => log.warn(facts, event),
  });
}

async function openLocal(config: Config, log: Logger): Promise<Store> {
  const ensure = () =>
    ensureEngine({
      dataDir: config.dataDir,
      engine: config.engine,
      idleMs: config.engineIdleMs,
      supervisorCommand: [process.execPath, executable(), "supervise"],
      log: (event, facts) => log.info(facts ?? {}, event),
    });
  const engine = await ensure();
  const endpoint: Endpoint = { socketPath: engine.socketPath };
  return Store.open({
    endpoint,
    label: engine.label,
    ...(engine.kind === "embedded" ? { tier: "D2" as const } : {}),
    revive: async () => void (await ensure()),
    log: (event, facts) => log.warn(facts, event),
  });
}

/** The program that other processes start as a supervisor: always the built one. */
function executable(): string {
  const here = fileURLToPath(import.meta.url);
  const built = here.endsWith(".ts")
    ? fileURLToPath(new URL("../dist/main.js", import.meta.url))
    : fileURLToPath(new URL("./main.js", import.meta.url));
  return realpathSync(built);
}

interface Parts {
  readonly config: Config;
  readonly store: Store;
  readonly hints: Hints;
  readonly context: mail.MailContext;
  readonly directory: Directory;
  readonly runs: Runs;
  readonly topics: Topics;
  readonly locks: lock.LockContext;
  readonly state: shared.StateContext;
  readonly recorder: Recorder;
}

function roomsOf({
  config,
  store,
  hints,
  context,
  directory,
  runs,
  topics,
  locks,
  state,
  recorder,
}: Parts): Rooms {
  /** What is refused leaves a row, in this one place for all that a face can ask. */
  const guard = <T>(
    caller: Caller,
    action: string,
    given: readonly (string | undefined)[],
    work: () => Promise<T>,
  ): Promise<T> => recorder.guard(caller, () => ({ action, resource: namesIn(given) }), work);
  return {
    runs: {
      begin: (principal) => runs.begin(principal),
      end: (caller) => runs.end(caller),
    },
    mail: {
      sendMessage: (caller, input) =>
        guard(caller, "mailbox.send", input.to, () => mail.sendMessage(context, caller, input)),
      readInbox: (caller, input, options) =>
        guard(caller, "mailbox.read", [input.mailbox ?? caller.principal.agent], () =>
          lock.duringMailWait(locks, caller, input.wait_seconds ? input.sender : undefined, () =>
            mail.readInbox(context, caller, input, options),
          ),
        ),
      ackMessages: (caller, input) =>
        guard(caller, "mailbox.read", [caller.principal.agent], () =>
          mail.ackMessages(context, caller, input),
        ),
      searchMessages: (caller, input) =>
        input.topic === undefined || input.sent
          ? guard(caller, "mailbox.read", [caller.principal.agent], () =>
              mail.searchMessages(context, caller, input),
            )
          : guard(caller, "topic.read", [topical(input.topic)], () =>
              mail.searchMessages(context, caller, input),
            ),
      confirm: (caller, batch, reached) => context.memory(caller).confirm(batch, reached),
      news: (caller) => mail.newsOf(context, caller),
      messageById: async (caller, id) => {
        const { delivery, states } = await guard(caller, "mailbox.read", [caller.principal.agent], () =>
          mail.messageById(context, caller, id),
        );
        return whole(delivery, states);
      },
      thread: async (caller, id) => {
        const deliveries = await guard(caller, "mailbox.read", [caller.principal.agent], () =>
          mail.thread(context, caller, id),
        );
        return {
          messages: deliveries
            .slice(-50)
            .map((delivery) => whole(delivery, [{ to: delivery.message.to, state: delivery.state }])),
          earlier: Math.max(deliveries.length - 50, 0),
        };
      },
    },
    topics: {
      subscribeTopic: (caller, input) =>
        guard(caller, "topic.read", [topical(input.topic)], async () => {
          await mail.noteCall(context, caller);
          const receipt = await topics.subscribeTopic(caller, input);
          context.memory(caller).heardOfTopics(); // the hint may come after the reply
          return receipt;
        }),
      listTopics: async (caller) => {
        const listed = await guard(caller, "topic.read", ["topic:**"], async () => {
          const readable = await topics.listTopics(caller);
          const decision = { action: "topic.read", resource: "topic:**", outcome: "allow" } as const;
          // Each topic is decided by itself and left out where it may not be read: there is one list, so one row.
          const row = rowOf(caller, { ...decision, because: "lists what may be read" });
          await recorder.record(caller, { row });
          return readable;
        });
        return listed.map(({ name, messages, lastAt }) => ({
          name,
          messages,
          ...(lastAt ? { last_at: new Date(lastAt).toISOString() } : {}),
        }));
      },
      history: async (caller, topic, options) => {
        const page = await guard(caller, "topic.read", [topical(topic)], () =>
          topics.history(caller, topic, options),
        );
        return {
          messages: page.deliveries.map(mail.shown),
          ...(page.before === undefined ? {} : { before: page.before }),
        };
      },
    },
    locks: {
      acquireLock: async (caller, input, options) => {
        await mail.noteCall(context, caller);
        return lock.acquireLock(locks, caller, input, options);
      },
      releaseLock: async (caller, input) => {
        await mail.noteCall(context, caller);
        return lock.releaseLock(locks, caller, input);
      },
      listLocks: async (caller, input) => {
        await mail.noteCall(context, caller);
        return lock.listLocks(locks, caller, input);
      },
      news: (caller) => lock.lockNews(locks, caller),
    },
    state: {
      getState: (caller, input) =>
        guard(caller, "state.read", [`state:${input.key ?? input.prefix ?? ""}`], async () => {
          await mail.noteCall(context, caller);
          return shared.getState(state, caller, input);
        }),
      putState: (caller, input) =>
        guard(caller, "state.write", [`state:${input.key}`], async () => {
          await mail.noteCall(context, caller);
          return shared.putState(state, caller, input);
        }),
    },
    agents: {
      findRecipients: (caller, input) =>
        guard(caller, "agents.find", ["*"], async () => {
          await mail.noteCall(context, caller);
          await recorder.record(caller, await context.deps.admit(caller, "agents.find", "*"));
          return directory.find(caller, input, {
            online: () => runs.online(),
            topics: async () => (await topics.listTopics(caller)).map(({ name }) => name),
            ready: async (queue) =>
              (await mail.countReady(context, caller.principal.namespace, `queue:${queue}`)).unread,
          });
        }),
      myStatus: (caller, input) =>
        guard(caller, "agents.describe", [caller.principal.agent], async () => {
          await mail.noteCall(context, caller);
          const admission = await context.deps.admit(caller, "agents.describe", caller.principal.agent);
          return myStatus(
            {
              directory,
              runs,
              inbox: async (asking) => {
                const [counts, overdue] = await Promise.all([
                  mail.countInbox(context, asking),
                  mail.overdueMail(context, asking),
                ]);
                return {
                  unread: counts.unread,
                  urgent: counts.urgent,
                  open: counts.open,
                  dead_letters: counts.dead,
                  overdue: overdue.map(({ id, from, sentAt }) => ({
                    id,
                    from,
                    since: new Date(sentAt).toISOString(),
                  })),
                };
              },
              subscriptions: (asking) => topics.subscriptionsOf(asking),
              record: (asking, admitted) => recorder.record(asking, admitted),
              store,
            },
            caller,
            input,
            admission,
          );
        }),
    },
    watch: (caller, target, onChange) => watch({ config, hints, topics, state }, caller, target, onChange),
  };
}

async function watch(
  { config, hints, topics, state }: Pick<Parts, "config" | "hints" | "topics" | "state">,
  caller: Caller,
  target: Parameters<Rooms["watch"]>[1],
  onChange: () => void,
): Promise<() => void> {
  const { namespace, agent } = caller.principal;
  switch (target.kind) {
    case "inbox": {
      const stops = await Promise.all([
        hints.listen(mailboxKeys(namespace, agent).channel, onChange),
        topics.feed.listen(caller, onChange),
      ]);
      return () => {
        for (const stop of stops) stop();
      };
    }
    case "topic":
      return topics.watchTopic(namespace, target.name, onChange);
    case "topics":
      return topics.watchTopics(namespace, onChange);
    case "locks":
      return hints.listen(lockKeys(namespace).changes, onChange);
    case "state":
      return shared.watchState(state, caller, target.key, onChange);
    case "agents":
      return hints.listen(directoryKeys(config.namespace).channel, onChange);
  }
}

const namesShown = 20;

/** Addresses as they were given, checked: what is none is written as `?`, for it may be anything. */
function namesIn(given: readonly (string | undefined)[]): string {
  const names = given.slice(0, namesShown).map((one) => {
    if (one === undefined || one === "*" || one === "topic:**") return one ?? "?";
    try {
      if (one.startsWith("state:")) return `state:${parseStatePrefix(one.slice("state:".length))}`;
      return one.startsWith("topic:") ? `topic:${parsePattern(one)}` : formatAddress(parseAddress(one));
    } catch {
      return "?";
    }
  });
  return [...names, ...(given.length > namesShown ? [`and ${given.length - namesShown} more`] : [])].join(
    ",",
  );
}

function topical(topic: string): string {
  return topic.startsWith("topic:") ? topic : `topic:${topic.replace(/^#/, "")}`;
}

function whole(delivery: mail.Delivery, states: WholeMessage["states"]): WholeMessage {
  const { message } = delivery;
  return {
    ...mail.summary(message, states),
    content_type: message.contentType,
    body: message.body,
    ...(message.data ? { data: message.data } : {}),
    ...(message.inReplyTo ? { in_reply_to: message.inReplyTo } : {}),
    ...(message.attachments ? { attachments: message.attachments } : {}),
  };
}
