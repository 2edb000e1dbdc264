import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Access, Directory, myStatus, Runs } from "./agents/index.js";
import type { Config } from "./config/index.js";
import { refuse } from "./errors/index.js";
import type { Admit, Caller, May } from "./identity/index.js";
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
 * @throws {MailboxError} `store.unavailable`, `store.tier_too_low`, `config.invalid`
 */
export async function openHouse(
  config: Config,
  log: Logger,
  timing: { readonly callTimeoutMs?: number; readonly locks?: Partial<lock.LockLimits> } = {},
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
  const topics = new Topics({ store, hints, admit, may });
  const locks = new lock.LockContext({
    ...{ store, hints, admit, may, log: logEvent },
    limits: { ...lock.defaultLockLimits, ...config.lockLimits, ...timing.locks },
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
    feed: topics.feed,
    directory,
    runs,
    publish: (caller, topic, message, operation, ttlMs) =>
      topics.publish(caller, { ...message, to: `topic:${topic}` }, operation, ttlMs),
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
    leaseOf: async (caller, given, token) => {
      const verdict = await lock.verifyToken(locks, caller, given, token);
      if (!verdict.valid || verdict.agent !== caller.principal.agent) refuse("lock.stale_token");
      return { expiresAt: verdict.expiresAt, resource: lock.parseResource(given) };
    },
  });
  const groupKeeper = new shared.GroupKeeper(state);
  const rooms = roomsOf({ config, store, hints, context, directory, runs, topics, locks, state });
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
}

function roomsOf({ config, store, hints, context, directory, runs, topics, locks, state }: Parts): Rooms {
  return {
    runs: {
      begin: (principal) => runs.begin(principal),
      end: (caller) => runs.end(caller),
    },
    mail: {
      sendMessage: (caller, input) => mail.sendMessage(context, caller, input),
      readInbox: (caller, input, options) =>
        lock.duringMailWait(locks, caller, input.wait_seconds ? input.sender : undefined, () =>
          mail.readInbox(context, caller, input, options),
        ),
      ackMessages: (caller, input) => mail.ackMessages(context, caller, input),
      searchMessages: (caller, input) => mail.searchMessages(context, caller, input),
      confirm: (caller, batch, reached) => context.memory(caller).confirm(batch, reached),
      news: (caller) => mail.newsOf(context, caller),
      messageById: async (caller, id) => {
        const { delivery, states } = await mail.messageById(context, caller, id);
        return whole(delivery, states);
      },
      thread: async (caller, id) => {
        const deliveries = await mail.thread(context, caller, id);
        return {
          messages: deliveries
            .slice(-50)
            .map((delivery) => whole(delivery, [{ to: delivery.message.to, state: delivery.state }])),
          earlier: Math.max(deliveries.length - 50, 0),
        };
      },
    },
    topics: {
      subscribeTopic: async (caller, input) => {
        await mail.noteCall(context, caller);
        const receipt = await topics.subscribeTopic(caller, input);
        context.memory(caller).heardOfTopics(); // the hint may come after the reply
        return receipt;
      },
      listTopics: async (caller) => {
        const listed = await topics.listTopics(caller);
        return listed.map(({ name, messages, lastAt }) => ({
          name,
          messages,
          ...(lastAt ? { last_at: new Date(lastAt).toISOString() } : {}),
        }));
      },
      history: async (caller, topic, options) => {
        const page = await topics.history(caller, topic, options);
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
      getState: async (caller, input) => {
        await mail.noteCall(context, caller);
        return shared.getState(state, caller, input);
      },
      putState: async (caller, input) => {
        await mail.noteCall(context, caller);
        return shared.putState(state, caller, input);
      },
    },
    agents: {
      findRecipients: async (caller, input) => {
        await mail.noteCall(context, caller);
        await context.deps.admit(caller, "agents.find", "*");
        return directory.find(caller, input, {
          online: () => runs.online(),
          topics: async () => (await topics.listTopics(caller)).map(({ name }) => name),
          ready: async (queue) =>
            (await mail.countReady(context, caller.principal.namespace, `queue:${queue}`)).unread,
        });
      },
      myStatus: async (caller, input) => {
        await mail.noteCall(context, caller);
        await context.deps.admit(caller, "agents.describe", caller.principal.agent);
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
            store,
          },
          caller,
          input,
        );
      },
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
